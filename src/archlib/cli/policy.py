"""``archlib policy``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from archlib.cli.options import file_argument, source_options


@click.command("policy")
@file_argument
@source_options
@click.option("--for", "who", type=click.Choice(["deployer", "service-role"]), default="deployer", show_default=True)
@click.option("--account", metavar="ID", help="Twelve digits, instead of the target's.")
@click.option("--region", metavar="REGION", help="Instead of the target's.")
@click.option("--service-role", metavar="ARN", help="Role with which CloudFormation works.")
@click.option("--partition", default="aws", show_default=True, help="aws, aws-cn or aws-us-gov.")
@click.option("--bucket", metavar="NAME", help="Bucket for assets, or a pattern.")
@click.option("--empty-buckets", is_flag=True, help="Also allow archlib destroy --empty-buckets.")
@click.option("--rename", is_flag=True, help="Also allow archlib rename.")
@click.option("--stack-set", "stack_sets", multiple=True, metavar="NAME", help="Also allow this stack set; repeatable.")
def command(
    *,
    file: Path,
    environment: str | None,
    sets: tuple[str, ...],
    layout: Literal["layered", "single"] | None,
    who: Literal["deployer", "service-role"],
    account: str | None,
    region: str | None,
    service_role: str | None,
    partition: str,
    bucket: str | None,
    empty_buckets: bool,
    rename: bool,
    stack_sets: tuple[str, ...],
) -> None:
    """Print the IAM policy that a CI job needs, or the role with which CloudFormation works.

    The policy of the deployer is small when it names a --service-role, which makes the resources.

    \b
    Example:
      archlib policy archlib.yaml --env prod --service-role arn:aws:iam::123456789012:role/deploy > policy.json
      archlib policy archlib.yaml --env prod --for service-role
    """
    from archlib.blueprints.load import load
    from archlib.checks.permissions import permissions_of
    from archlib.core.target import Target
    from archlib.deploy.policy import ASSET_BUCKETS, deployer_policy, service_role_policy

    app = load(file, environment=environment, sets=sets, layout=layout)
    first = next(iter(app.targets), Target())
    target = replace(
        first,
        account=account or first.account,
        region=region or first.region,
        service_role=service_role or first.service_role,
    )
    stacks = app.assemble()
    if who == "service-role":
        found = service_role_policy(stacks, permissions_of, target=target, partition=partition)
        several = len(found.documents) > 1
        click.echo(json.dumps(list(found.documents) if several else found.documents[0], indent=2))
        if several:
            click.echo(
                f"warning: {len(found.documents)} policies, of which a role takes ten; attach them all", err=True
            )
        for kind in found.unknown:
            click.echo(f"warning: {kind} does not tell all the actions it needs; add them by hand", err=True)
        return
    document = deployer_policy(
        stacks, target=target, partition=partition, bucket=bucket or ASSET_BUCKETS, empty_buckets=empty_buckets,
        rename=rename, stack_sets=stack_sets,
    )  # fmt: skip
    click.echo(json.dumps(document, indent=2))
    if not target.service_role:
        click.echo("warning: without --service-role, also attach: archlib policy --for service-role", err=True)
