"""Drift: what was changed outside of CloudFormation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from archlib.core.artifact import StackArtifact
from archlib.core.origin import Origin
from archlib.deploy.calls import ServiceError
from archlib.deploy.cloudformation import is_detecting
from archlib.deploy.deployer import Deployer
from archlib.deploy.existing import Named
from archlib.deploy.plan import adapter, cell, short
from archlib.deploy.redact import MASK, masked
from archlib.deploy.run import Run
from archlib.errors import AwsError, InterruptError, Problem, RunningError

SCHEMA_VERSION = 1
_FASTEST, _SLOWEST = 2.0, 10.0
_LONGEST = 3600.0
_COMPARED = frozenset({"IN_SYNC", "MODIFIED", "DELETED"})
_GONE = frozenset({"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"})


@dataclass(frozen=True, slots=True)
class PropertyDrift:
    """A property that is not as the template says.

    Attributes:
        path: below ``Properties``, such as ``Tags.0.Value``.
        kind: ``added`` is there although the template does not have it, ``removed`` the other way round.
        expected: what the template says; texts as they are, everything else as JSON; ``****`` for secrets.
        actual: what it is.
    """

    path: str
    kind: Literal["added", "removed", "changed"]
    expected: str | None = None
    actual: str | None = None


@dataclass(frozen=True, slots=True)
class ResourceDrift:
    """A resource that is not as the template says.

    Attributes:
        resource: logical id.
        type: such as ``AWS::SQS::Queue``.
        physical_id: id of the real thing.
        status: ``MODIFIED``, or ``DELETED``: it is gone.
        properties: what differs.
        origin: the user's line, where the stack comes from a file.
    """

    resource: str
    type: str
    physical_id: str
    status: Literal["MODIFIED", "DELETED"]
    properties: tuple[PropertyDrift, ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class StackDrift:
    """How far a stack is from its template.

    Attributes:
        stack: its name.
        region: where.
        status: ``UNKNOWN`` if CloudFormation could not tell, ``ABSENT`` if there is no such stack.
        resources: those that are not as the template says.
        compared: how many resources CloudFormation compared.
        unsupported: how many it cannot compare.
        reason: what CloudFormation says if something went wrong.
    """

    stack: str
    region: str
    status: Literal["IN_SYNC", "DRIFTED", "UNKNOWN", "ABSENT"]
    resources: tuple[ResourceDrift, ...] = ()
    compared: int = 0
    unsupported: int = 0
    reason: str = ""

    @property
    def blind(self) -> bool:
        """Return whether CloudFormation cannot compare anything that is in it."""
        return self.status == "IN_SYNC" and self.unsupported > 0 and self.compared == 0


@dataclass(frozen=True, slots=True)
class Drift:
    """How far stacks are from their templates.

    Attributes:
        account: where.
        stacks: in the order in which they were asked for.
    """

    account: str
    stacks: tuple[StackDrift, ...]

    @property
    def drifted(self) -> bool:
        """Return whether anything was changed outside of CloudFormation."""
        return any(stack.status == "DRIFTED" for stack in self.stacks)

    @property
    def certain(self) -> bool:
        """Return whether CloudFormation could tell for every stack."""
        return all(stack.status != "UNKNOWN" for stack in self.stacks)

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data, with a ``schema_version``."""
        return {
            "schema_version": SCHEMA_VERSION,
            "account": self.account,
            "drifted": self.drifted,
            "certain": self.certain,
            "stacks": adapter(StackDrift).dump_python(self.stacks, mode="json"),
        }

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(self.to_data(), indent=2, ensure_ascii=False)

    def to_text(self) -> str:
        """Return it for people to read."""
        return "\n".join(_text(self))

    def to_markdown(self) -> str:
        """Return it as a comment on a pull request, or an issue."""
        return "\n".join(_markdown(self))


def detect(deployer: Deployer, stacks: Sequence[Named]) -> Drift:
    """Return what was changed outside of CloudFormation; nothing is changed.

    All stacks are compared at the same time. CloudFormation does not look into nested stacks.

    Args:
        deployer: of the account.
        stacks: stacks of a file, or names of stacks.

    Raises:
        AwsError: there is no stack of a given name.
        RunningError: the comparison does not come to an end.
        InterruptError: the user stopped.
    """
    work = [_Detection(deployer.run(stack.region), stack) for stack in stacks]
    missing = [each for each in work if each.absent and not isinstance(each.stack, StackArtifact)]
    if missing:
        advice = "correct the name, or give its --region"
        raise AwsError([Problem(f"stack {each.name!r}: does not exist in {each.region}; {advice}") for each in missing])
    _wait(deployer, work)
    return Drift(deployer.identity.account, tuple(each.result() for each in work))


def _wait(deployer: Deployer, work: Sequence[_Detection]) -> None:
    began, pause = deployer.clock.now(), _FASTEST
    while open_ := [each for each in work if not each.step()]:
        names = ", ".join(each.name for each in open_)
        if deployer.stop.requested:
            raise InterruptError(f"stopped while CloudFormation compares {names}; nothing was changed")
        if deployer.clock.now() - began > _LONGEST:
            raise RunningError(f"CloudFormation is still comparing {names}; try again later")
        deployer.clock.sleep(pause)
        pause = min(pause * 1.5, _SLOWEST)


class _Detection:
    """The comparison of one stack."""

    def __init__(self, run: Run, stack: Named) -> None:
        self.stack = stack
        self.name = stack.name
        self.region = run.cloudformation.region
        self._origins: Mapping[str, Origin] = stack.origins if isinstance(stack, StackArtifact) else {}
        self._run = run
        state = run.cloudformation.stack(stack.name)
        self._state = None if state and state.status in _GONE else state
        self._id = ""
        self._status: Any = "ABSENT" if self.absent else "UNKNOWN"
        self._reason = ""

    @property
    def absent(self) -> bool:
        """Return whether there is no such stack."""
        return self._state is None

    def step(self) -> bool:
        """Begin, or look how far it is, and return whether it is over."""
        if self._state is None:
            return True
        if not self._id:
            return self._start(self._state.id)
        answer = self._run.cloudformation.drift_detection(self._id)
        if answer["DetectionStatus"] == "DETECTION_IN_PROGRESS":
            return False
        status = answer.get("StackDriftStatus")
        self._status = status if status in {"IN_SYNC", "DRIFTED"} else "UNKNOWN"
        self._reason = self._run.redact(answer.get("DetectionStatusReason", ""))
        return True

    def _start(self, stack: str) -> bool:
        try:
            self._id = self._run.cloudformation.detect_drift(stack)
        except ServiceError as error:
            # Somebody else's comparison ends soon; other refusals, such as of a stack that is being changed, stay.
            if not is_detecting(error):
                self._reason = self._run.redact(error.message)
                return True
        return False

    def result(self) -> StackDrift:
        """Return what was found."""
        if self._state is None or not self._id:
            return StackDrift(self.name, self.region, self._status, reason=self._reason)
        cloudformation = self._run.cloudformation
        drifts = cloudformation.drifts(self._state.id)
        compared = {item["LogicalResourceId"] for item in drifts if item["StackResourceDriftStatus"] in _COMPARED}
        everything = {each.id for each in cloudformation.resources(self._state.id) if each.status not in _GONE}
        return StackDrift(
            self.name,
            self.region,
            self._status,
            tuple(
                self._resource(item) for item in drifts if item["StackResourceDriftStatus"] in {"MODIFIED", "DELETED"}
            ),
            len(compared),
            len(everything - compared),
            self._reason,
        )

    def _resource(self, item: Mapping[str, Any]) -> ResourceDrift:
        name = item["LogicalResourceId"]
        expected, actual = (
            masked(json.loads(item.get(side) or "{}")) for side in ("ExpectedProperties", "ActualProperties")
        )
        return ResourceDrift(
            name,
            item["ResourceType"],
            item.get("PhysicalResourceId", ""),
            item["StackResourceDriftStatus"],
            tuple(
                PropertyDrift(
                    path := each["PropertyPath"].strip("/").replace("/", "."),
                    _KINDS[each["DifferenceType"]],
                    self._value(path, each.get("ExpectedValue"), expected),
                    self._value(path, each.get("ActualValue"), actual),
                )
                for each in item.get("PropertyDifferences", ())
            ),
            self._origins.get(name),
        )

    def _value(self, path: str, value: str | None, known: Any) -> str | None:
        if value is None or value == "null":
            return None
        there = _at(known, path)
        if isinstance(there, dict | list):  # of the whole, without what is secret in it
            value = json.dumps(there, ensure_ascii=False)
        return MASK if there == MASK else self._run.redact.value(path, value)


_KINDS: Mapping[str, Literal["added", "removed", "changed"]] = {
    "ADD": "added",
    "REMOVE": "removed",
    "NOT_EQUAL": "changed",
}


def _at(node: Any, path: str) -> Any:
    """Return what is at ``path`` in ``node``, or None."""
    for part in path.split("."):
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node


def summary(drift: Drift) -> str:
    """Return it in one line."""
    drifted = [stack for stack in drift.stacks if stack.status == "DRIFTED"]
    unsure = [stack.stack for stack in drift.stacks if stack.status == "UNKNOWN"]
    blind = [stack.stack for stack in drift.stacks if stack.blind]
    unsupported = sum(stack.unsupported for stack in drift.stacks)
    told = f"{len(drifted)} of {len(drift.stacks)} stacks were changed outside of CloudFormation"
    if drifted:
        told += f" ({sum(len(stack.resources) for stack in drifted)} resources)"
    if unsure:
        told += f"; CloudFormation cannot tell for {', '.join(unsure)}"
    if blind:
        told += f"; not compared: {', '.join(blind)}"
    return told + (f"; {unsupported} resources cannot be compared" if unsupported else "")


def _describe(resource: ResourceDrift) -> Iterator[str]:
    for each in resource.properties:
        expected = "(not in the template)" if each.kind == "added" else short(each.expected)
        actual = "(gone)" if each.kind == "removed" else short(each.actual)
        yield f"{each.path}: {expected} -> {actual}"


def _text(drift: Drift) -> Iterator[str]:
    for stack in drift.stacks:
        told = {"IN_SYNC": "as its template says", "DRIFTED": "changed", "UNKNOWN": "unknown", "ABSENT": "not deployed"}
        counts = f", {stack.unsupported} resources cannot be compared" if stack.unsupported else ""
        yield f"{stack.stack}: {'not compared' if stack.blind else told[stack.status]}{counts}"
        for resource in stack.resources:
            where = f"  ({resource.origin})" if resource.origin else ""
            symbol = "-" if resource.status == "DELETED" else "~"
            yield f"  {symbol} {resource.resource}  {resource.type}{where}"
            yield from (f"      {each}" for each in _describe(resource))
        if stack.reason:
            yield f"  {stack.reason}"
    yield summary(drift)


def _markdown(drift: Drift) -> Iterator[str]:
    yield f"### Drift in {drift.account}"
    yield ""
    yield summary(drift)
    for stack in drift.stacks:
        if stack.status == "UNKNOWN":
            yield ""
            yield f"- {stack.stack}: {cell(stack.reason) or 'CloudFormation cannot tell'}"
        if not stack.resources:
            continue
        yield ""
        yield f"**{stack.stack}** ({stack.region})"
        yield ""
        yield "| | Resource | Type | Template -> now |"
        yield "| --- | --- | --- | --- |"
        for resource in stack.resources:
            symbol = "-" if resource.status == "DELETED" else "~"
            what = "<br>".join(cell(each) for each in _describe(resource)) or "deleted"
            yield f"| `{symbol}` | {resource.resource} | {resource.type} | {what} |"
