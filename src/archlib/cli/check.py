"""``archlib check``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from archlib.cli.options import DEFAULT_FILE, counted, regions_option, source_options


@click.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@source_options
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif", "github"]), show_default="text")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@regions_option
def command(
    *,
    files: tuple[Path, ...],
    environment: str | None,
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    form: Literal["text", "json", "sarif", "github"] | None,
    as_json: bool,
    strict: bool,
    regions: tuple[str, ...],
) -> None:
    """Check blueprints, Python files or any CloudFormation templates.

    Exit codes: 0 nothing open, 1 error findings (with --strict also warnings), 2 wrong usage.

    \b
    Example:
      archlib check archlib.yaml --env prod --format github
      archlib check template.yaml other.json
    """
    from archlib.checks.report import report
    from archlib.checks.run import REGIONS, check
    from archlib.errors import UsageError
    from archlib.workflow import read_stacks

    if as_json and form not in {None, "json"}:
        raise UsageError(f"--json is --format json, got --format {form} too; leave one out")
    form = "json" if as_json else form or "text"
    stacks = [
        stack
        for file in files or (Path(DEFAULT_FILE),)
        for stack in read_stacks(file, environment=environment, sets=sets, layout=layout)
    ]
    findings = check(stacks, regions=regions or REGIONS)
    text = report(findings, form)
    if text:
        click.echo(text)
    open_ = [
        finding
        for finding in findings
        if finding.blocking or (strict and not finding.waived and finding.severity == "warning")
    ]
    if form == "text":
        resources = sum(len(stack.template["Resources"]) for stack in stacks)
        click.echo(
            f"{counted(len(stacks), 'stack')}, {counted(resources, 'resource')}, "
            f"{counted(len(findings), 'finding')}, {len(open_)} to fix",
            err=True,
        )
    if open_:
        raise SystemExit(1)
