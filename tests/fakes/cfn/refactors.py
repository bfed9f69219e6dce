"""Stack refactors: move resources between stacks, or give them other logical ids."""

from __future__ import annotations

from typing import Any

from fakes.cfn.requests import Parameters, forward_page, present, template_body
from fakes.cfn.state import Resource, Source, Stack
from fakes.cfn.template import parse
from fakes.cfn.world import World
from fakes.errors import ServiceError, validation
from fakes.simulation import Process

Place = tuple[str, str]  # stack name and logical id


def create(world: World, request: Parameters) -> dict[str, Any]:
    """CreateStackRefactor."""
    refactor_id = world.new_id("refactor")
    refactor: dict[str, Any] = {
        "id": refactor_id,
        "description": request.get("Description"),
        "status": "CREATE_IN_PROGRESS",
        "execution": "UNAVAILABLE",
        "bodies": {item["StackName"]: template_body(world, item) for item in request["StackDefinitions"]},
        "mappings": {
            _place(item["Source"]): _place(item["Destination"]) for item in request.get("ResourceMappings", [])
        },
        "create_stacks": request.get("EnableStackCreation", False),
    }
    refactor["manual"] = set(refactor["mappings"])
    world.store.refactors[refactor_id] = refactor
    world.simulation.start(_prepare(world, refactor))
    return {"StackRefactorId": refactor_id}


def _place(location: dict[str, str]) -> Place:
    return location["StackName"], location["LogicalResourceId"]


def _prepare(world: World, refactor: dict[str, Any]) -> Process:
    yield world.timing.change_set
    try:
        reason = _problem(world, refactor)
    except ServiceError as error:
        reason = error.message
    if reason is None:
        refactor |= {"status": "CREATE_COMPLETE", "execution": "AVAILABLE"}
    else:
        refactor |= {"status": "CREATE_FAILED", "reason": reason}


def _problem(world: World, refactor: dict[str, Any]) -> str | None:
    """Complete the mappings and return what is wrong with the refactor."""
    before: dict[Place, Resource] = {}
    after: dict[Place, dict[str, Any]] = {}
    for name, body in refactor["bodies"].items():
        stack = world.find(name)
        if stack is None and not refactor["create_stacks"]:
            return f"Stack {name} does not exist and EnableStackCreation is not set"
        if stack is not None and not stack.status.endswith("_COMPLETE"):
            return f"Stack {name} is in {stack.status} state and can not be refactored"
        before |= {(name, item.logical_id): item for item in (stack.resources.values() if stack else ())}
        after |= {(name, logical_id): item for logical_id, item in parse(body)["Resources"].items()}
    mappings: dict[Place, Place] = refactor["mappings"]
    if missing := [source for source in mappings if source not in before]:
        return f"Resource {missing[0][1]} does not exist in stack {missing[0][0]}"
    gone = [place for place in before if place not in after and place not in mappings]
    new = [place for place in after if place not in before and place not in mappings.values()]
    for source in gone:
        twins = [place for place in new if _same(before[source].definition, after[place])]
        if len(twins) != 1:
            return f"Resource {source[1]} would be removed from stack {source[0]}: a refactor cannot delete resources"
        mappings[source] = twins[0]
        new.remove(twins[0])
    if new:
        return f"Resource {new[0][1]} would be added to stack {new[0][0]}: a refactor cannot create resources"
    for source, target in mappings.items():
        if target not in after or not _same(before[source].definition, after[target]):
            return f"Resource {source[1]} of stack {source[0]} does not match {target[1]} of stack {target[0]}"
    return None


def _same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return (before["Type"], before.get("Properties")) == (after["Type"], after.get("Properties"))


def find(world: World, request: Parameters) -> dict[str, Any]:
    """Return a refactor.

    Raises:
        ServiceError: there is none.
    """
    refactor_id = request["StackRefactorId"]
    if refactor_id not in world.store.refactors:
        raise ServiceError("StackRefactorNotFoundException", f"StackRefactor {refactor_id} does not exist", status=404)
    return world.store.refactors[refactor_id]


def describe(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeStackRefactor."""
    refactor = find(world, request)
    stacks = [stack for name in refactor["bodies"] if (stack := world.find(name))]
    return present(
        Description=refactor["description"],
        StackRefactorId=refactor["id"],
        StackIds=[stack.id for stack in stacks],
        ExecutionStatus=refactor["execution"],
        Status=refactor["status"],
        StatusReason=refactor.get("reason"),
    )


def list_all(world: World, request: Parameters) -> dict[str, Any]:
    """ListStackRefactors."""
    wanted = request.get("ExecutionStatusFilter")
    chosen = [item for item in world.store.refactors.values() if not wanted or item["execution"] in wanted]
    shown, token = forward_page(chosen, request, world.page_size)
    summaries = [
        present(
            StackRefactorId=item["id"],
            Description=item["description"],
            ExecutionStatus=item["execution"],
            Status=item["status"],
            StatusReason=item.get("reason"),
        )
        for item in shown
    ]
    return {"StackRefactorSummaries": summaries, **token}


def list_actions(world: World, request: Parameters) -> dict[str, Any]:
    """ListStackRefactorActions."""
    refactor = find(world, request)
    created = [
        {"Action": "CREATE", "Entity": "STACK", "Description": f"Create stack {name}"}
        for name in refactor["bodies"]
        if not world.find(name)
    ]
    moved = [
        {
            "Action": "MOVE",
            "Entity": "RESOURCE",
            "PhysicalResourceId": world.living(source[0]).resources[source[1]].physical_id,
            "Detection": "MANUAL" if source in refactor["manual"] else "AUTO",
            "ResourceMapping": {"Source": _location(source), "Destination": _location(target)},
        }
        for source, target in refactor["mappings"].items()
        if refactor["execution"] == "AVAILABLE"
    ]
    shown, token = forward_page([*created, *moved], request, world.page_size)
    return {"StackRefactorActions": shown, **token}


def _location(place: Place) -> dict[str, str]:
    return {"StackName": place[0], "LogicalResourceId": place[1]}


def execute(world: World, request: Parameters) -> dict[str, Any]:
    """ExecuteStackRefactor."""
    refactor = find(world, request)
    if refactor["execution"] != "AVAILABLE":
        raise validation(f"StackRefactor {refactor['id']} cannot be executed in status {refactor['execution']}")
    if busy := [name for name in refactor["bodies"] if (stack := world.find(name)) and stack.busy]:
        raise validation(f"Stack {busy[0]} has an operation in progress")
    refactor["execution"] = "EXECUTE_IN_PROGRESS"
    world.simulation.start(_execute(world, refactor))
    return {}


def _execute(world: World, refactor: dict[str, Any]) -> Process:
    yield world.timing.resource
    for name in refactor["bodies"]:
        if world.find(name) is None:
            stack = Stack(name, world.arn(f"stack/{name}"), world.now)
            world.store.stacks.append(stack)
    moving = [
        (world.living(source[0]).resources.pop(source[1]), target) for source, target in refactor["mappings"].items()
    ]
    for resource, (name, logical_id) in moving:
        resource.logical_id = logical_id
        world.living(name).resources[logical_id] = resource
    for name, body in refactor["bodies"].items():
        stack = world.living(name)
        stack.source = Source(body, stack.source.parameters, stack.source.tags, stack.source.capabilities)
        for logical_id, definition in parse(body)["Resources"].items():
            stack.resources[logical_id].definition = definition
        fresh = stack.status == "REVIEW_IN_PROGRESS"
        operation = world.begin(stack, "CREATE_STACK" if fresh else "UPDATE_STACK", None)
        world.stack_event(operation, "CREATE_COMPLETE" if fresh else "UPDATE_COMPLETE", "Stack refactor completed")
    refactor["execution"] = "EXECUTE_COMPLETE"


OPERATIONS = {
    "CreateStackRefactor": create,
    "DescribeStackRefactor": describe,
    "ExecuteStackRefactor": execute,
    "ListStackRefactorActions": list_actions,
    "ListStackRefactors": list_all,
}
