"""What the fake remembers: stacks, their resources, change sets and events. Plain data, so that it can be copied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

STACK = "AWS::CloudFormation::Stack"


@dataclass
class Event:
    """One stack event."""

    id: str
    time: float
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None
    token: str | None
    operation_id: str
    operation_type: str
    properties: str | None = None


@dataclass
class Problem:
    """A failed validation of a change set, as DescribeEvents tells it."""

    id: str
    time: float
    operation_id: str
    logical_id: str
    type: str
    name: str
    reason: str
    path: str
    mode: str = "FAIL"


@dataclass
class Resource:
    """One resource: ``properties`` are what CloudFormation set, ``actual`` what somebody else made of them."""

    logical_id: str
    type: str
    definition: dict[str, Any]
    physical_id: str = ""
    status: str = ""
    reason: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    updated: float = 0.0
    actual: dict[str, Any] | None = None
    deleted_outside: bool = False
    drift_status: str = "NOT_CHECKED"

    @property
    def exists(self) -> bool:
        """Whether the stack has a thing behind it."""
        return bool(self.physical_id) and self.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")


@dataclass
class Source:
    """What a stack is made from."""

    body: str = "{}"
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)
    rollback_configuration: dict[str, Any] = field(default_factory=dict)


@dataclass
class ChangeSet:
    """A change set and, once computed, its changes."""

    name: str
    id: str
    kind: str
    source: Source
    created: float
    token: str | None
    fingerprint: str
    description: str | None = None
    role_arn: str | None = None
    status: str = "CREATE_PENDING"
    execution_status: str = "UNAVAILABLE"
    reason: str | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    on_stack_failure: str | None = None
    include_nested: bool = False
    import_existing: bool = False
    deployment_mode: str | None = None
    deployment_config: dict[str, Any] | None = None
    imports: dict[str, str] = field(default_factory=dict)
    parent_id: str | None = None
    root_id: str | None = None
    operation_id: str = ""
    problems: list[Problem] = field(default_factory=list)


@dataclass
class Baseline:
    """The last stable state: where a rollback goes."""

    source: Source
    resources: dict[str, Resource]
    outputs: list[dict[str, Any]]


@dataclass
class Stack:
    """One stack, until for ever: a deleted one still answers by id."""

    name: str
    id: str
    created: float
    status: str = "REVIEW_IN_PROGRESS"
    reason: str | None = None
    updated: float | None = None
    deleted: float | None = None
    source: Source = field(default_factory=Source)
    role_arn: str | None = None
    outputs: list[dict[str, Any]] = field(default_factory=list)
    change_set_id: str | None = None
    parent_id: str | None = None
    root_id: str | None = None
    protected: bool = False
    policy: str | None = None
    disable_rollback: bool = False
    retain_except_on_create: bool = False
    deletion_mode: str | None = None
    drift_status: str = "NOT_CHECKED"
    drift_checked: float | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    leftovers: list[Resource] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    change_sets: list[ChangeSet] = field(default_factory=list)
    operations: list[tuple[str, str]] = field(default_factory=list)
    baseline: Baseline | None = None
    stuck: list[str] = field(default_factory=list)
    shell_of: str | None = None  # the resource of the parent that a nested change set made this for

    @property
    def gone(self) -> bool:
        """Whether it answers only by its id."""
        return self.status == "DELETE_COMPLETE"

    @property
    def busy(self) -> bool:
        """Whether an operation runs on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass
class StackSet:
    """A stack set with its instances: (account, region) to status."""

    name: str
    id: str
    source: Source
    description: str | None
    options: dict[str, Any]
    status: str = "ACTIVE"
    instances: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Store:
    """Everything of one account and region."""

    stacks: list[Stack] = field(default_factory=list)
    detections: dict[str, dict[str, Any]] = field(default_factory=dict)
    refactors: dict[str, dict[str, Any]] = field(default_factory=dict)
    stack_sets: list[StackSet] = field(default_factory=list)
    hook_results: list[dict[str, Any]] = field(default_factory=list)
    physical: dict[str, str] = field(default_factory=dict)  # live physical id to its type
