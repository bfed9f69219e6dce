"""What tests of the deployer share: a deployer in front of a fake, and templates to deploy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from archlib.core.artifact import ParameterSource, StackArtifact
from archlib.core.target import Target
from archlib.deploy.aws import Aws, Identity
from archlib.deploy.deployer import Deployer
from archlib.deploy.models import StackEvent
from archlib.deploy.reporter import Note, Progress, Report
from archlib.deploy.run import Options, Run
from fakes import Actor, FakeCloudFormation, VirtualClock, attach

ACCOUNT, REGION = "123456789012", "eu-west-1"


@cache
def session() -> Any:
    return boto3.Session("test", "test", region_name=REGION)


class FakeAws(Aws):
    """An account whose CloudFormation is a fake.

    Args:
        fake: the fake.
        actor: whose calls these are, where the order of actors matters.
        others: clients of other services.
    """

    def __init__(self, fake: FakeCloudFormation, actor: Actor | None = None, **others: Any) -> None:
        super().__init__(region=REGION, endpoint="http://fake.test")
        self._fake, self._actor, self._others = fake, actor, others
        self._made: Any = None
        self.renewed = 0
        self.on_renew: Callable[[], object] = lambda: None

    def client(self, service: str, region: str | None = None) -> Any:
        if service != "cloudformation":
            return self._others[service]
        with self._lock:
            if self._made is None:
                config = Config(retries={"total_max_attempts": 1})
                self._made = attach(session().client(service, config=config), self._fake, self._actor)
            return self._made

    def identity(self) -> Identity:
        return Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/tester", "aws")

    def renew(self) -> None:
        self.renewed += 1
        self.on_renew()


@dataclass
class Recorder:
    """A reporter that remembers."""

    answer: bool = False
    reports: list[Report] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    listener: Callable[[Report], object] = lambda report: None

    def notify(self, report: Report) -> None:
        self.reports.append(report)
        self.listener(report)

    def confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer

    @property
    def notes(self) -> str:
        return "\n".join(report.text for report in self.reports if isinstance(report, Note))

    def events(self, status: str = "") -> list[StackEvent]:
        found = [report.event for report in self.reports if isinstance(report, Progress)]
        return [event for event in found if status in event.status]


class Bench:
    """A fake CloudFormation, a deployer in front of it, and what was told."""

    def __init__(self, folder: Path, *, clock: Any = None) -> None:
        self.clock = clock or VirtualClock()
        self.fake = FakeCloudFormation(self.clock)
        self.folder = folder
        self.recorder = Recorder()
        self.others: dict[str, Any] = {}
        self.aws = FakeAws(self.fake)

    def deployer(
        self, *, options: Options | None = None, target: Target | None = None, actor: Actor | None = None, **more: Any
    ) -> Deployer:
        aws = FakeAws(self.fake, actor, **self.others) if actor or self.others else self.aws
        self.aws = aws
        return Deployer(
            target=target, aws=aws, reporter=self.recorder, options=options, clock=actor or self.clock,
            journal=self.folder, **more,
        )  # fmt: skip

    def deploy(self, *stacks: StackArtifact, **how: Any) -> Any:
        return self.deployer(**how).deploy(stacks)

    def run(self, **how: Any) -> Run:
        return self.deployer(**how).run()

    def status(self, name: str) -> str:
        return str(self.fake.stack(name).status)

    def left_behind(self) -> list[str]:
        """Return the change sets of ours that could still be executed, and the shells of stacks."""
        found = []
        for stack in self.fake.world.store.stacks:
            if stack.gone:
                continue
            if stack.status == "REVIEW_IN_PROGRESS":
                found.append(stack.name)
            summaries = self.fake.call("ListChangeSets", {"StackName": stack.id})["Summaries"]
            found += [
                item["ChangeSetName"]
                for item in summaries
                if item.get("ExecutionStatus") in {"AVAILABLE", "UNAVAILABLE"}
            ]
        return found


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", **({"Properties": properties} if properties else {})}


def table(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            **properties,
        },
    }


def artifact(
    name: str = "shop-dev-data",
    *,
    outputs: Mapping[str, Any] | None = None,
    needs: Mapping[str, tuple[str, str]] | None = None,
    parameters: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    **resources: Any,
) -> StackArtifact:
    """Return a stack.

    Args:
        name: its name.
        outputs: name -> value.
        needs: parameter -> the stack and the output it comes from.
        parameters: parameters the user gives.
        tags: its tags.
        **resources: logical id -> resource; one queue by default.
    """
    needs = needs or {}
    declared = {**{each: {"Type": "String"} for each in needs}, **(parameters or {})}
    template: dict[str, Any] = {"Resources": resources or {"Jobs": queue()}}
    if declared:
        template["Parameters"] = declared
    if outputs:
        template["Outputs"] = {each: {"Value": value} for each, value in outputs.items()}
    return StackArtifact(
        name=name,
        template=template,
        tags=tags or {"app": "shop", "environment": "dev"},
        parameters={each: ParameterSource("output", stack, output) for each, (stack, output) in needs.items()},
        depends_on=frozenset(stack for stack, _ in needs.values()),
    )


def changed(stack: StackArtifact, **resources: Any) -> StackArtifact:
    """Return ``stack`` with other resources; None removes one."""
    merged = {**stack.template["Resources"], **resources}
    kept = {name: resource for name, resource in merged.items() if resource is not None}
    return replace(stack, template={**stack.template, "Resources": kept})
