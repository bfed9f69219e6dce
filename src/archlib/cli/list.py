"""``archlib list``."""

from __future__ import annotations

import json

import click

from archlib.cli.options import json_option

_SENTENCE = 40  # columns that one needs beside the names


@click.command("list")
@json_option
def command(*, as_json: bool) -> None:
    """Show the blueprints and the components.

    \b
    Example:
      archlib list --json
    """
    from archlib.blueprints.registry import names
    from archlib.components.catalogue import catalogue

    blueprints = [{"name": name, "purpose": purpose} for name, purpose in sorted(names().items())]
    components = [
        {"name": entry.name, "module": entry.module, "purpose": entry.purpose, "group": entry.group}
        for entry in catalogue()
    ]
    if as_json:
        click.echo(json.dumps({"blueprints": blueprints, "components": components}, indent=2))
        return
    from rich.console import Console
    from rich.table import Column, Table

    console = Console(markup=False, highlight=False)
    # Names are there to be copied: the sentence between them is what gives way on a narrow screen.
    titles = ("Component", "Import from")
    widths = [max(len(row[key]) for row in components) for key in ("name", "module")]
    if not console.is_terminal or console.width < sum(widths) + _SENTENCE:
        for row in blueprints:
            console.print(f"{row['name']} : {row['purpose']}", soft_wrap=True)
        console.print()
        for row in components:
            console.print(f"{row['name']} : {row['module']} : {row['purpose']}", soft_wrap=True)
        return
    table = Table("Blueprint", "What it is", box=None, header_style="bold")
    for row in blueprints:
        table.add_row(row["name"], row["purpose"])
    console.print(table)
    console.print()
    name, module = (Column(title, no_wrap=True) for title in titles)
    table = Table(name, "What it is", module, box=None, header_style="bold")
    for row in components:
        table.add_row(row["name"], row["purpose"], row["module"])
    console.print(table)
