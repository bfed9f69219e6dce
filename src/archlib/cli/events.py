"""``archlib events``."""

from __future__ import annotations

import click

from archlib.cli.aws import Asked, aws_options, one_stack, stack_argument
from archlib.cli.records import record


@click.command("events")
@stack_argument
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most events.")
@click.option("--failed", is_flag=True, help="Only what went wrong.")
@aws_options
def command(*, stack: str, limit: int, failed: bool, asked: Asked) -> None:
    """Print what CloudFormation did to a stack, and to those nested in it, oldest first.

    \b
    Example:
      archlib events shop-prod-app --failed
    """
    with one_stack(asked, "events") as (here, run):
        from archlib.cli.jsonlines import event_data
        from archlib.cli.text import clean
        from archlib.deploy.inspect import events
        from archlib.deploy.reporter import Progress, line

        for event in events(run, stack, limit=limit, failed_only=failed):
            if asked.as_json:
                click.echo(record("event", **event_data(event)))
            else:
                here.outlet.console.print(clean(line(Progress(event.stack, event))), soft_wrap=True)
