"""``archlib synth``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click

from archlib.cli.options import file_argument, json_option, regions_option, source_options


@click.command("synth")
@file_argument
@source_options
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), default=Path("out"), help="Folder to write to.", show_default=True
)
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("--no-lint", is_flag=True, help="Do not check the templates.")
@regions_option
@json_option
def command(
    *,
    file: Path,
    environment: str | None,
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    out: Path,
    form: Literal["yaml", "json"],
    no_lint: bool,
    regions: tuple[str, ...],
    as_json: bool,
) -> None:
    """Turn a blueprint or a Python file into templates.

    Nothing is written while an error finding is open. Exit codes: 0 written, 1 refused, 2 wrong usage.

    \b
    Example:
      archlib synth archlib.yaml --env prod --out templates --format json
    """
    from archlib.blueprints.load import load
    from archlib.checks.report import report
    from archlib.checks.run import REGIONS
    from archlib.workflow import synthesize, write

    app = load(file, environment=environment, sets=sets, layout=layout)
    synthesis = synthesize(app, lint=not no_lint, regions=regions or REGIONS)
    shown = [finding for finding in synthesis.findings if not finding.blocking and finding.severity != "info"]
    if shown and not as_json:
        click.echo(report(shown, "text"), err=True)
    files = write(synthesis, out, form=form)
    if as_json:
        rows = [_row(stack, out, form) for stack in synthesis.stacks]
        click.echo(json.dumps({"stacks": rows, "files": [str(path) for path in files]}, indent=2))
        return
    for stack in synthesis.stacks:
        click.echo(f"{out / f'{stack.name}.{form}'}  {len(stack.template['Resources'])} resources")
    checked = "not checked" if no_lint else f"{len(shown)} warnings" if shown else "no findings"
    click.echo(f"{len(synthesis.stacks)} stacks, {synthesis.resources} resources, {checked}")


def _row(stack: Any, out: Path, form: str) -> dict[str, Any]:
    return {
        "name": stack.name,
        "file": str(out / f"{stack.name}.{form}"),
        "resources": len(stack.template["Resources"]),
        "depends_on": sorted(stack.depends_on),
    }
