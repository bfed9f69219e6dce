"""What tests of a robust deployer share: others who meddle, answers that differ, plans that were kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from archlib.core.app import App
from archlib.core.artifact import StackArtifact
from archlib.deploy.clock import Stop
from archlib.deploy.plan import Plan, from_data
from archlib.deploy.reporter import Progress, Report
from archlib.workflow.deployment import Place
from deploying import Bench, artifact, queue

NAME = "shop-dev-data"
SLOWER = queue(VisibilityTimeout=60)
SECRET = {"Password": {"Type": "String", "NoEcho": True}}


def saved(plan: Plan) -> Plan:
    """Return the plan as another machine reads it."""
    return from_data(json.loads(json.dumps(plan.to_data(artifacts=True))))


def place(bench: Bench, *stacks: StackArtifact, **how: Any) -> Place:
    return Place(App("shop", "dev"), stacks, bench.deployer(**how))


def before_ours(bench: Bench, do: Callable[[str], object]) -> None:
    """Do something with the name of the operation before each of our calls gets through."""
    real = bench.fake.call

    def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
        if how.get("caller", "outsider") != "outsider":
            do(operation)
        return real(operation, parameters, **how)

    bench.fake.call = call  # type: ignore[method-assign]


def answering(bench: Bench, change: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """Let every answer be what ``change`` makes of the name of the operation and the real answer."""
    real = bench.fake.call

    def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
        return change(operation, real(operation, parameters, **how))

    bench.fake.call = call  # type: ignore[method-assign]


def others_begin(bench: Bench, stack: StackArtifact, *, kind: str = "UPDATE", **execute: Any) -> None:
    """Let somebody else begin to bring ``stack`` to what it says."""
    parameters = {
        "StackName": stack.name,
        "ChangeSetName": "theirs",
        "ChangeSetType": kind,
        "Capabilities": ["CAPABILITY_AUTO_EXPAND"],
        "TemplateBody": json.dumps(stack.template),
    }
    bench.fake.call("CreateChangeSet", parameters)
    bench.clock.sleep(9)
    bench.fake.call("ExecuteChangeSet", {"StackName": stack.name, "ChangeSetName": "theirs", **execute})


def others_bring(bench: Bench, stack: StackArtifact, *, kind: str = "UPDATE", **execute: Any) -> None:
    """Let somebody else bring ``stack`` to what it says."""
    others_begin(bench, stack, kind=kind, **execute)
    bench.fake.settle()


def stopping(bench: Bench, *, at: str = "") -> Stop:
    """Return what stops a run as soon as something is told about a resource, of the status ``at``."""
    stop = Stop()

    def listen(report: Report) -> None:
        if isinstance(report, Progress) and at in report.event.status:
            stop.request()

    bench.recorder.listener = listen
    return stop


def deaf(bench: Bench) -> None:
    """Let nothing happen any more when something is told."""
    bench.recorder.listener = lambda report: None


def secretive(**resources: Any) -> StackArtifact:
    """Return a stack that is given a password, and shows it in a topic."""
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Password"}}}
    return artifact(parameters=SECRET, **{"Topic": topic, **resources})


def nested(url: str) -> dict[str, Any]:
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}


def upload(bench: Bench, url: str, **resources: Any) -> None:
    """Keep a template for nested stacks at ``url``."""
    bench.fake.upload(url, json.dumps({"Resources": resources}))


def producer(value: str, **resources: Any) -> StackArtifact:
    """Return a stack with the output Size."""
    return artifact(NAME, outputs={"Size": value}, **resources)


def consumer() -> StackArtifact:
    """Return a stack that takes this output."""
    jobs = queue(VisibilityTimeout={"Ref": "Size"})
    return artifact("shop-dev-app", needs={"Size": (NAME, "Size")}, Jobs=jobs)
