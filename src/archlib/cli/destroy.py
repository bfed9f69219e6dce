"""``archlib destroy``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from archlib.cli.aws import Asked, Session, agree, aws_options, check_named, environments_option, session
from archlib.cli.options import DEFAULT_FILE, layout_option, sets_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archlib.deploy.deployer import Deployer
    from archlib.deploy.existing import Named
    from archlib.deploy.run import Options


@click.command("destroy")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@environments_option
@sets_option
@layout_option
@click.option("--app", metavar="NAME", help="Without FILE: the app, whose stacks are found by their tags; with --env.")
@click.option("--stack", "names", multiple=True, metavar="STACK", help="Without FILE: a stack; repeatable.")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be deleted and what stays, and end.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--confirm", "named", metavar="APP", help="Name the app of a protected environment instead of being asked."
)
@click.option(
    "--empty-buckets", is_flag=True, help="Empty buckets and image repositories first: their content is lost."
)
@click.option("--retain", multiple=True, metavar="ID", help="Logical id to leave behind if it cannot be deleted.")
@click.option("--force", is_flag=True, help="Leave everything behind that cannot be deleted.")
@click.option("--unprotect", is_flag=True, help="Switch termination protection off first; with --confirm.")
@aws_options
def command(
    *,
    file: Path | None,
    environments: tuple[str, ...],
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    app: str | None,
    names: tuple[str, ...],
    only_plan: bool,
    yes: bool,
    named: str | None,
    empty_buckets: bool,
    retain: tuple[str, ...],
    force: bool,
    unprotect: bool,
    asked: Asked,
) -> None:
    """Delete stacks, each after those that need it.

    What the templates keep (removal: Retain) stays and is listed. Exit codes: 0 done, or nothing of FILE is there,
    2 wrong usage, 12 protected, in use, or a bucket is not empty, 14 somebody else made a stack anew, 21 something
    cannot be deleted, 75 still running.

    \b
    Example:
      archlib destroy archlib.yaml --env dev
    """
    from archlib.cli.board import Heading
    from archlib.deploy.destroy import destroy, destroy_plan
    from archlib.deploy.run import Options
    from archlib.errors import UsageError
    from archlib.workflow.deployment import places

    options = Options(confirmed=named is not None)
    with session(asked, "destroy") as here:
        work: list[tuple[Deployer, Sequence[Named], str, str]] = []
        if app or names:
            if file:
                raise UsageError("name FILE, or --app with one --env, or --stack")
            work.append(_found(here, app=app, names=names, environments=environments, options=options))
        else:
            with here.building():
                found = places(
                    file or Path(DEFAULT_FILE), environments=environments, sets=sets, layout=layout, access=here.access,
                    options=options, reporter=here.outlet, stop=here.stop,
                )  # fmt: skip
            # The last environment that was made goes first.
            work += [(place.deployer, place.stacks, place.app.name, place.environment) for place in reversed(found)]
        how: dict[str, Any] = {"empty_buckets": empty_buckets, "retain": retain}
        for _, _, name, _ in work:
            check_named(named, name)
        for deployer, stacks, name, environment in work:
            plan = destroy_plan(deployer, stacks, **how)
            here.outlet.plan(plan)
            if only_plan or plan.empty:
                continue
            here.outlet.about(Heading.of(plan, arn=deployer.identity.arn))
            if _agreed(here, deployer, app=name, environment=environment, yes=yes, named=named):
                here.outlet.deployment(destroy(deployer, stacks, **how, force=force, unprotect=unprotect))


def _found(
    here: Session, *, app: str | None, names: tuple[str, ...], environments: tuple[str, ...], options: Options
) -> tuple[Deployer, Sequence[Named], str, str]:
    """Return the stacks that are named, or found by their tags."""
    from archlib.core.assembly import nearest
    from archlib.deploy.existing import StackName, find
    from archlib.errors import Problem, UsageError
    from archlib.workflow.deployment import deployer_for

    if app and (names or len(environments) != 1):
        raise UsageError("name --app with one --env, or --stack")
    deployer = deployer_for(access=here.access, options=options, reporter=here.outlet, stop=here.stop)
    if app:
        (environment,) = environments
        stacks = find(deployer, app, environment)
        if not stacks:
            tags = [state.tags for state in deployer.run().cloudformation.stacks()]
            known = {f"--app {each['app']} --env {each.get('environment', '')}" for each in tags if "app" in each}
            close = nearest(f"--app {app} --env {environment}", sorted(known))
            message = f"no stack in {deployer.aws.region} has the tags app={app} and environment={environment}"
            raise UsageError(f"{message}{close}; correct them, or give another --region")
        return deployer, stacks, app, environment
    cloudformation = deployer.run().cloudformation
    if missing := [name for name in names if cloudformation.stack(name) is None]:
        there = [state.name for state in cloudformation.stacks()]
        where, advice = deployer.aws.region, "correct the name, or give its --region"
        raise UsageError(
            Problem(f"stack {name!r}: does not exist in {where}{nearest(name, there)}; {advice}") for name in missing
        )
    return deployer, [StackName(name) for name in names], names[0], ""


def _agreed(here: Session, deployer: Deployer, *, app: str, environment: str, yes: bool, named: str | None) -> bool:
    """Return whether to go on."""
    protected = deployer.target.protected or named is not None
    agreed = agree(
        here.outlet, app=app, yes=yes, named=named, protected=protected, local=bool(deployer.aws.endpoint),
        what=f"Destroy {app} {environment}".rstrip() + f" in {deployer.identity.account} {deployer.aws.region}?",
    )  # fmt: skip
    if agreed and protected:
        deployer.options = replace(deployer.options, confirmed=True)
    return agreed
