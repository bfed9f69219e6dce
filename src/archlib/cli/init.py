"""``archlib init``."""

from __future__ import annotations

from pathlib import Path

import click

from archlib.cli.options import DEFAULT_FILE


@click.command("init")
@click.argument("blueprint", default="serverless")
@click.argument("folder", default=".", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--app", "app", metavar="NAME", default="my-app", show_default=True, help="Name of the app, kebab-case.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def command(*, blueprint: str, folder: Path, app: str, force: bool) -> None:
    """Write a commented blueprint file to start from, with every setting.

    \b
    Example:
      archlib init serverless shop --app shop
    """
    from archlib.blueprints.registry import blueprint as find
    from archlib.blueprints.starter import starter
    from archlib.core.naming import check_name
    from archlib.core.origin import Origin, at
    from archlib.errors import OutputError

    with at(Origin("--app", 0)):
        check_name(app, "app")
    text = starter(find(blueprint), app)
    file = folder / DEFAULT_FILE
    if file.exists() and not force:
        raise OutputError(f"file {str(file)!r}: exists already; choose another folder, or replace it with --force")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"file {str(file)!r}: cannot be written: {error.strerror}; choose another folder") from None
    click.echo(str(file))
    click.echo(f"next: archlib synth {file}" if folder != Path() else "next: archlib synth", err=True)
