"""``archlib explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click

from archlib.cli.options import json_option, source_options


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("resource", metavar="ID")
@source_options
@json_option
def command(
    *,
    file: Path,
    resource: str,
    environment: str | None,
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    as_json: bool,
) -> None:
    """Show one resource: its template, the line that made it, and why each of its permissions exists.

    ID is a logical id, as in the templates.

    \b
    Example:
      archlib explain archlib.yaml OrdersFunctionPolicy
    """
    from archlib.core.assembly import nearest
    from archlib.errors import UsageError
    from archlib.workflow import explain, read_stacks

    stacks = read_stacks(file, environment=environment, sets=sets, layout=layout)
    found = explain(stacks, resource)
    if found is None:
        known = [name for stack in stacks for name in stack.template["Resources"]]
        raise UsageError(f"resource {resource!r}: no stack of {str(file)!r} has it{nearest(resource, known)}")
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    from archlib.emit.template import to_yaml

    click.echo(f"{found['id']}  {found['type']}  in {found['stack']}")
    click.echo(f"made by  {found['origin'] or 'unknown'}")
    for label, key in (("uses", "uses"), ("used by", "used_by")):
        if found[key]:
            click.echo(f"{label:8} {', '.join(found[key])}")
    click.echo()
    click.echo(to_yaml({"Resources": {found["id"]: found["template"]}}).split("\n", 1)[1].rstrip())
    if found["permissions"]:
        click.echo("\nWhy it may do what it may do:")
    for permission in found["permissions"]:
        where = f"  ({permission['origin']})" if permission["origin"] else ""
        click.echo(f"  {permission['why']}{where}")
        for action in permission["actions"]:
            click.echo(f"    {action}")
