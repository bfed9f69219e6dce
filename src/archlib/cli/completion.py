"""``archlib completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(*, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      eval "$(archlib completion bash)"
    """
    from archlib.cli.commands import cli

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(cli, {}, "archlib", "_ARCHLIB_COMPLETE").source())
