"""``archlib bootstrap``."""

from __future__ import annotations

import click

from archlib.cli.aws import Asked, aws_options, session


@click.command("bootstrap")
@aws_options
def command(*, asked: Asked) -> None:
    """Make what an account needs once in each region: an encrypted, private bucket for code and large templates.

    It is the stack archlib-bootstrap. Running it again changes nothing. On this machine (--local), deploying does it.

    \b
    Example:
      archlib bootstrap --region eu-west-1
    """
    from archlib.workflow.deployment import bootstrap, deployer_for

    with session(asked, "bootstrap") as here:
        deployer = deployer_for(access=here.access, reporter=here.outlet, stop=here.stop)
        here.outlet.deployment(bootstrap(deployer))
