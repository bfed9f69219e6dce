"""``archlib outputs``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click

from archlib.cli.aws import Asked, aws_options, environments_option, existing, names_option, session
from archlib.cli.options import layout_option, sets_option
from archlib.cli.records import record


@click.command("outputs")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@environments_option
@sets_option
@layout_option
@names_option
@click.option("--format", "form", type=click.Choice(["table", "json", "env"]), default="table", show_default=True)
@click.option("--all", "everything", is_flag=True, help="Also what the stacks tell each other.")
@aws_options
def command(
    *,
    file: Path | None,
    environments: tuple[str, ...],
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    names: tuple[str, ...],
    form: Literal["table", "json", "env"],
    everything: bool,
    asked: Asked,
) -> None:
    """Print the outputs of the stacks: addresses, names.

    Secrets are masked, and left out of the environment file.

    \b
    Example:
      archlib outputs archlib.yaml --env prod --format env > .env.prod
    """
    from archlib.core.artifact import StackArtifact
    from archlib.deploy.inspect import Outputs, outputs

    with session(asked, "outputs") as here:
        rows = []
        for deployer, stacks in existing(here, file, environments=environments, sets=sets, layout=layout, names=names):
            told = {
                stack.name: stack.results for stack in stacks if isinstance(stack, StackArtifact) and not everything
            }
            rows += [
                row for row in outputs(deployer, stacks).rows if row.stack not in told or row.name in told[row.stack]
            ]
        found = Outputs(tuple(rows))
        if asked.as_json:
            for row in found.rows:
                click.echo(record("output", **asdict(row)))
        elif form == "json":
            click.echo(json.dumps(found.to_data(), indent=2, ensure_ascii=False))
        elif form == "env":
            click.echo(found.to_env(), nl=False)
        else:
            width = max((len(f"{row.stack}.{row.name}") for row in rows), default=0)
            for row in rows:
                click.echo(f"{f'{row.stack}.{row.name}':{width}}  {row.value}")
