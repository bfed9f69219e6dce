"""``archlib stackset``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from archlib.cli.aws import Asked, agree, aws_options, session
from archlib.cli.one import of_file
from archlib.cli.options import file_argument, source_options
from archlib.cli.records import record


@click.group("stackset")
def command() -> None:
    """Carry one stack into many accounts and regions of an organization.

    \b
    Example:
      archlib stackset deploy baseline.py --stack baseline-prod --ous ou-root-1 --regions eu-west-1,us-east-1
    """


@command.command("deploy")
@file_argument
@source_options
@click.option("--stack", "name", required=True, metavar="STACK", help="The stack; the set is named after it.")
@click.option("--accounts", default="", metavar="IDS", help="Accounts, with commas between.")
@click.option("--ous", default="", metavar="IDS", help="Organizational units, with commas between.")
@click.option("--regions", required=True, metavar="REGIONS", help="Regions, in this order, with commas between.")
@click.option("--no-auto-deployment", is_flag=True, help="Accounts that join the units do not get the stack.")
@click.option("--delegated-admin", is_flag=True, help="The caller is not in the management account.")
@click.option("--tolerance", default=0, show_default=True, metavar="PERCENT", help="Accounts that may fail.")
@click.option("--concurrent", default=25, show_default=True, metavar="PERCENT", help="Accounts at a time.")
@click.option("--administration-role", metavar="ARN", help="With accounts alone: role of the administrator.")
@click.option("--execution-role", metavar="NAME", help="With accounts alone: role in each account.")
@click.option("--remove", is_flag=True, help="Delete the stack where it should no longer be.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@aws_options
def deploy(
    *,
    file: Path,
    environment: str | None,
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    name: str,
    accounts: str,
    ous: str,
    regions: str,
    no_auto_deployment: bool,
    delegated_admin: bool,
    tolerance: int,
    concurrent: int,
    administration_role: str | None,
    execution_role: str | None,
    remove: bool,
    yes: bool,
    asked: Asked,
) -> None:
    """Bring a stack of FILE into accounts, or organizational units, and regions.

    \b
    Example:
      archlib stackset deploy baseline.py --stack org-prod-baseline --ous ou-ab12-11111111 --regions eu-west-1
    """
    from archlib.deploy.stacksets import StackSetTarget, deploy_stack_set

    with session(asked, "stackset deploy") as here:
        asked.refuse_local("stackset deploy")
        target = StackSetTarget(
            name,
            _listed(regions),
            accounts=_listed(accounts),
            ous=_listed(ous),
            auto_deployment=not no_auto_deployment,
            delegated_admin=delegated_admin,
            failure_tolerance_percent=tolerance,
            max_concurrent_percent=concurrent,
            administration_role=administration_role,
            execution_role=execution_role,
        )
        source = {"environment": environment, "sets": sets, "layout": layout}
        deployer, stack = of_file(here, file, name, confirmed=False, **source)
        where = ", ".join((*target.ous, *target.accounts))
        if agree(
            here.outlet, app=name, yes=yes, named=None, protected=deployer.target.protected,
            local=bool(deployer.aws.endpoint), what=f"Deploy {name} to {where} in {', '.join(target.regions)}?",
        ):  # fmt: skip
            result = deploy_stack_set(deployer, stack, target, remove=remove)
            click.echo(record("stackset", **result.to_data()) if asked.as_json else result.to_text())


@command.command("destroy")
@click.argument("name", metavar="NAME")
@click.option("--retain", is_flag=True, help="Keep the stacks, without the set.")
@click.option("--delegated-admin", is_flag=True, help="The caller is not in the management account.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@aws_options
def destroy(*, name: str, retain: bool, delegated_admin: bool, yes: bool, asked: Asked) -> None:
    """Delete a stack set, and its stacks in all accounts and regions.

    \b
    Example:
      archlib stackset destroy org-prod-baseline
    """
    from archlib.deploy.stacksets import destroy_stack_set
    from archlib.workflow.deployment import deployer_for

    with session(asked, "stackset destroy") as here:
        asked.refuse_local("stackset destroy")
        deployer = deployer_for(access=here.access, reporter=here.outlet, stop=here.stop)
        if agree(
            here.outlet, app=name, yes=yes, named=None, protected=False, local=bool(deployer.aws.endpoint),
            what=f"Delete {name}{'' if retain else ' and its stacks in all accounts'}?",
        ):  # fmt: skip
            result = destroy_stack_set(deployer, name, retain=retain, delegated_admin=delegated_admin)
            click.echo(record("stackset", **result.to_data()) if asked.as_json else result.to_text())


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
