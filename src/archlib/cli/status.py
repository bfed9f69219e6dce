"""``archlib status``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click

from archlib.cli.aws import Asked, aws_options, environments_option, existing, names_option, session
from archlib.cli.options import layout_option, sets_option
from archlib.cli.records import record

_STUCK = 21


@click.command("status")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@environments_option
@sets_option
@layout_option
@names_option
@aws_options
def command(
    *,
    file: Path | None,
    environments: tuple[str, ...],
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    names: tuple[str, ...],
    asked: Asked,
) -> None:
    """Show how the stacks are. Exit code 21 if one is stuck.

    \b
    Example:
      archlib status archlib.yaml --env prod
    """
    from rich.text import Text

    from archlib.cli.text import clean
    from archlib.deploy.inspect import status

    with session(asked, "status") as here:
        rows = [
            row
            for deployer, stacks in existing(
                here, file, environments=environments, sets=sets, layout=layout, names=names
            )
            for row in status(deployer, stacks)
        ]
        width = max((len(row.stack) for row in rows), default=0)
        for row in rows:
            if asked.as_json:
                click.echo(record("status", **asdict(row)))
                continue
            facts = [row.changed[:19].replace("T", " ") if row.changed else ""]
            facts += ["protected" if row.protected else "", "" if row.drift in {"", "NOT_CHECKED"} else row.drift]
            facts += [f"working on {', '.join(row.waiting[:3])}" if row.waiting else "", row.reason, row.next]
            style = (
                "red"
                if row.stuck
                else "dim"
                if not row.status
                else "green"
                if row.status.endswith("COMPLETE")
                else "yellow"
            )
            line = Text.assemble(
                (f"{clean(row.stack):{width}}", "bold"), (f"  {row.status or 'does not exist'}", style)
            )
            line.append("".join(f"  {clean(fact)}" for fact in facts if fact), style="dim")
            here.outlet.console.print(line, soft_wrap=True)
    if any(row.stuck for row in rows):
        raise click.exceptions.Exit(_STUCK)
