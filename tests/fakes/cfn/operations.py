"""What happens to one stack over time: create, update, roll back, clean up, delete, import."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import partial

from fakes.cfn import provision
from fakes.cfn.graph import reverse, run_all
from fakes.cfn.outputs import outputs_of
from fakes.cfn.policy import denial
from fakes.cfn.state import STACK, Baseline, ChangeSet, Resource, Stack
from fakes.cfn.template import dependencies, references
from fakes.cfn.world import Operation, World
from fakes.errors import ServiceError
from fakes.simulation import Steps

_KEPT = {"Retain", "RetainExceptOnCreate", "Snapshot"}
_VERBS = {"CREATE_FAILED": "create", "UPDATE_FAILED": "update", "DELETE_FAILED": "delete", "IMPORT_FAILED": "import"}


def failure_reason(resources: Iterable[Resource]) -> str:
    """Return what the stack says about its failed resources."""
    failed: dict[str, list[str]] = {}
    for resource in resources:
        if resource.status in _VERBS:
            failed.setdefault(_VERBS[resource.status], []).append(resource.logical_id)
    return "".join(
        f"The following resource(s) failed to {verb}: [{', '.join(names)}]. " for verb, names in failed.items()
    )


def keep_baseline(stack: Stack) -> None:
    """Remember the stable state that a rollback goes back to."""
    if stack.status.endswith("_COMPLETE"):
        stack.baseline = Baseline(copy.deepcopy(stack.source), copy.deepcopy(stack.resources), list(stack.outputs))


def build(world: World, operation: Operation) -> Steps[str | None]:
    """Make the stack what its source says, and return why that failed."""
    stack = operation.stack
    try:
        scope = world.scope(stack, stack.source)
        definitions = scope.resources()
        needs = dependencies(scope.template)
    except ServiceError as error:
        return f"{error.message}. "
    if _removal_denied(world, operation, set(definitions)):
        return failure_reason(stack.resources.values())
    steps = {
        name: partial(provision.converge, world, operation, scope, definition, name)
        for name, definition in definitions.items()
    }
    failed = yield from run_all(
        world, operation, steps, needs, provision.cancel(world, operation), keep_going=operation.keep_going
    )
    if failed or operation.cancelled:
        return failure_reason(stack.resources.values())
    try:
        stack.outputs = outputs_of(world, stack, scope)
    except ServiceError as error:
        return f"{error.message}. "
    return None


def _removal_denied(world: World, operation: Operation, kept: set[str]) -> bool:
    denied = False
    for resource in operation.stack.resources.values():
        reason = denial(operation.stack.policy, "Update:Delete", resource)
        if resource.exists and resource.logical_id not in kept and reason is not None:
            world.resource_event(operation, resource, "UPDATE_FAILED", reason)
            denied = True
    return denied


def create(world: World, operation: Operation, on_failure: str) -> Steps[bool]:
    """Create a stack; if that fails do what ``on_failure`` says: DO_NOTHING, ROLLBACK or DELETE."""
    operation.keep_going = on_failure == "DO_NOTHING"
    world.stack_event(operation, "CREATE_IN_PROGRESS", "User Initiated")
    yield world.timing.stack
    reason = yield from build(world, operation)
    if reason is None:
        world.stack_event(operation, "CREATE_COMPLETE")
        return True
    if operation.cancelled:
        return False
    if on_failure == "DO_NOTHING":
        world.stack_event(operation, "CREATE_FAILED", reason)
    elif on_failure == "DELETE":
        again = _follow_up(world, operation, "DELETE_STACK")
        yield from delete(world, again, f"{reason}Delete requested by user.", set(), force=False)
    else:
        yield from undo_create(world, _follow_up(world, operation, "ROLLBACK"), f"{reason}Rollback requested by user.")
    return False


def _follow_up(world: World, operation: Operation, kind: str) -> Operation:
    """Return the operation that CloudFormation itself starts after a failed one: another id, the same token."""
    again = world.begin(operation.stack, kind, operation.token)
    again.retain_except_on_create = operation.retain_except_on_create
    return again


def undo_create(world: World, operation: Operation, reason: str) -> Steps[None]:
    """Delete what a failed creation made."""
    stack = operation.stack
    world.stack_event(operation, "ROLLBACK_IN_PROGRESS", reason)
    yield world.timing.stack
    keep = {"Retain", "Snapshot"} if not operation.retain_except_on_create else set()
    kept = {item.logical_id for item in stack.resources.values() if provision.deletion_policy(item) in keep}
    failed = yield from _delete_all(world, operation, stack.resources, kept)
    status = "ROLLBACK_FAILED" if failed else "ROLLBACK_COMPLETE"
    world.stack_event(operation, status, failure_reason(stack.resources.values()) if failed else None)
    stack.outputs = []


def _delete_all(world: World, operation: Operation, resources: dict[str, Resource], kept: set[str]) -> Steps[list[str]]:
    alive = {name: item for name, item in resources.items() if item.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")}
    steps = {
        name: partial(provision.delete, world, operation, item, retain=name in kept) for name, item in alive.items()
    }
    logical = {item.logical_id: name for name, item in alive.items()}
    needs = {
        name: {logical[ref] for ref in references(item.definition) if ref in logical} - {name}
        for name, item in alive.items()
    }
    return (yield from run_all(world, operation, steps, reverse(needs), lambda _: None, keep_going=True))


def update(world: World, operation: Operation, change_set: ChangeSet) -> Steps[bool]:
    """Update a stack to what a change set says, and roll it back if that fails."""
    stack = operation.stack
    keep_baseline(stack)
    stack.source, stack.updated = change_set.source, world.now
    world.stack_event(operation, "UPDATE_IN_PROGRESS", "User Initiated")
    yield world.timing.stack
    reason = yield from build(world, operation)
    if reason is None:
        yield from _finish_update(world, operation, "UPDATE_COMPLETE")
        return True
    if operation.keep_going and not operation.cancelled:
        world.stack_event(operation, "UPDATE_FAILED", reason)
    else:
        yield from undo_update(
            world, _follow_up(world, operation, "ROLLBACK"), "User Initiated" if operation.cancelled else reason
        )
    return False


def _finish_update(world: World, operation: Operation, status: str, reason: str | None = None) -> Steps[None]:
    world.stack_event(operation, f"{status}_CLEANUP_IN_PROGRESS", reason)
    yield world.timing.stack
    clean = yield from clean_up(world, operation)
    if not clean:
        reason = "Update successful. One or more resources could not be deleted."
    world.stack_event(operation, status, reason)
    operation.stack.baseline = None


def clean_up(world: World, operation: Operation) -> Steps[bool]:
    """Delete what the stack no longer has: removed resources and old halves of replacements."""
    stack = operation.stack
    scope = world.scope(stack, stack.source)
    wanted = scope.resources()
    removed = {name: item for name, item in stack.resources.items() if name not in wanted}
    victims = removed | {f"{item.logical_id}/{number}": item for number, item in enumerate(stack.leftovers)}
    kept = {name for name, item in victims.items() if _survives(operation, item, replaced=name not in removed)}
    failed = yield from _delete_all(world, operation, victims, kept)
    for name in removed:
        del stack.resources[name]
    stack.leftovers = []
    clean = not failed
    for resource in list(stack.resources.values()):
        if resource.type == STACK:
            clean = (yield from world.nested.clean_up(world, operation, resource)) and clean
    return clean


def _survives(operation: Operation, resource: Resource, *, replaced: bool) -> bool:
    rolling_back = operation.kind in ("ROLLBACK", "CONTINUE_ROLLBACK")
    if rolling_back:  # these are new: only a plain Retain keeps them
        return provision.deletion_policy(resource) == "Retain" and not operation.retain_except_on_create
    return provision.deletion_policy(resource, "UpdateReplacePolicy" if replaced else "DeletionPolicy") in _KEPT


def undo_update(world: World, operation: Operation, reason: str | None, skip: Iterable[str] = ()) -> Steps[None]:
    """Put the stack back to its last stable state."""
    world.stack_event(operation, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
    yield world.timing.stack
    failure = yield from put_back(world, operation, set(skip))
    if failure is not None:
        world.stack_event(operation, "UPDATE_ROLLBACK_FAILED", failure)
        return
    yield from _finish_update(world, operation, "UPDATE_ROLLBACK_COMPLETE")


def put_back(world: World, operation: Operation, skip: set[str]) -> Steps[str | None]:
    """Revert every resource that differs from the last stable state, and return why that failed."""
    stack, baseline = operation.stack, operation.stack.baseline
    assert baseline is not None
    for name in skip & baseline.resources.keys():
        provision.restore(operation, baseline.resources[name], name)
        world.resource_event(operation, stack.resources[name], "UPDATE_COMPLETE", "Resource skipped by user")
    steps = {
        name: partial(provision.revert, world, operation, before, name)
        for name, before in baseline.resources.items()
        if _differs(world, stack.resources[name], before)
    }
    template = world.scope(stack, baseline.source).template
    cancel = provision.cancel(world, operation)
    failed = yield from run_all(world, operation, steps, dependencies(template), cancel, keep_going=True)
    stack.stuck = failed
    if failed:
        return failure_reason(stack.resources[name] for name in failed)
    for name, before in baseline.resources.items():
        stack.resources[name].definition = before.definition
    stack.source, stack.outputs = baseline.source, baseline.outputs
    return None


def _differs(world: World, current: Resource, before: Resource) -> bool:
    if current.type == STACK and current.physical_id == before.physical_id:
        return world.get(current.physical_id).baseline is not None
    changed = current.physical_id != before.physical_id or current.properties != before.properties
    return changed or current.status == "UPDATE_FAILED"


def delete(world: World, operation: Operation, reason: str | None, retain: set[str], *, force: bool) -> Steps[bool]:
    """Delete a stack."""
    stack = operation.stack
    world.stack_event(operation, "DELETE_IN_PROGRESS", reason)
    yield world.timing.stack
    for output in stack.outputs:
        if "ExportName" in output and (users := world.importers(output["ExportName"])):
            used = f"Export {output['ExportName']} cannot be deleted as it is in use by {' and '.join(users)}"
            world.stack_event(operation, "DELETE_FAILED", used)
            return False
    resources = stack.resources | {f"{item.logical_id}/{number}": item for number, item in enumerate(stack.leftovers)}
    kept = retain | {
        name
        for name, item in resources.items()
        if item.exists and provision.deletion_policy(item) in _KEPT - {"Snapshot"}
    }
    failed = yield from _delete_all(world, operation, resources, kept)
    if failed and not force:
        world.stack_event(operation, "DELETE_FAILED", failure_reason(resources.values()))
        return False
    for name in failed:
        world.resource_event(operation, resources[name], "DELETE_SKIPPED")
    stack.outputs, stack.leftovers, stack.deleted = [], [], world.now
    world.stack_event(operation, "DELETE_COMPLETE")
    return True


def adopt(world: World, operation: Operation, change_set: ChangeSet) -> Steps[bool]:
    """Import existing things into a stack."""
    stack = operation.stack
    keep_baseline(stack)
    before = stack.source
    stack.source, stack.updated = change_set.source, world.now
    world.stack_event(operation, "IMPORT_IN_PROGRESS", "User Initiated")
    yield world.timing.stack
    scope = world.scope(stack, stack.source)
    definitions = scope.resources()
    steps = {}
    for name, physical_id in change_set.imports.items():
        resource = Resource(name, definitions[name]["Type"], definitions[name], physical_id)
        stack.resources[name] = resource
        steps[name] = partial(provision.adopt, world, operation, scope, resource)
    failed = yield from run_all(
        world, operation, steps, dependencies(scope.template), provision.cancel(world, operation), keep_going=False
    )
    if not failed:
        stack.outputs = outputs_of(world, stack, scope)
        world.stack_event(operation, "IMPORT_COMPLETE")
        return True
    reason = failure_reason(stack.resources.values())
    again = _follow_up(world, operation, "ROLLBACK")
    world.stack_event(again, "IMPORT_ROLLBACK_IN_PROGRESS", reason)
    yield world.timing.stack
    for name in change_set.imports:
        world.resource_event(again, stack.resources.pop(name), "IMPORT_ROLLBACK_COMPLETE")
    stack.source = before
    world.stack_event(again, "IMPORT_ROLLBACK_COMPLETE")
    return False
