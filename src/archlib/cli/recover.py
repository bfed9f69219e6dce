"""``archlib recover``."""

from __future__ import annotations

import click

from archlib.cli.aws import Asked, aws_options, one_stack, stack_argument


@click.command("recover")
@stack_argument
@click.option("--skip", multiple=True, metavar="ID", help="Resource to leave as it is: LogicalId, or Nested.LogicalId.")
@click.option("--force", is_flag=True, help="Leave every resource as it is that cannot be rolled back.")
@aws_options
def command(*, stack: str, skip: tuple[str, ...], force: bool, asked: Asked) -> None:
    """Get a stack moving again whose rollback is stuck.

    First the rollback is simply tried again. What still fails is named; it can then be left as it is by --skip, and
    the template and reality differ there. A stack that works is never deleted.

    \b
    Example:
      archlib recover shop-prod-app --skip OrdersTable
    """
    with one_stack(asked, "recover") as (here, run):
        from archlib.deploy.recover import recover

        here.outlet.result(recover(run, stack, skip=skip, force=force))
