"""The main job on the serverless blueprint, and what it did; then the same on this machine, and a call to its API."""

import json
import sys
from collections import Counter
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

from archlib import App, load
from archlib.checks.report import report
from archlib.cli.reporters import choose
from archlib.cli.show import show_deployment
from archlib.core.target import Target
from archlib.deploy import Deployer
from archlib.deploy.aws import Aws
from archlib.deploy.destroy import destroy
from archlib.deploy.drift import detect
from archlib.deploy.plan import Plan
from archlib.local import LocalEngine
from archlib.workflow import synthesize, write
from archlib.workflow.deployment import Place, deploy

ROOT = Path(__file__).parents[1]
FILE = ROOT / "blueprints" / "serverless.yaml"
MOST = 40  # lines of a plan
PASSWORD = "Demo-password-1"  # noqa: S105  (of a customer that exists on this machine only)


def main(*, lifecycle: bool) -> None:
    console = Console(width=120, soft_wrap=True)
    app = load(FILE)
    if not lifecycle:
        build(console, app)
    engine = LocalEngine(ROOT / "out" / "demo" / "engine")
    engine.reset()
    try:
        with choose(quiet=True) as outlet:
            aws = Aws(region="eu-west-1", endpoint=engine.start())
            place = Place(app, app.assemble(), Deployer(target=Target(), aws=aws, reporter=outlet))
            started = perf_counter()
            if lifecycle:
                console.rule("plan and create", align="left")
            _, done = deploy(place, agree=partial(shown, console) if lifecycle else None, lint=False)
            stacks = len(done.results) if done else 0
            console.print(f"deployed {stacks} stacks to {aws.endpoint} in {perf_counter() - started:.1f} s")
            console.print("POST /orders ->", *call(aws, app), markup=False)
            if lifecycle:
                change(console, place)
            else:
                console.print("\nnext: make demo-deploy shows plan, update, drift and destroy, or deploy it yourself:")
                console.print(f"      .venv/bin/archlib deploy {FILE.relative_to(ROOT)} --local")
    finally:
        engine.reset()


def shown(console: Console, plan: Plan) -> bool:
    """Show ``plan``, of a long one the beginning, and agree to it."""
    *rows, summary = plan.to_text().split("\n")
    if len(rows) > MOST:
        rows = [*rows[:MOST], f"      ... {len(rows) - MOST} more lines"]
    console.print(*rows, summary, sep="\n", markup=False, highlight=False)
    return True


def build(console: Console, app: App) -> None:
    """Turn the blueprint into templates."""
    out = ROOT / "out" / "demo"
    started = perf_counter()
    synthesis = synthesize(app)
    files = write(synthesis, out)
    seconds = perf_counter() - started

    table = Table(
        "Stack", "Resources", "Needs", "Template", title=f"{FILE.relative_to(ROOT)}", box=None, title_justify="left"
    )
    for stack in synthesis.stacks:
        needs = ", ".join(name.rsplit("-", 1)[1] for name in sorted(stack.depends_on)) or "-"
        path = out.relative_to(ROOT) / f"{stack.name}.yaml"
        table.add_row(stack.name, str(len(stack.template["Resources"])), needs, str(path))
    console.print(table)
    by_severity = Counter(finding.severity for finding in synthesis.findings)
    findings = ", ".join(f"{by_severity[severity]} {severity}" for severity in ("error", "warning", "info"))
    totals = f"{len(synthesis.stacks)} stacks, {synthesis.resources} resources, {len(files)} files"
    console.print(f"\n{totals} in {seconds:.1f} s")
    console.print(f"findings in us-east-1, eu-west-1 and sa-east-1: {findings}")
    console.print(report(synthesis.findings, "text"), markup=False, highlight=False)
    console.print(f"\nread the templates in {out.relative_to(ROOT)}; now the same on this machine, without an account:")


def call(aws: Aws, app: App) -> tuple[int, str]:
    """Sign a customer in, and order something; return what the API answers."""
    cloudformation = aws.client("cloudformation")
    ids = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for stack in app.assemble()
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
        for each in page["StackResourceSummaries"]
    }
    headers = {"Content-Type": "application/json", "Authorization": sign_in(aws, ids["CustomersUserPool"])}
    connection = HTTPConnection(str(aws.endpoint).removeprefix("http://"), timeout=60)
    path = f"/_aws/execute-api/{ids['StoreRestApi']}/{ids['StoreStage']}/orders"
    connection.request("POST", path, json.dumps({"items": ["tea"]}), headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def sign_in(aws: Aws, pool: str) -> str:
    """Return the token of a new customer."""
    cognito = aws.client("cognito-idp")
    # The client of the shop's own page takes no passwords.
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="demo", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )
    user = {"UserPoolId": pool, "Username": "ada@example.com"}
    cognito.admin_create_user(**user, MessageAction="SUPPRESS", TemporaryPassword=f"{PASSWORD}-0")
    cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
    answer: Any = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=client["UserPoolClient"]["ClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada@example.com", "PASSWORD": PASSWORD},
    )
    return str(answer["AuthenticationResult"]["IdToken"])


def change(console: Console, place: Place) -> None:
    """Plan and carry out an update, change something behind CloudFormation's back, find it, and destroy everything."""
    deployer = place.deployer
    console.rule("a function gets more memory: plan and update", align="left")
    app = load(FILE, sets=["functions.orders.memory_mib=512"])
    changed = Place(app, app.assemble(), deployer)
    _, updated = deploy(changed, agree=partial(shown, console), lint=False)
    if updated:
        show_deployment(updated, console)
    console.rule("somebody changes it by hand: drift", align="left")
    functions = deployer.aws.client("lambda")
    name = next(each["FunctionName"] for each in functions.list_functions()["Functions"] if each["MemorySize"] == 512)  # noqa: PLR2004
    functions.update_function_configuration(FunctionName=name, MemorySize=1024)
    console.print(detect(deployer, changed.stacks).to_text(), markup=False, highlight=False)
    console.rule("destroy, and what stays", align="left")
    done = destroy(deployer, changed.stacks, empty_buckets=True)
    show_deployment(done, console)


if __name__ == "__main__":
    main(lifecycle="--lifecycle" in sys.argv)
