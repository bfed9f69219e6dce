"""``archlib explain-failure``."""

from __future__ import annotations

from pathlib import Path

import click

from archlib.cli.aws import Asked, aws_options, environments_option, one_stack, stack_argument
from archlib.cli.records import record


@click.command("explain-failure")
@stack_argument
@click.option("--file", type=click.Path(path_type=Path), help="What the stack was made from, for your own lines.")
@environments_option
@aws_options
def command(*, stack: str, file: Path | None, environments: tuple[str, ...], asked: Asked) -> None:
    """Say why the last change of a stack failed; also of a stack that was rolled back or deleted.

    \b
    Example:
      archlib explain-failure shop-prod-app --file archlib.yaml --env prod
    """
    with one_stack(asked, "explain-failure") as (here, run):
        from archlib.blueprints.load import load
        from archlib.cli.jsonlines import failure_data
        from archlib.deploy.inspect import explain_failure
        from archlib.errors import DeployError

        stacks = load(file, environment=environments[0] if environments else None).assemble() if file else ()
        origins = next((each.origins for each in stacks if each.name == stack), {})
        failure = explain_failure(run, stack, origins=origins)
        if asked.as_json:
            click.echo(record("failure", stack=stack, failure=failure_data(failure)))
        elif failure is None:
            click.echo(f"{stack}: nothing failed, as far as AWS remembers")
        else:
            error = DeployError(failure.reason)
            error.failure = failure
            here.outlet.error(error, command=stack)
