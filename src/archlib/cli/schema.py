"""``archlib schema``."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("schema")
@click.option("--out", "-o", type=click.Path(path_type=Path), help="File to write; standard output by default.")
def command(*, out: Path | None) -> None:
    """Write the JSON Schema of blueprint files, which editors use to complete and check them.

    \b
    Example:
      archlib schema --out blueprints/schema.json
    """
    from archlib.blueprints.load import schema
    from archlib.errors import OutputError

    text = json.dumps(schema(), indent=2, ensure_ascii=False)
    if out is None:
        click.echo(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"file {str(out)!r}: cannot be written: {error.strerror}; choose another one") from None
    click.echo(f"{out}", err=True)
