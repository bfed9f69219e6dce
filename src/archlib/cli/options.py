"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

DEFAULT_FILE = "archlib.yaml"

file_argument = click.argument("file", default=DEFAULT_FILE, type=click.Path(path_type=Path))
environment_option = click.option("--env", "-e", "environment", metavar="NAME", help="Environment to build.")
sets_option = click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change a setting, such as functions.api.memory_mib=512."
)
layout_option = click.option("--layout", type=click.Choice(["layered", "single"]), help="Instead of the file's layout.")
regions_option = click.option(
    "--region", "-r", "regions", multiple=True, metavar="REGION", help="Region the templates must work in; repeatable."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def counted(number: int, thing: str) -> str:
    """Return ``1 stack`` or ``2 stacks``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every command takes that reads a blueprint or a Python file."""
    for option in (layout_option, sets_option, environment_option):
        command = option(command)
    return command
