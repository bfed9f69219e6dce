"""What the deployer knows about stacks, as frozen, plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from archlib.core.origin import Origin
from archlib.deploy.redact import MASK, is_secret_name

COMPLETE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
"""Statuses of a stack whose last change worked."""

UPDATABLE = COMPLETE | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
"""Statuses from which a stack takes another change."""

CLEANING = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
"""The new version is live, what it replaced is being deleted."""


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack as CloudFormation describes it.

    Attributes:
        name: physical name.
        id: ARN; a stack that is created again under the same name has another one.
        status: CloudFormation's word, such as ``UPDATE_COMPLETE``.
        reason: why it is so, if CloudFormation says.
        changed: when it last changed, ISO 8601; differs after any update.
        parameters: values; those with NoEcho are ``****``.
        outputs: name -> value.
        tags: stack tags.
        role: ARN of the service role that sticks to it.
        notifications: ARNs of the topics that are told of its events.
        protected: termination protection is on.
        rollback_alarms: ARNs of the alarms that roll its changes back.
        parent: ARN of the stack it is nested in.
        drift: what the last detection of drift found: ``IN_SYNC``, ``DRIFTED`` ..., if there was one.
    """

    name: str
    id: str
    status: str
    reason: str = ""
    changed: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    role: str | None = None
    notifications: tuple[str, ...] = ()
    protected: bool = False
    rollback_alarms: tuple[str, ...] = ()
    parent: str | None = None
    drift: str = ""

    @property
    def busy(self) -> bool:
        """Return whether an operation is going on; a stack in review has none."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One line of what CloudFormation did.

    Attributes:
        id: unique.
        stack_id: ARN of the stack, which may be a nested one.
        stack: its name.
        resource: logical id; the stack's own name for the stack itself.
        physical_id: id of the real thing.
        type: such as ``AWS::SQS::Queue``.
        status: such as ``CREATE_FAILED``.
        reason: why.
        time: seconds since 1970.
        token: of whoever started the operation.
    """

    id: str
    stack_id: str
    stack: str
    resource: str
    physical_id: str
    type: str
    status: str
    reason: str
    time: float
    token: str = ""

    @property
    def of_stack(self) -> bool:
        """Return whether it tells of the stack itself."""
        return self.physical_id == self.stack_id

    @property
    def failed(self) -> bool:
        """Return whether something went wrong."""
        return self.status.endswith("_FAILED")


OUTSIDE = "changed outside of CloudFormation"
"""Cause of a change that only brings back what the stack had."""


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """A property that changes.

    Attributes:
        path: below ``Properties``, or ``Tags``, ``DeletionPolicy`` ...
        before: its value now, if it is known.
        after: its value then, if it is known.
        recreates: whether the change replaces the resource.
        cause: what makes it change, such as the logical id of another resource, if CloudFormation says.
    """

    path: str
    before: str | None = None
    after: str | None = None
    recreates: Literal["never", "maybe", "always"] = "never"
    cause: str = ""


Action = Literal["add", "modify", "replace", "remove", "import", "sync", "unknown"]


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What happens to one resource.

    Attributes:
        action: ``replace`` also when CloudFormation only knows during the deployment, see ``certain``; ``sync`` brings
            back what was changed outside of CloudFormation.
        resource: logical id; ``Outer/Inner`` inside nested stacks.
        type: such as ``AWS::SQS::Queue``.
        physical_id: id of the real thing, if there is one.
        certain: False if a replacement depends on values that are known only then.
        policy: what happens to the old thing: ``Delete``, ``Retain``, ``Snapshot`` ...
        properties: what changes in it.
        origin: the user's line.
    """

    action: Action
    resource: str
    type: str
    physical_id: str = ""
    certain: bool = True
    policy: str = ""
    properties: tuple[PropertyChange, ...] = ()
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set as CloudFormation describes it.

    Attributes:
        id: ARN.
        name: its name.
        stack_id: ARN of the stack.
        status: ``CREATE_COMPLETE``, ``FAILED`` ...
        execution: ``AVAILABLE``, ``OBSOLETE`` ...
        reason: why it failed.
        changes: of the stack and of those nested in it.
    """

    id: str
    name: str
    stack_id: str
    status: str
    execution: str
    reason: str = ""
    changes: tuple[ResourceChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that a stack has.

    Attributes:
        id: logical id.
        physical_id: id of the real thing.
        type: such as ``AWS::SQS::Queue``.
        status: such as ``CREATE_COMPLETE``.
        reason: why it is so.
    """

    id: str
    physical_id: str
    type: str
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a stack failed.

    Attributes:
        stack: name of the stack in which it happened, which may be a nested one.
        resource: logical id; empty if the stack as a whole was refused.
        type: its type.
        reason: what AWS says.
        time: seconds since 1970.
        origin: the user's line.
        evidence: what else is known: a container's last words, a hook's advice.
        state: what state the stack is in now and what that means.
        next: what to do.
        cancelled: how many other resources were given up because of this.
        others: further failures of the same operation, in short.
    """

    stack: str
    resource: str
    type: str
    reason: str
    time: float = 0.0
    origin: Origin | None = None
    evidence: tuple[str, ...] = ()
    state: str = ""
    next: str = ""
    cancelled: int = 0
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StackResult:
    """What became of one stack.

    Attributes:
        stack: its name.
        action: ``created``, ``updated``, ``unchanged``, ``deleted`` ...
        outputs: its outputs now.
        seconds: how long it took.
        orphans: things that CloudFormation could not delete and no longer knows.
        left: what was left as it was, each with why: kept when its stack went, or skipped in a rollback.
        told: names of the outputs that are for people; None: all.
        secret: names of the outputs that nobody should see.
        cleaning: ARN of the stack while what an update replaced is still being deleted.
    """

    stack: str
    action: Literal["created", "updated", "imported", "unchanged", "deleted", "absent", "recovered", "cancelled"]
    outputs: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    orphans: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    told: tuple[str, ...] | None = None
    secret: frozenset[str] = frozenset()
    cleaning: str = ""

    @property
    def shown(self) -> dict[str, str]:
        """Return the outputs without secrets."""
        return {
            name: MASK if name in self.secret or is_secret_name(name) else value for name, value in self.outputs.items()
        }
