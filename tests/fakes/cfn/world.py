"""The world of one account and region: the store, the time, what tests scripted, and how events get written."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from uuid import NAMESPACE_URL, uuid5

from fakes.cfn.parameters import described, meanings
from fakes.cfn.resource_types import NAMES
from fakes.cfn.state import STACK, Event, Resource, Source, Stack, Store
from fakes.cfn.template import Scope, parse
from fakes.errors import validation
from fakes.simulation import Signal, Simulation, Steps

ScriptAction = Literal["CREATE", "UPDATE", "DELETE", "ROLLBACK"]


@dataclass
class Script:
    """What happens to a resource: how long an action takes, and whether it fails or never ends.

    Args:
        stack: the name of the stack, ``None`` for any.
        times: how many times, ``None`` for always.
    """

    logical_id: str
    action: ScriptAction
    takes: float | None = None
    fails: str | None = None
    times: int | None = None
    hangs: bool = False
    stack: str | None = None


@dataclass(eq=False)
class Operation:
    """Something that runs on a stack. Events carry its token and id."""

    stack: Stack
    kind: str
    id: str
    token: str | None
    keep_going: bool = False
    retain_except_on_create: bool = False
    cancelled: bool = False
    signal: Signal = field(default_factory=Signal)
    revert_drift: bool = False
    skip: set[str] = field(default_factory=set)


@dataclass
class Timing:
    """How long things take, in seconds."""

    resource: float = 3.0
    start: float = 1.0
    change_set_pending: float = 1.0
    change_set: float = 2.0
    stack: float = 0.5
    drift: float = 5.0


class Nested(Protocol):
    """What happens to a resource that is a stack; each step returns why it failed, ``None`` if it did not."""

    def add(self, world: World, operation: Operation, resource: Resource) -> str: ...

    def create(self, world: World, operation: Operation, resource: Resource) -> Steps[str | None]: ...

    def update(self, world: World, operation: Operation, resource: Resource) -> Steps[str | None]: ...

    def revert(self, world: World, operation: Operation, resource: Resource) -> Steps[str | None]: ...

    def delete(self, world: World, operation: Operation, resource: Resource) -> Steps[str | None]: ...

    def clean_up(self, world: World, operation: Operation, resource: Resource) -> Steps[bool]: ...

    def abandon(self, world: World, resource: Resource, verb: str, reason: str) -> None: ...


@dataclass
class World:
    """Everything the operations work on.

    Args:
        objects: uploaded templates by URL.
        ssm: parameters of the parameter store.
        bucket_contents: the keys in each bucket; one that has any cannot be deleted.
        attributes: what ``GetAtt`` is, by logical id and attribute.
        organization: accounts by organizational unit.
        instance_failures: why a stack instance fails, by account and region.
        hooks: hooks that refuse a resource, by logical id: the name of the hook and its reason.
        bad_roles: service roles that CloudFormation cannot assume.
        validation_failures: early validations that fail, by logical id: name, path and reason.
        page_size: how many items a page of an answer has.
        incomplete_property_values: whether a change set with property values misses changes, with the warning.
        rollback_deletes: whether RollbackStack deletes a stack that never was stable.
    """

    account: str
    region: str
    simulation: Simulation
    nested: Nested
    store: Store = field(default_factory=Store)
    timing: Timing = field(default_factory=Timing)
    scripts: list[Script] = field(default_factory=list)
    running: dict[str, Operation] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    ssm: dict[str, str] = field(default_factory=dict)
    bucket_contents: dict[str, set[str]] = field(default_factory=dict)
    attributes: dict[tuple[str, str], Any] = field(default_factory=dict)
    organization: dict[str, list[str]] = field(default_factory=dict)
    instance_failures: dict[tuple[str, str], str] = field(default_factory=dict)
    hooks: dict[str, tuple[str, str]] = field(default_factory=dict)
    bad_roles: set[str] = field(default_factory=set)
    validation_failures: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    page_size: int = 100
    incomplete_property_values: bool = False
    rollback_deletes: bool = True
    _ids: Counter[str] = field(default_factory=Counter)

    @property
    def now(self) -> float:
        """The virtual time of what happens now."""
        return self.simulation.now

    def new_id(self, kind: str) -> str:
        """Return the next id of a kind: the same in every run."""
        self._ids[kind] += 1
        return str(uuid5(NAMESPACE_URL, f"{self.account}/{self.region}/{kind}/{self._ids[kind]}"))

    def arn(self, resource: str) -> str:
        """Return a CloudFormation ARN with an id of its own."""
        return f"arn:aws:cloudformation:{self.region}:{self.account}:{resource}/{self.new_id(resource)}"

    def script_for(self, stack: Stack, logical_id: str, action: ScriptAction) -> Script:
        """Return what is scripted for an action, and count it."""
        for script in self.scripts:
            wanted = (script.logical_id, script.action, script.stack or stack.name)
            if wanted == (logical_id, action, stack.name) and script.times != 0:
                if script.times is not None:
                    script.times -= 1
                return script
        return Script(logical_id, action)

    def template_at(self, url: str) -> str:
        """Return an uploaded template.

        Raises:
            ServiceError: there is none at this URL.
        """
        if url not in self.objects:
            raise validation(f"S3 error: The specified key does not exist. ({url})")
        return self.objects[url]

    def described_parameters(self, source: Source) -> list[dict[str, Any]]:
        """Return parameters as answers show them."""
        return described(parse(source.body), source.parameters, self.ssm) if source.parameters else []

    def early_validation(self, change: dict[str, Any]) -> tuple[str, str, str, str] | None:
        """Return what early validation finds wrong with a change: name, path, reason and mode."""
        logical_id = change["LogicalResourceId"]
        if logical_id in self.validation_failures:
            return (*self.validation_failures[logical_id], "FAIL")
        name = NAMES.get(change["ResourceType"], "")
        wanted = json.loads(change.get("AfterContext", "{}")).get("Properties", {}).get(name)
        path = f"/Resources/{logical_id}"
        if change["Action"] == "Add" and isinstance(wanted, str) and wanted in self.store.physical:
            reason = f"Resource of type '{change['ResourceType']}' with identifier '{wanted}' already exists."
            return "NAME_CONFLICT_VALIDATION", f"{path}/Properties/{name}", reason, "FAIL"
        if change["Action"] == "Remove" and self.bucket_contents.get(change.get("PhysicalResourceId", "")):
            return "BUCKET_EMPTINESS_VALIDATION", path, "The bucket is not empty", "WARN"
        return None

    # -- stacks

    def find(self, name_or_id: str) -> Stack | None:
        """Return the stack with this id, or the living one with this name."""
        for stack in reversed(self.store.stacks):
            if name_or_id == stack.id or (name_or_id == stack.name and not stack.gone):
                return stack
        return None

    def get(self, name_or_id: str, missing: str = "Stack with id {} does not exist") -> Stack:
        """Return the stack.

        Raises:
            ServiceError: there is none.
        """
        stack = self.find(name_or_id)
        if stack is None:
            raise validation(missing.format(name_or_id))
        return stack

    def living(self, name_or_id: str) -> Stack:
        """Return a stack that something can be done with.

        Raises:
            ServiceError: there is none.
        """
        stack = self.find(name_or_id)
        if stack is None or stack.gone:
            raise validation(f"Stack [{name_or_id}] does not exist")
        return stack

    def exports(self) -> dict[str, tuple[Stack, str]]:
        """Return all exports: the stack and the value by name."""
        return {
            output["ExportName"]: (stack, output["OutputValue"])
            for stack in self.store.stacks
            if not stack.gone
            for output in stack.outputs
            if "ExportName" in output
        }

    def importers(self, export: str) -> list[str]:
        """Return the names of the stacks that use an export."""
        stacks = [stack for stack in self.store.stacks if not stack.gone and stack.status != "REVIEW_IN_PROGRESS"]
        return [stack.name for stack in stacks if export in self._imports(stack)]

    def _imports(self, stack: Stack) -> list[str]:
        used: list[str] = []
        if "ImportValue" in stack.source.body:
            scope = self.scope(stack, stack.source)
            scope.import_value = used.append
            scope.resolve(list(scope.resources().values()))
            scope.resolve(scope.template.get("Outputs", {}))
        return used

    def scope(self, stack: Stack, source: Source) -> Scope:
        """Return what names mean in a stack while it is made from ``source``."""
        template = parse(source.body)
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Region": self.region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack.name,
            "AWS::StackId": stack.id,
            "AWS::NotificationARNs": source.notification_arns,
        }
        return Scope(
            template,
            meanings(template, source.parameters, self.ssm),
            pseudo,
            lambda name: stack.resources[name].physical_id,
            lambda name, attribute: self.attribute(stack, name, attribute),
            self.import_value,
        )

    def import_value(self, name: str) -> str:
        """Return the value of an export.

        Raises:
            ServiceError: nobody exports it.
        """
        exports = self.exports()
        if name not in exports:
            raise validation(f"No export named {name} found")
        return exports[name][1]

    def attribute(self, stack: Stack, logical_id: str, attribute: str) -> Any:
        """Return an attribute of a resource: scripted, an output of a nested stack, or made up."""
        resource = stack.resources[logical_id]
        if (logical_id, attribute) in self.attributes:
            return self.attributes[logical_id, attribute]
        if resource.type == STACK and attribute.startswith("Outputs."):
            child = self.get(resource.physical_id)
            outputs = {output["OutputKey"]: output["OutputValue"] for output in child.outputs}
            return outputs[attribute.removeprefix("Outputs.")]
        if attribute in resource.properties:
            return resource.properties[attribute]
        if attribute.endswith("Arn"):
            service = resource.type.split("::")[1].lower()
            return f"arn:aws:{service}:{self.region}:{self.account}:{resource.physical_id}"
        return f"{resource.physical_id}.{attribute}"

    def hook_refusal(self, stack: Stack, resource: Resource) -> str | None:
        """Return why a hook refuses a resource, and note its result."""
        if resource.logical_id not in self.hooks:
            return None
        name, reason = self.hooks[resource.logical_id]
        self.store.hook_results.append(
            {
                "HookResultId": self.new_id("hook"),
                "InvocationPoint": "PRE_PROVISION",
                "FailureMode": "FAIL",
                "TypeName": name,
                "Status": "HOOK_COMPLETE_FAILED",
                "HookStatusReason": reason,
                "InvokedAt": self.now,
                "TargetType": "STACK",
                "TargetId": stack.id,
            }
        )
        return f"The following hook(s) failed: [{name}]"

    # -- events

    def stack_event(self, operation: Operation, status: str, reason: str | None = None) -> None:
        """Move the stack to a status, with the event that says so."""
        stack = operation.stack
        stack.status, stack.reason = status, reason
        self._event(operation, self.new_id("event"), STACK, (stack.name, stack.id), status=status, reason=reason)

    def resource_event(self, operation: Operation, resource: Resource, status: str, reason: str | None = None) -> None:
        """Move a resource to a status, with the event that says so."""
        resource.status, resource.reason, resource.updated = status, reason, self.now
        self._event(
            operation,
            f"{resource.logical_id}-{status}-{self.new_id('event')}",
            resource.type,
            (resource.logical_id, resource.physical_id),
            status=status,
            reason=reason,
            properties=json.dumps(resource.properties),
        )

    def _event(
        self,
        operation: Operation,
        event_id: str,
        kind: str,
        names: tuple[str, str],
        *,
        status: str,
        reason: str | None,
        properties: str | None = None,
    ) -> None:
        start, by = (event_id, self.now, *names, kind, status, reason), (operation.token, operation.id, operation.kind)
        operation.stack.events.append(Event(*start, *by, properties))

    def begin(self, stack: Stack, kind: str, token: str | None) -> Operation:
        """Return a new operation on a stack."""
        operation = Operation(stack, kind, self.new_id("operation"), token)
        stack.operations.append((kind, operation.id))
        self.running[stack.id] = operation
        return operation
