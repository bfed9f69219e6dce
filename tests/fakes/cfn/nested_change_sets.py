"""The change sets of nested stacks, under the change set of their root."""

from __future__ import annotations

from collections.abc import Callable

from fakes.cfn.changes import NO_CHANGES, NO_UPDATES
from fakes.cfn.nested import shell_name, source_of
from fakes.cfn.state import STACK, ChangeSet, Stack
from fakes.cfn.template import UNKNOWN
from fakes.cfn.world import World
from fakes.errors import ServiceError


def compare(world: World, stack: Stack, change_set: ChangeSet, compare_one: Callable[..., str | None]) -> str | None:
    """Make a change set for every nested stack, link it, drop those without changes; return why one failed."""
    scope = world.scope(stack, change_set.source)
    scope.ref = lambda name: stack.resources[name].physical_id if name in stack.resources else UNKNOWN
    scope.get_att = lambda name, attribute: UNKNOWN
    changes = {change["LogicalResourceId"]: change for change in change_set.changes}
    for name, definition in scope.resources().items():
        if definition["Type"] != STACK:
            continue
        try:
            source = source_of(world, change_set.source, scope.resolve(definition["Properties"]))
        except ServiceError as error:
            return f"Nested change set for {name} was not successfully created: {error.message}"
        child = _child(world, stack, name)
        mine = ChangeSet(
            f"{change_set.name}-{name}"[:128],
            world.arn(f"changeSet/{change_set.name}-{name}"),
            "CREATE" if child.status == "REVIEW_IN_PROGRESS" else "UPDATE",
            source,
            world.now,
            None,
            "",
            status="CREATE_COMPLETE",
            include_nested=True,
            parent_id=change_set.id,
            root_id=change_set.root_id or change_set.id,
        )
        child.change_sets.append(mine)
        mine.reason = compare_one(world, child, mine, validate=True)
        if mine.reason is None:
            _link(change_set, changes, stack, name, mine)
            continue
        mine.status = "FAILED"
        if mine.reason not in (NO_CHANGES, NO_UPDATES):
            return f"Nested change set {mine.id} was not successfully created: Currently in FAILED."
    return None


def _child(world: World, stack: Stack, name: str) -> Stack:
    resource = stack.resources.get(name)
    if resource is not None and resource.exists:
        return world.get(resource.physical_id)
    child = next((item for item in world.store.stacks if item.parent_id == stack.id and item.shell_of == name), None)
    if child is None:
        full_name = shell_name(world, stack, name)
        child = Stack(full_name, world.arn(f"stack/{full_name}"), world.now, parent_id=stack.id, shell_of=name)
        child.root_id = stack.root_id or stack.id
        world.store.stacks.append(child)
    return child


def _link(
    change_set: ChangeSet, changes: dict[str, dict[str, object]], stack: Stack, name: str, mine: ChangeSet
) -> None:
    change = changes.get(name)
    if change is None:
        change = {
            "Action": "Modify",
            "LogicalResourceId": name,
            "PhysicalResourceId": stack.resources[name].physical_id,
            "ResourceType": STACK,
            "Replacement": "False",
            "Scope": ["Properties"],
            "Details": [
                {
                    "Target": {"Attribute": "Properties", "RequiresRecreation": "Never"},
                    "Evaluation": "Dynamic",
                    "ChangeSource": "Automatic",
                }
            ],
        }
        change_set.changes.append(change)
    change["ChangeSetId"] = mine.id


def delete(world: World, change_set: ChangeSet) -> None:
    """Delete the nested change sets of a change set, and the shells that were made for them."""
    for stack in list(world.store.stacks):
        mine = [item for item in stack.change_sets if change_set.id in (item.parent_id, item.root_id)]
        for item in mine:
            stack.change_sets.remove(item)
        if mine and stack.shell_of is not None and stack.status == "REVIEW_IN_PROGRESS":
            world.store.stacks.remove(stack)
