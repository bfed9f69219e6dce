"""``archlib cancel``."""

from __future__ import annotations

import click

from archlib.cli.aws import Asked, aws_options, one_stack, stack_argument


@click.command("cancel")
@stack_argument
@click.option(
    "--delete", is_flag=True, help="A stack that is being created: delete it, which is the only way to stop it."
)
@aws_options
def command(*, stack: str, delete: bool, asked: Asked) -> None:
    """Roll an update back that is running.

    \b
    Example:
      archlib cancel shop-prod-app
    """
    with one_stack(asked, "cancel") as (here, run):
        from archlib.deploy.recover import cancel

        here.outlet.result(cancel(run, stack, delete=delete))
