"""What is known of a deployment while it goes on, from the reports alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from archlib.deploy.models import Failure, StackEvent, StackResult
from archlib.deploy.plan import Plan
from archlib.deploy.reporter import Began, Ended, Note, Progress, Report, Waiting

NESTED = "AWS::CloudFormation::Stack"
_SLOW_FACTOR, _SLOW_SECONDS = 1.5, 15.0

Phase = Literal["active", "done", "failed", "cancelled", "unknown"]


@dataclass(frozen=True, slots=True)
class Heading:
    """What is deployed where.

    Attributes:
        app: its name.
        environment: its environment.
        account: twelve digits.
        region: where.
        role: short name of who does it.
        stacks: names of the stacks that will be worked on, each with its number of changes.
        expected: seconds that it took before (the median), if that is known.
        runs: how many earlier runs that is the median of.
    """

    app: str = ""
    environment: str = ""
    account: str = ""
    region: str = ""
    role: str = ""
    stacks: Mapping[str, int] = field(default_factory=dict)
    expected: float | None = None
    runs: int = 0

    @classmethod
    def of(cls, plan: Plan, *, arn: str = "", expected: float | None = None, runs: int = 0) -> Heading:
        """Return the heading of ``plan``.

        Args:
            plan: what will be done.
            arn: of who does it.
            expected: seconds that it took before (the median), if that is known.
            runs: how many earlier runs that is the median of.
        """
        stacks = {stack.stack: len(stack.changes) for stack in plan.stacks if stack.action != "none"}
        return cls(plan.app, plan.environment, plan.account, plan.region, short_name(arn), stacks, expected, runs)


def short_name(arn: str) -> str:
    """Return the name of the role or user that ``arn`` means."""
    kind, _, rest = arn.rsplit(":", maxsplit=1)[-1].partition("/")
    return rest.split("/")[0] if kind == "assumed-role" else rest.split("/")[-1] or kind


@dataclass(slots=True)
class Resource:
    """One resource, as its last event tells."""

    name: str
    type: str
    stack_id: str
    status: str
    phase: Phase
    began: float
    physical_id: str = ""
    ended: float | None = None
    usually: float | None = None
    reason: str = ""
    failure: str = ""

    def seconds(self, now: float) -> float:
        """Return how long the last step has taken so far, or took."""
        return max(0.0, (now if self.ended is None else self.ended) - self.began)

    def slow(self, now: float) -> bool:
        """Return whether it takes longer than it did."""
        usually = self.usually
        return (
            self.phase == "active"
            and usually is not None
            and self.seconds(now) > usually * _SLOW_FACTOR + _SLOW_SECONDS
        )

    @property
    def nested(self) -> bool:
        """Return whether it is a stack of its own."""
        return self.type == NESTED


@dataclass(slots=True)
class Stack:
    """One stack, with those nested in it."""

    name: str
    began: float
    action: str = ""
    changes: int = 0
    status: str = ""
    ended: float | None = None
    result: StackResult | None = None
    failure: Failure | None = None
    text: str = ""
    resources: dict[tuple[str, str], Resource] = field(default_factory=dict)
    hints: dict[str, str] = field(default_factory=dict)
    done: set[tuple[str, str]] = field(default_factory=set)

    @property
    def state(self) -> Literal["active", "done", "failed", "skipped"]:
        """Return how far it is."""
        if self.ended is None:
            return "active"
        if self.result is not None:
            return "done"
        return "skipped" if self.failure is None and self.text.startswith("skipped") else "failed"

    @property
    def total(self) -> int:
        """Return how many resources change, as far as that is known."""
        return max(self.changes, len(self.resources))

    @property
    def finished(self) -> int:
        """Return how many resources have changed."""
        return self.total if self.result is not None else len(self.done)

    @property
    def failures(self) -> list[Resource]:
        """Return the resources that failed by themselves."""
        failed = [resource for resource in self.resources.values() if resource.failure]
        return [resource for resource in failed if not resource.nested] or failed


class Board:
    """Takes the reports of a run, and knows how far it is.

    Args:
        heading: what is deployed where.
        now: seconds since 1970.
    """

    def __init__(self, heading: Heading, now: float) -> None:
        self.heading = heading
        self.began = now
        self.stacks: dict[str, Stack] = {}
        self.notes: list[Note] = []

    @property
    def waiting(self) -> list[str]:
        """Return the names of the stacks that have not begun."""
        return [name for name in self.heading.stacks if name not in self.stacks]

    @property
    def total(self) -> int:
        """Return how many resources change, as far as that is known."""
        planned = sum(self.heading.stacks[name] for name in self.waiting)
        return planned + sum(stack.total for stack in self.stacks.values())

    @property
    def finished(self) -> int:
        """Return how many resources have changed."""
        return sum(stack.finished for stack in self.stacks.values())

    @property
    def failed(self) -> int:
        """Return how many resources failed; of a stack that failed without one, the stack."""
        return sum(len(stack.failures) or stack.state == "failed" for stack in self.stacks.values())

    def take(self, report: Report, now: float) -> None:
        """Take note of ``report``."""
        match report:
            case Began(name, action, changes):
                planned = self.heading.stacks.get(name, 0)
                self.stacks[name] = Stack(name, now, action, changes or planned)
            case Progress(name, event, usually):
                self._progress(self._stack(name, now), event, usually)
            case Note(name, text):
                resource, colon, hint = text.partition(": ")
                stack = self.stacks.get(name)
                if colon and stack and any(resource == each.name for each in stack.resources.values()):
                    stack.hints[resource] = hint
                elif report not in self.notes:
                    self.notes.append(report)
            case Waiting(name):
                self._stack(name, now)
            case Ended(name, result, failure, text):
                stack = self._stack(name, now)
                stack.ended, stack.result, stack.failure, stack.text = now, result, failure, text

    def _stack(self, name: str, now: float) -> Stack:
        if name not in self.stacks:
            self.stacks[name] = Stack(name, now, changes=self.heading.stacks.get(name, 0))
        return self.stacks[name]

    def _progress(self, stack: Stack, event: StackEvent, usually: float | None) -> None:
        if event.of_stack:
            if event.stack == stack.name:
                stack.status = event.status
            return
        key = event.stack_id, event.resource
        phase, before = phase_of(event.status, event.reason), stack.resources.get(key)
        resource = before
        if resource is None or (phase == "active" and before is not None and before.phase != "active"):
            failure = before.failure if before else ""
            resource = Resource(
                event.resource, event.type, event.stack_id, event.status, phase, event.time,
                physical_id=before.physical_id if before else "", failure=failure,
            )  # fmt: skip
            stack.resources[key] = resource
        resource.status, resource.phase, resource.reason = event.status, phase, event.reason
        resource.physical_id = event.physical_id or resource.physical_id
        resource.usually = usually if usually is not None else resource.usually
        resource.ended = event.time if phase in {"done", "failed", "cancelled"} else None
        if phase == "failed" and not resource.failure:
            resource.failure = event.reason or event.status
        if phase == "done":
            stack.done.add(key)


def phase_of(status: str, reason: str = "") -> Phase:
    """Return what ``status`` of a resource means."""
    if status.endswith("_IN_PROGRESS"):
        return "active"
    if status.endswith(("_COMPLETE", "_SKIPPED")):
        return "done"
    if status.endswith("_FAILED"):
        return "cancelled" if "cancelled" in reason.lower() else "failed"
    return "unknown"
