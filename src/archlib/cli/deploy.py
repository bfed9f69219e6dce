"""``archlib deploy``."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from archlib.cli.aws import Asked, Session, agree, aws_options, check_named, environments_option, session
from archlib.cli.options import DEFAULT_FILE, layout_option, sets_option

if TYPE_CHECKING:
    from archlib.deploy.deployer import Deployer
    from archlib.deploy.plan import Plan
    from archlib.deploy.run import Options


@click.command("deploy")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@environments_option
@sets_option
@layout_option
@click.option(
    "--plan", "saved", type=click.Path(path_type=Path), help="Carry out a plan that was saved, and nothing else."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--confirm", "named", metavar="APP", help="Name the app of a protected environment instead of being asked."
)
@click.option(
    "--allow-replace", "allow", multiple=True, metavar="ID", help="Logical id whose data may be replaced or deleted."
)
@click.option("--replace-failed", is_flag=True, help="Delete what a failed creation left, and create anew.")
@click.option("--revert-drift", is_flag=True, help="Also bring back what was changed outside of CloudFormation.")
@click.option("--import-existing", is_flag=True, help="Import what exists already by its custom name.")
@click.option("--no-validation", is_flag=True, help="Switch CloudFormation's early validation off.")
@click.option("--express", is_flag=True, help="Stacks are complete when the configuration is applied; for development.")
@click.option(
    "--on-interrupt",
    type=click.Choice(["detach", "cancel"]),
    default="detach",
    show_default=True,
    help="What Ctrl-C does to updates that run.",
)
@click.option("--workers", type=click.IntRange(1, 100), default=16, show_default=True, help="Most stacks at a time.")
@click.option("--no-lint", is_flag=True, help="Do not check the templates first.")
@aws_options
def command(
    *,
    file: Path | None,
    environments: tuple[str, ...],
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    saved: Path | None,
    yes: bool,
    named: str | None,
    allow: tuple[str, ...],
    replace_failed: bool,
    revert_drift: bool,
    import_existing: bool,
    no_validation: bool,
    express: bool,
    on_interrupt: Literal["detach", "cancel"],
    workers: int,
    no_lint: bool,
    asked: Asked,
) -> None:  # fmt: skip
    """Check, plan, ask, and carry stacks into AWS.

    Exit codes: 0 done or nothing to do, 1 refused, 2 wrong usage, 12 a guard refused (data would be lost, wrong
    account, protected), 14 the saved plan is stale, 20 failed and rolled back, 21 stuck (archlib recover), 75 still
    running (archlib attach), 130 interrupted before anything was changed.

    \b
    Example:
      archlib deploy archlib.yaml --env dev --local
    """  # fmt: skip
    from archlib.deploy.run import Options
    from archlib.errors import UsageError
    from archlib.workflow.deployment import check_stacks, deploy, places

    options = Options(
        workers=workers,
        allow=frozenset(allow),
        confirmed=named is not None,
        replace_failed=replace_failed,
        on_interrupt=on_interrupt,
        validate=not no_validation,
        express=express,
        import_existing=import_existing,
        revert_drift=revert_drift,
    )
    with session(asked, "deploy") as here:
        if saved:
            if file or environments or sets or layout:
                raise UsageError("--plan has all that is deployed in it; leave FILE, --env, --set and --layout out")
            _carry_out(here, saved, options, yes=yes, named=named)
            return
        with here.building():
            found = places(
                file or Path(DEFAULT_FILE), environments=environments, sets=sets, layout=layout, access=here.access,
                options=options, reporter=here.outlet, stop=here.stop,
            )  # fmt: skip
        for place in found:
            check_named(named, place.app.name)
        for place in found:
            with here.building():
                if not no_lint:
                    check_stacks(place)
            ask = partial(_shown, here, place.deployer, yes=yes, named=named)
            _, done = deploy(place, agree=ask, binding=not yes and not asked.local, lint=False)
            if done is not None:
                here.outlet.deployment(done)


def _shown(here: Session, deployer: Deployer, plan: Plan, *, yes: bool, named: str | None) -> bool:
    """Show ``plan``, and return whether to carry it out."""
    from archlib.cli.board import Heading

    here.check_stop()
    here.outlet.plan(plan)
    protected = deployer.target.protected
    agreed = agree(
        here.outlet, app=plan.app, yes=yes, named=named, protected=protected,
        local=bool(deployer.aws.endpoint),
        what=f"Deploy {plan.app} {plan.environment} to {plan.account} {plan.region}?",
    )  # fmt: skip
    if agreed and protected:
        deployer.options = replace(deployer.options, confirmed=True)
    here.outlet.about(Heading.of(plan, arn=deployer.identity.arn))
    return agreed


def _carry_out(here: Session, saved: Path, options: Options, *, yes: bool, named: str | None) -> None:
    from archlib.core.source import read_text
    from archlib.deploy.plan import from_data
    from archlib.errors import Problem, SourceError
    from archlib.workflow.deployment import deployer_for

    if not saved.is_file():
        raise SourceError(f"file {str(saved)!r}: does not exist; make a plan with: archlib plan --save {saved}")
    try:
        data = json.loads(read_text(saved))
    except ValueError as error:
        raise SourceError(Problem(f"file {str(saved)!r}: must be a plan, got no JSON ({error}); plan again")) from None
    plan = from_data(data)
    access = replace(here.access, region=here.access.region or plan.region)
    deployer = deployer_for(plan.target, access=access, options=options, reporter=here.outlet, stop=here.stop)
    if _shown(here, deployer, plan, yes=yes, named=named):
        here.outlet.deployment(deployer.execute(plan))
