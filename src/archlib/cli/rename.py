"""``archlib rename``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from archlib.cli.aws import Asked, agree, aws_options, check_named, session
from archlib.cli.one import chosen, split
from archlib.cli.options import source_options
from archlib.cli.records import record


@click.command("rename")
@click.argument("names", nargs=-1, required=True, metavar="OLD=NEW...")
@click.option(
    "--file", type=click.Path(path_type=Path), help="Blueprint or Python file that has the new names already."
)
@source_options
@click.option("--stack", "name", required=True, metavar="STACK", help="The stack.")
@click.option("--to", metavar="STACK", help="Move the resources to this stack; it is made if there is none.")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be renamed, and end.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--confirm", "named", metavar="STACK", help="Name the stack of a protected environment.")
@aws_options
def command(
    *,
    names: tuple[str, ...],
    file: Path | None,
    environment: str | None,
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    name: str,
    to: str | None,
    only_plan: bool,
    yes: bool,
    named: str | None,
    asked: Asked,
) -> None:
    """Rename logical ids, or move resources to another stack; the real things stay as they are.

    Exit codes: 0 done, 1 refused, 2 wrong usage, 12 protected, 14 the stack was changed meanwhile, 20 failed and
    undone, 21 stuck, 75 still running.

    \b
    Example:
      archlib rename --stack shop-prod-data OrdersTable=PurchasesTable
      archlib rename --stack shop-prod-data --to shop-prod-archive OldTable=OldTable
    """
    from archlib.deploy.rename import execute_rename, plan_rename

    with session(asked, "rename") as here:
        asked.refuse_local("rename")
        source = {"environment": environment, "sets": sets, "layout": layout}
        deployer, stack = chosen(here, file, name, confirmed=named is not None, **source)
        check_named(named, name)
        plan = plan_rename(deployer, stack, dict(split(each) for each in names), to=to)
        click.echo(record("rename", **plan.to_data()) if asked.as_json else plan.to_text())
        agreed = not only_plan and agree(
            here.outlet, app=name, yes=yes, named=named, protected=deployer.target.protected,
            local=bool(deployer.aws.endpoint), what="Rename?",
        )  # fmt: skip
        if agreed:
            execute_rename(deployer, plan)
