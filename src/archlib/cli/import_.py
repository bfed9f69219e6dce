"""``archlib import``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from archlib.cli.aws import Asked, agree, aws_options, check_named, session
from archlib.cli.one import of_file, split
from archlib.cli.options import file_argument, source_options


@click.command("import")
@file_argument
@source_options
@click.option("--stack", "name", required=True, metavar="STACK", help="The stack that takes the things over.")
@click.option(
    "--resource", "resources", multiple=True, required=True, metavar="ID[.KEY]=VALUE",
    help="Logical id, and what identifies the real thing; repeatable.",
)  # fmt: skip
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be imported, and end.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--confirm", "named", metavar="APP", help="Name the app of a protected environment.")
@aws_options
def command(
    *,
    file: Path,
    environment: str | None,
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    name: str,
    resources: tuple[str, ...],
    only_plan: bool,
    yes: bool,
    named: str | None,
    asked: Asked,
) -> None:
    """Let a stack take over things that exist already; nothing else in it changes.

    Deploy afterwards: then they become what the file says. Exit codes: 0 done, 1 refused, 2 wrong usage, 12 protected,
    20 failed and undone, 21 stuck, 75 still running.

    \b
    Example:
      archlib import archlib.yaml --stack shop-prod-data --resource UploadsBucket.BucketName=shop-uploads
    """
    from archlib.deploy.importing import execute_import, plan_import

    with session(asked, "import") as here:
        source = {"environment": environment, "sets": sets, "layout": layout}
        deployer, stack = of_file(here, file, name, confirmed=named is not None, **source)
        check_named(named, stack.tags.get("app", "") or name)
        plan = plan_import(deployer, stack, _identifiers(resources))
        try:
            here.outlet.plan(plan)
            if not only_plan and agree(
                here.outlet, app=plan.app or name, yes=yes, named=named, protected=deployer.target.protected,
                local=bool(deployer.aws.endpoint), what=f"Import into {name} in {plan.account} {plan.region}?",
            ):  # fmt: skip
                execute_import(deployer, plan)
        finally:
            deployer.discard(plan)


def _identifiers(resources: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in resources:
        where, value = split(text)
        resource, _, key = where.partition(".")
        if key:
            known = found.setdefault(resource, {})
            found[resource] = {**(known if isinstance(known, dict) else {}), key: value}
        else:
            found[resource] = value
    return found
