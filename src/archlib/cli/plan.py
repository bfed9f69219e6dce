"""``archlib plan``."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import click

from archlib.cli.aws import Asked, aws_options, check_writable, environments_option, session, write_text
from archlib.cli.options import file_argument, layout_option, sets_option

_CHANGES = 10


@click.command("plan")
@file_argument
@environments_option
@sets_option
@layout_option
@click.option("--save", type=click.Path(path_type=Path), help="Keep the plan in a file for: archlib deploy --plan.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a comment on a pull request.")
@click.option("--exit-code", is_flag=True, help="Exit with 10 if there are changes.")
@click.option("--revert-drift", is_flag=True, help="Also bring back what was changed outside of CloudFormation.")
@click.option("--no-lint", is_flag=True, help="Do not check the templates first.")
@aws_options
def command(
    *,
    file: Path,
    environments: tuple[str, ...],
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    save: Path | None,
    markdown: bool,
    exit_code: bool,
    revert_drift: bool,
    no_lint: bool,
    asked: Asked,
) -> None:
    """Show what a deployment would do; nothing is changed.

    Stacks that exist are planned by change sets, which are deleted afterwards unless the plan is saved. Exit codes:
    0 planned, 1 refused, 2 wrong usage, 10 there are changes (with --exit-code), 12 wrong account or region, 20 AWS
    refuses a change, 21 a stack is stuck.

    \b
    Example:
      archlib plan archlib.yaml --env prod --save plan.json
    """
    from archlib.deploy.reporter import Note
    from archlib.deploy.run import Options
    from archlib.errors import UsageError
    from archlib.workflow.deployment import check_stacks, places, prepare

    with session(asked, "plan") as here:
        if save:
            check_writable(save)
        with here.building():
            found = places(
                file, environments=environments, sets=sets, layout=layout, access=here.access,
                options=Options(revert_drift=revert_drift), reporter=here.outlet, stop=here.stop,
            )  # fmt: skip
        if save and len(found) > 1:
            raise UsageError(
                f"--save keeps one plan, got {len(found)} places to deploy to; name one with --env and --region"
            )
        plans: list[Any] = []
        for place in found:
            with here.building():
                if not no_lint:
                    check_stacks(place)
            prepare(place)
            plan = place.deployer.plan(place.stacks, upload=save is not None)
            if here.stop.requested or not save:
                place.deployer.discard(plan)
            here.check_stop()
            plans.append(plan)
            if save:
                write_text(save, json.dumps(plan.to_data(artifacts=True), ensure_ascii=False))
            if markdown:
                click.echo(plan.to_markdown())
            else:
                here.outlet.plan(plan)
            if save:
                here.outlet.notify(Note("", f"saved in {save}; next: archlib deploy --plan {quote(str(save))}"))
    if exit_code and not all(plan.empty for plan in plans):
        raise click.exceptions.Exit(_CHANGES)
