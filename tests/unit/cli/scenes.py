"""Scripted reports, a clock that is set, and consoles that keep what they show."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import count
from typing import IO, cast

from rich.console import Console

from archlib.core.origin import Origin
from archlib.deploy.deployer import Deployment
from archlib.deploy.models import Failure, PropertyChange, ResourceChange, StackEvent, StackResult
from archlib.deploy.plan import Plan, StackPlan
from archlib.deploy.reporter import Progress
from archlib.errors import DeployError

START = 1_767_225_600.0
EVIL = "\x1b[31m[red]boom[/red]\x1b]8;;http://evil\x07 here\x1b]8;;\x07\nnext\u202eline"
SHOWN = "[red]boom[/red] here nextline"
_ids = count()


@dataclass
class SetClock:
    time: float = START

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class AsciiTerminal(Terminal):
    encoding = "ascii"


def arn(stack: str) -> str:
    return f"arn:aws:cloudformation:eu-west-1:123456789012:stack/{stack}/1"


def progress(
    stack: str,
    resource: str,
    status: str,
    *,
    at: float = 0.0,
    type_: str = "AWS::SQS::Queue",
    reason: str = "",
    inside: str = "",
    physical: str = "p",
    usually: float | None = None,
) -> Progress:
    owner = inside or stack
    event = StackEvent(
        str(next(_ids)), arn(owner), owner, resource, physical, type_, status, reason, START + at
    )  # fmt: skip
    return Progress(stack, event, usually)


def of_stack(stack: str, status: str, *, at: float = 0.0) -> Progress:
    return progress(stack, stack, status, at=at, type_="AWS::CloudFormation::Stack", physical=arn(stack))


def console(width: int = 100, height: int = 30, *, terminal: bool = True, file: io.StringIO | None = None) -> Console:
    return Console(
        file=cast("IO[str]", file or Terminal()), width=width, height=height, force_terminal=terminal,
        color_system="standard" if terminal else None, markup=False, highlight=False, emoji=False, record=True,
        legacy_windows=False,
    )  # fmt: skip


def failure(reason: str = "the circuit breaker was triggered") -> Failure:
    return Failure(
        "web", "Service", "AWS::ECS::Service", reason, START + 10, Origin("/repo/infra/web.py", 42),
        ("task 3f2a stopped: exit 1",), "UPDATE_ROLLBACK_COMPLETE: the version before is in place",
        "run again: archlib deploy", 7, ("Other: no",),
    )  # fmt: skip


def failed(reason: str = "the circuit breaker was triggered") -> DeployError:
    error = DeployError(f"stack 'web': Service: {reason}")
    error.failure = failure(reason)
    result = StackResult("data", "created", {"Url": "https://x.example"}, 62.0, ("Old (q-1): in use",))
    error.deployment = Deployment({"data": result}, {"web": error}, ("edge",), 252.0)
    return error


def plan(value: str = "postgres") -> Plan:
    changes = (
        ResourceChange(
            "replace", "Database", "AWS::RDS::DBInstance", policy="Snapshot",
            properties=(PropertyChange("Engine", "mysql", value, "always"),), origin=Origin("/repo/web.py", 4),
        ),
        ResourceChange("modify", "Service", "AWS::ECS::Service", certain=False,
                       properties=(PropertyChange("Task", cause="TaskDefinition"),)),
        ResourceChange("add", "Jobs", "AWS::SQS::Queue"),
        ResourceChange("remove", "Old", "AWS::SQS::Queue"),
    )  # fmt: skip
    web = StackPlan(
        "web", "eu-west-1", "update", changes, losses=("Database",), widening=("rights: TaskPolicy modify",),
        notes=("somebody else works on it",),
    )  # fmt: skip
    edge = StackPlan("edge", "us-east-1", "create", (ResourceChange("add", "Cdn", "AWS::X::Y"),), estimated=True)
    return Plan("shop", "prod", "123456789012", "eu-west-1", (StackPlan("data", "eu-west-1", "none"), web, edge))
