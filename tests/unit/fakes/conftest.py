"""A client in front of a fake, and how to drive a stack through it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config

from fakes import FakeCloudFormation, VirtualClock, attach


@cache
def session() -> Any:
    return boto3.Session("test", "test", region_name="eu-west-1")


def client(service: str = "cloudformation", **settings: Any) -> Any:
    return session().client(service, config=Config(retries={"mode": "standard", "total_max_attempts": 1}), **settings)


@dataclass
class Driver:
    """Does with a stack what a deployer does, one step at a time."""

    clock: VirtualClock = field(default_factory=VirtualClock)

    def __post_init__(self) -> None:
        self.fake = FakeCloudFormation(self.clock)
        self.aws = attach(client(), self.fake)
        self._numbers = 0

    def change_set(self, template: dict[str, Any], kind: str = "UPDATE", name: str = "shop", **more: Any) -> str:
        self._numbers += 1
        source = {"TemplateBody": json.dumps(template)} if "UsePreviousTemplate" not in more else {}
        answer = self.aws.create_change_set(
            StackName=name, ChangeSetName=f"set-{self._numbers}", ChangeSetType=kind, **source, **more
        )
        self.clock.sleep(5)
        return str(answer["Id"])

    def describe(self, change_set: str, **more: Any) -> Any:
        return self.aws.describe_change_set(ChangeSetName=change_set, **more)

    def changes(self, change_set: str) -> dict[str, Any]:
        described = self.describe(change_set, IncludePropertyValues=True)["Changes"]
        return {item["ResourceChange"]["LogicalResourceId"]: item["ResourceChange"] for item in described}

    def deploy(
        self,
        template: dict[str, Any],
        kind: str = "UPDATE",
        name: str = "shop",
        *,
        token: str | None = None,
        **more: Any,
    ) -> str:
        execute = {key: more.pop(key) for key in ("DisableRollback", "RetainExceptOnCreate") if key in more}
        change_set = self.change_set(template, kind, name, **more)
        token = token or f"run-{self._numbers}"
        self.aws.execute_change_set(ChangeSetName=change_set, ClientRequestToken=token, **execute)
        self.fake.settle(3_600)
        return self.status(name)

    def status(self, name: str = "shop") -> str:
        return str(self.fake.stack(name).status)

    def stack(self, name: str = "shop") -> Any:
        return self.aws.describe_stacks(StackName=name)["Stacks"][0]

    def events(self, name: str = "shop") -> list[tuple[str, str]]:
        events = self.aws.describe_stack_events(StackName=name)["StackEvents"]
        return [(item["LogicalResourceId"], item["ResourceStatus"]) for item in reversed(events)]

    def physical(self, logical_id: str, name: str = "shop") -> str:
        return self.fake.stack(name).resources[logical_id].physical_id


@pytest.fixture
def driver() -> Driver:
    return Driver()


def queue(name: str | None = None, **properties: Any) -> dict[str, Any]:
    named = {"QueueName": name} if name else {}
    return {"Type": "AWS::SQS::Queue", "Properties": named | properties}


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}
