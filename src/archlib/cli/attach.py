"""``archlib attach``."""

from __future__ import annotations

import click

from archlib.cli.aws import Asked, aws_options, one_stack, stack_argument


@click.command("attach")
@stack_argument
@aws_options
def command(*, stack: str, asked: Asked) -> None:
    """Watch whatever is going on in a stack until it ends; the exit code is that of a deployment.

    \b
    Example:
      archlib attach shop-prod-app
    """
    with one_stack(asked, "attach") as (here, run):
        from archlib.deploy.recover import attach

        here.outlet.result(attach(run, stack))
