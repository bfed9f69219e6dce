"""``archlib drift``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from archlib.cli.aws import Asked, aws_options, environments_option, session
from archlib.cli.options import DEFAULT_FILE, layout_option, sets_option
from archlib.cli.records import record

_DRIFT = 11


@click.command("drift")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@environments_option
@sets_option
@layout_option
@click.option("--stack", "names", multiple=True, metavar="STACK", help="Without FILE: a stack; repeatable.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for an issue or a pull request.")
@aws_options
def command(
    *,
    file: Path | None,
    environments: tuple[str, ...],
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    names: tuple[str, ...],
    markdown: bool,
    asked: Asked,
) -> None:
    """Show what was changed outside of CloudFormation.

    Bring it back with: archlib deploy --revert-drift. Exit codes: 0 nothing was changed, 1 CloudFormation cannot tell
    for a stack, 2 wrong usage, 11 something was changed.

    \b
    Example:
      archlib drift archlib.yaml --env prod --json
    """
    from archlib.deploy.drift import detect
    from archlib.deploy.existing import StackName
    from archlib.errors import UsageError
    from archlib.workflow.deployment import deployer_for, places

    with session(asked, "drift") as here:
        if names and file:
            raise UsageError("name FILE, or --stack")
        if names:
            deployer = deployer_for(access=here.access, reporter=here.outlet, stop=here.stop)
            found = [detect(deployer, [StackName(name) for name in names])]
        else:
            found = [
                detect(place.deployer, place.stacks)
                for place in places(
                    file or Path(DEFAULT_FILE), environments=environments, sets=sets, layout=layout,
                    access=here.access, reporter=here.outlet, stop=here.stop,
                )
            ]  # fmt: skip
        for drift in found:
            if asked.as_json:
                click.echo(record("drift", **drift.to_data()))
            else:
                click.echo(drift.to_markdown() if markdown else drift.to_text())
        if any(drift.drifted for drift in found):
            raise click.exceptions.Exit(_DRIFT)
        if not all(drift.certain for drift in found):
            raise click.exceptions.Exit(1)
