"""What happens to one resource: create, update, replace, put back, delete, import."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from fakes.cfn.policy import denial
from fakes.cfn.resource_types import NAMES, create_only
from fakes.cfn.state import STACK, Resource
from fakes.cfn.template import Scope
from fakes.cfn.world import Operation, Script, ScriptAction, World
from fakes.errors import ServiceError
from fakes.simulation import Steps

_REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."


def converge(world: World, operation: Operation, scope: Scope, definition: dict[str, Any], name: str) -> Steps[bool]:
    """Make the resource what its definition says, and tell whether that worked."""
    stack = operation.stack
    current = stack.resources.get(name)
    vanished = current is not None and current.deleted_outside and operation.revert_drift
    if current is None or not current.exists or current.status == "CREATE_FAILED" or vanished:
        if current is not None:
            world.store.physical.pop(current.physical_id, None)
        resource = Resource(name, definition["Type"], definition)
        stack.resources[name] = resource
        return (yield from _create(world, operation, scope, resource))
    try:
        properties = scope.resolve(definition.get("Properties", {}))
    except ServiceError as error:
        return _fail(world, operation, current, "UPDATE_FAILED", error.message)
    changed = changed_properties(current.properties, properties)
    if definition["Type"] != current.type or changed & create_only(current.type):
        return (yield from _replace(world, operation, scope, current, definition))
    drifted = operation.revert_drift and current.actual is not None
    if not changed and not drifted and current.type != STACK and current.status != "UPDATE_FAILED":
        current.definition = definition
        return True
    return (yield from _update(world, operation, current, definition, properties))


def changed_properties(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return the names of the properties that differ."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _fail(world: World, operation: Operation, resource: Resource, status: str, reason: str) -> bool:
    world.resource_event(operation, resource, status, reason)
    return False


def _create(world: World, operation: Operation, scope: Scope, resource: Resource) -> Steps[bool]:
    world.resource_event(operation, resource, "CREATE_IN_PROGRESS")
    try:
        resource.properties = scope.resolve(resource.definition.get("Properties", {}))
    except ServiceError as error:
        return _fail(world, operation, resource, "CREATE_FAILED", error.message)
    return (yield from _make(world, operation, resource, "CREATE"))


def _make(world: World, operation: Operation, resource: Resource, verb: ScriptAction) -> Steps[bool]:
    """Make a physical resource, as a creation or as the new half of a replacement."""
    script = world.script_for(operation.stack, resource.logical_id, verb)
    if refusal := world.hook_refusal(operation.stack, resource):
        return _fail(world, operation, resource, f"{verb}_FAILED", refusal)
    yield world.timing.start
    is_stack = resource.type == STACK
    physical_id = world.nested.add(world, operation, resource) if is_stack else _physical_id(world, operation, resource)
    if physical_id in world.store.physical:
        conflict = (
            f"Resource of type '{resource.type}' with identifier '{physical_id}' already exists."
            f" (RequestToken: {world.new_id('request')}, HandlerErrorCode: AlreadyExists)"
        )
        return _fail(world, operation, resource, f"{verb}_FAILED", conflict)
    resource.physical_id = physical_id
    world.store.physical[physical_id] = resource.type
    world.resource_event(operation, resource, f"{verb}_IN_PROGRESS", "Resource creation Initiated")
    if is_stack:
        reason = yield from world.nested.create(world, operation, resource)
    else:
        reason = yield from _work(world, script)
    return _settle(world, operation, resource, verb, reason)


def _work(world: World, script: Script) -> Steps[str | None]:
    """Take the time it takes, and return the reason if it fails."""
    while script.hangs:
        yield 3600.0
    yield world.timing.resource if script.takes is None else script.takes
    return script.fails


def _settle(world: World, operation: Operation, resource: Resource, verb: ScriptAction, reason: str | None) -> bool:
    if reason is not None:
        return _fail(world, operation, resource, f"{verb}_FAILED", reason)
    world.resource_event(operation, resource, f"{verb}_COMPLETE")
    return True


def _physical_id(world: World, operation: Operation, resource: Resource) -> str:
    name = resource.properties.get(NAMES.get(resource.type, ""))
    if isinstance(name, str):
        return name
    suffix = world.new_id("physical").replace("-", "")[:12]
    return f"{operation.stack.name}-{resource.logical_id}-{suffix.upper()}".lower()


def _denied(world: World, operation: Operation, resource: Resource, action: str) -> bool:
    """Fail the resource if the stack policy forbids the action."""
    reason = denial(operation.stack.policy, action, resource)
    if reason is not None:
        _fail(world, operation, resource, "UPDATE_FAILED", reason)
    return reason is not None


def _update(
    world: World, operation: Operation, resource: Resource, definition: dict[str, Any], properties: dict[str, Any]
) -> Steps[bool]:
    if _denied(world, operation, resource, "Update:Modify"):
        return False
    script = world.script_for(operation.stack, resource.logical_id, "UPDATE")
    resource.definition, resource.properties, resource.actual = definition, properties, None
    world.resource_event(operation, resource, "UPDATE_IN_PROGRESS")
    if resource.type == STACK:
        reason = yield from world.nested.update(world, operation, resource)
    else:
        reason = yield from _work(world, script)
    return _settle(world, operation, resource, "UPDATE", reason)


def _replace(
    world: World, operation: Operation, scope: Scope, current: Resource, definition: dict[str, Any]
) -> Steps[bool]:
    if _denied(world, operation, current, "Update:Replace"):
        return False
    properties = scope.resolve(definition.get("Properties", {}))
    if definition["Type"] == current.type and _same_name(current, properties):
        reason = (
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
            f"Rename {current.physical_id} and update the stack again."
        )
        return _fail(world, operation, current, "UPDATE_FAILED", reason)
    world.resource_event(operation, current, "UPDATE_IN_PROGRESS", _REPLACING)
    resource = Resource(current.logical_id, definition["Type"], definition, current.physical_id, "UPDATE_IN_PROGRESS")
    resource.properties = properties
    operation.stack.resources[current.logical_id] = resource
    operation.stack.leftovers.append(copy.deepcopy(current))
    succeeded = yield from _make(world, operation, resource, "UPDATE")
    if not succeeded and resource.physical_id == current.physical_id:
        operation.stack.leftovers.pop()
    return succeeded


def _same_name(current: Resource, properties: dict[str, Any]) -> bool:
    name = NAMES.get(current.type, "")
    return name in current.properties and current.properties[name] == properties.get(name)


def revert(world: World, operation: Operation, before: Resource, name: str) -> Steps[bool]:
    """Put an updated or replaced resource back to what it was."""
    current = operation.stack.resources[name]
    script = world.script_for(operation.stack, name, "ROLLBACK")
    world.resource_event(operation, current, "UPDATE_IN_PROGRESS")
    if current.type == STACK and current.physical_id == before.physical_id:
        reason = yield from world.nested.revert(world, operation, current)
    else:
        reason = yield from _work(world, script)
    if reason is not None:
        return _fail(world, operation, current, "UPDATE_FAILED", reason)
    restore(operation, before, name)
    world.resource_event(operation, operation.stack.resources[name], "UPDATE_COMPLETE")
    return True


def restore(operation: Operation, before: Resource, name: str) -> None:
    """Set the resource to what it was; the new one of a replacement becomes a leftover."""
    stack = operation.stack
    current = stack.resources[name]
    stack.leftovers = [item for item in stack.leftovers if item.physical_id != before.physical_id]
    if current.exists and current.physical_id != before.physical_id:
        stack.leftovers.append(current)
    stack.resources[name] = copy.deepcopy(before)


def delete(world: World, operation: Operation, resource: Resource, *, retain: bool) -> Steps[bool]:
    """Delete a resource, or leave it where it is."""
    if retain:
        world.resource_event(operation, resource, "DELETE_SKIPPED")
        return True
    if not resource.physical_id:
        world.resource_event(operation, resource, "DELETE_COMPLETE")
        return True
    script = world.script_for(operation.stack, resource.logical_id, "DELETE")
    world.resource_event(operation, resource, "DELETE_IN_PROGRESS")
    if resource.type == STACK:
        reason = yield from world.nested.delete(world, operation, resource)
    else:
        reason = yield from _work(world, script)
        if reason is None and world.bucket_contents.get(resource.physical_id):
            reason = (
                'Resource handler returned message: "The bucket you tried to delete is not empty '
                '(Service: S3, Status Code: 409)" (HandlerErrorCode: GeneralServiceException)'
            )
    if reason is None:
        world.store.physical.pop(resource.physical_id, None)
    return _settle(world, operation, resource, "DELETE", reason)


def adopt(world: World, operation: Operation, scope: Scope, resource: Resource) -> Steps[bool]:
    """Take an existing thing into the stack."""
    world.resource_event(operation, resource, "IMPORT_IN_PROGRESS", "Resource import started.")
    resource.properties = scope.resolve(resource.definition.get("Properties", {}))
    yield world.timing.start
    if resource.physical_id not in world.store.physical:
        return _fail(world, operation, resource, "IMPORT_FAILED", f"{resource.physical_id} does not exist")
    world.resource_event(operation, resource, "IMPORT_COMPLETE", "Resource import completed.")
    return True


def cancel(world: World, operation: Operation) -> Callable[[str], None]:
    """Return what marks a resource whose work is stopped half way."""

    def mark(name: str) -> None:
        resource = operation.stack.resources[name]
        verb, _, state = resource.status.partition("_")
        if state == "IN_PROGRESS":
            what = "creation" if verb == "CREATE" else "update"
            if resource.type == STACK:
                world.nested.abandon(world, resource, verb, f"Resource {what} cancelled")
            world.resource_event(operation, resource, f"{verb}_FAILED", f"Resource {what} cancelled")

    return mark


def deletion_policy(resource: Resource, attribute: str = "DeletionPolicy") -> str:
    """Return what the template says about the end of a resource."""
    return str(resource.definition.get(attribute, "Delete"))


def as_json(properties: dict[str, Any]) -> str:
    """Return properties as the service shows them."""
    return json.dumps(properties, sort_keys=True)
