"""``archlib build``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from archlib.cli.options import counted, json_option

_FAILED = 30


@click.command("build")
@click.argument("file", default="buildspec.yml", type=click.Path(path_type=Path))
@click.option("--source", type=click.Path(path_type=Path), metavar="DIR", help="Source; default: the file's folder.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where artifacts and reports go.")
@click.option("--env", "-e", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a variable; repeatable.")
@json_option
def command(*, file: Path, source: Path | None, out: Path | None, pairs: tuple[str, ...], as_json: bool) -> None:
    """Run a buildspec of CodeBuild on this machine, without Docker, in a copy of the source.

    Commands run with your rights and your tools. Exit codes: 0 succeeded, 1 the file or the source is wrong, 2 wrong
    usage, 30 the build failed.

    \b
    Example:
      archlib build buildspec.yml --out build --env STAGE=dev
    """
    from archlib.cli.text import clean
    from archlib.errors import UsageError
    from archlib.pipeline.build import build
    from archlib.pipeline.buildspec import parse

    wrong = [pair for pair in pairs if not pair.partition("=")[0] or "=" not in pair]
    if wrong:
        raise UsageError(f"--env must be NAME=VALUE, got {wrong[0]!r}")
    done = build(
        parse(file),
        source=source or file.parent,
        out=out,
        environment=dict(pair.split("=", 1) for pair in pairs),
        log=lambda phase, line: click.echo(f"{phase}  {clean(line)}", err=True),
    )
    if as_json:
        click.echo(json.dumps({"schema_version": 1, "type": "build", **done.to_data()}, indent=2))
    else:
        for phase in done.phases:
            click.echo(f"{phase.name:16}  {phase.status:9}  {phase.seconds:.1f}s")
        for name, value in done.exported.items():
            click.echo(f"exported {clean(name)}={clean(value)}")
        for each in done.artifacts:
            place = f" in {each.folder}" if each.folder else ", not kept: name a folder with --out"
            click.echo(f"artifact {clean(each.name) or 'main'}: {counted(len(each.files), 'file')}{place}")
        for each in done.reports:
            click.echo(f"report {clean(each.identifier)}: {counted(len(each.files), 'file')}, {each.name}")
    for note in done.notes:
        click.echo(f"note: {clean(note)}", err=True)
    if failed := done.failed:
        why = f"{clean(failed.command)} ended with code {failed.exit_code}" if failed.command else "; ".join(failed.log)
        late = " because the time was over" if failed.status == "TIMED_OUT" else ""
        click.echo(f"{click.style('error', fg='red', bold=True)}: {failed.name}: {why}{late}", err=True)
        raise click.exceptions.Exit(_FAILED)
