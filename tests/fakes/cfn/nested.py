"""Nested stacks: what happens to a resource that is a stack."""

from __future__ import annotations

from typing import Any

from fakes.cfn import operations
from fakes.cfn.parameters import given_values
from fakes.cfn.requests import check_capabilities
from fakes.cfn.state import Resource, Source, Stack
from fakes.cfn.template import parse
from fakes.cfn.world import Operation, World
from fakes.errors import ServiceError
from fakes.simulation import Steps


def source_of(world: World, parent: Source, properties: dict[str, Any]) -> Source:
    """Return what a nested stack is made from.

    Raises:
        ServiceError: its template is missing or wrong, or its parameters are.
    """
    body = world.template_at(properties["TemplateURL"])
    check_capabilities(parse(body), parent.capabilities)
    given = [
        {"ParameterKey": name, "ParameterValue": ",".join(value) if isinstance(value, list) else str(value)}
        for name, value in properties.get("Parameters", {}).items()
    ]
    values = given_values(parse(body), given, {}, updating=False)
    tags = {**parent.tags, **{tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}}
    return Source(body, values, tags, parent.capabilities, properties.get("NotificationARNs", []))


def shell_name(world: World, parent: Stack, logical_id: str) -> str:
    """Return the name of a new nested stack."""
    return f"{parent.name}-{logical_id}-{world.new_id('physical').replace('-', '')[:12].upper()}"


class NestedStacks:
    """Carries the life of a nested stack out; its parent decides when it is rolled back or cleaned up."""

    def add(self, world: World, operation: Operation, resource: Resource) -> str:
        """Add the nested stack, not yet begun, and return its id."""
        parent = operation.stack
        for stack in world.store.stacks:
            if (stack.parent_id, stack.shell_of) == (parent.id, resource.logical_id):
                stack.shell_of = None
                return stack.id
        name = shell_name(world, parent, resource.logical_id)
        root_id = parent.root_id or parent.id
        child = Stack(name, world.arn(f"stack/{name}"), world.now, parent_id=parent.id, root_id=root_id)
        child.role_arn = parent.role_arn
        world.store.stacks.append(child)
        return child.id

    def create(self, world: World, operation: Operation, resource: Resource) -> Steps[str | None]:
        """Create it."""
        child, mine = _begin(world, operation, resource, "CREATE_STACK")
        world.stack_event(mine, "CREATE_IN_PROGRESS", "User Initiated")
        try:
            child.source = source_of(world, operation.stack.source, resource.properties)
        except ServiceError as error:
            reason: str | None = error.message
        else:
            reason = yield from operations.build(world, mine)
        world.stack_event(mine, "CREATE_COMPLETE" if reason is None else "CREATE_FAILED", reason)
        return reason and f"Embedded stack {child.id} was not successfully created: {reason}"

    def update(self, world: World, operation: Operation, resource: Resource) -> Steps[str | None]:
        """Update it; what it no longer needs stays until the parent cleans up."""
        try:
            source = source_of(world, operation.stack.source, resource.properties)
        except ServiceError as error:
            return error.message
        child = world.get(resource.physical_id)
        if source == child.source:
            yield world.timing.stack
            return None
        child, mine = _begin(world, operation, resource, "UPDATE_STACK")
        operations.keep_baseline(child)
        child.source, child.updated = source, world.now
        world.stack_event(mine, "UPDATE_IN_PROGRESS", "User Initiated")
        reason = yield from operations.build(world, mine)
        if reason is None:
            world.stack_event(mine, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            return None
        world.stack_event(mine, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
        return (
            f"Embedded stack {child.id} was not successfully updated."
            f" Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: {reason}"
        )

    def revert(self, world: World, operation: Operation, resource: Resource) -> Steps[str | None]:
        """Put it back to its last stable state."""
        child = world.get(resource.physical_id)
        if child.baseline is None:
            yield world.timing.stack
            return None
        child, mine = _begin(world, operation, resource, "ROLLBACK")
        world.stack_event(mine, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        prefixes = (f"{resource.logical_id}.", f"{child.name}.")
        skipped = {name.split(".", 1)[1] for name in operation.skip if name.startswith(prefixes)}
        reason = yield from operations.put_back(world, mine, skipped)
        if reason is None:
            world.stack_event(mine, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
            return None
        world.stack_event(mine, "UPDATE_ROLLBACK_FAILED", reason)
        return f"Embedded stack {child.id} was not successfully updated. Currently in UPDATE_ROLLBACK_FAILED"

    def delete(self, world: World, operation: Operation, resource: Resource) -> Steps[str | None]:
        """Delete it."""
        child, mine = _begin(world, operation, resource, "DELETE_STACK")
        if child.gone:
            return None
        if (yield from operations.delete(world, mine, None, set(), force=False)):
            return None
        return f"Embedded stack {child.id} was not successfully deleted: {child.reason}"

    def clean_up(self, world: World, operation: Operation, resource: Resource) -> Steps[bool]:
        """Delete what its update left over."""
        child = world.get(resource.physical_id)
        status, pending, _ = child.status.partition("_CLEANUP_IN_PROGRESS")
        if not pending:
            return True
        _, mine = _begin(world, operation, resource, operation.kind)
        clean = yield from operations.clean_up(world, mine)
        world.stack_event(mine, status)
        child.baseline = None
        return clean

    def abandon(self, world: World, resource: Resource, verb: str, reason: str) -> None:
        """Mark it as failed because its parent stopped."""
        if child := world.find(resource.physical_id):
            mine = world.running[child.id]
            status = "CREATE_FAILED" if verb == "CREATE" else "UPDATE_ROLLBACK_IN_PROGRESS"
            if child.busy:
                world.stack_event(mine, status, reason)


def _begin(world: World, operation: Operation, resource: Resource, kind: str) -> tuple[Stack, Operation]:
    """Return the nested stack and its own operation: another id, the token of the parent's."""
    child = world.get(resource.physical_id)
    mine = world.begin(child, kind, operation.token)
    mine.keep_going = operation.keep_going
    mine.retain_except_on_create = operation.retain_except_on_create
    return child, mine
