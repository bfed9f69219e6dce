"""Stack sets: the same stack in many accounts and regions."""

from __future__ import annotations

from typing import Any

from fakes.cfn.requests import Parameters, forward_page, present, source_of, tag_list, tags_of
from fakes.cfn.state import StackSet
from fakes.cfn.world import World
from fakes.errors import ServiceError
from fakes.simulation import Process

Target = tuple[str, str]  # account and region


def _find(world: World, request: Parameters) -> StackSet:
    name = request["StackSetName"]
    for stack_set in world.store.stack_sets:
        if name in (stack_set.name, stack_set.id) and stack_set.status == "ACTIVE":
            return stack_set
    raise ServiceError("StackSetNotFoundException", f"StackSet {name} not found", status=404)


def create_stack_set(world: World, request: Parameters) -> dict[str, Any]:
    """CreateStackSet."""
    name = request["StackSetName"]
    if any(item.name == name and item.status == "ACTIVE" for item in world.store.stack_sets):
        raise ServiceError("NameAlreadyExistsException", f"StackSet {name} already exists", status=409)
    source = source_of(world, request, None)
    options: dict[str, Any] = {
        key: request[key] for key in ("PermissionModel", "AutoDeployment", "ManagedExecution") if key in request
    }
    stack_set = StackSet(name, f"{name}:{world.new_id('stackset')}", source, request.get("Description"), options)
    world.store.stack_sets.append(stack_set)
    return {"StackSetId": stack_set.id}


def describe_stack_set(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeStackSet."""
    stack_set = _find(world, request)
    options = {"PermissionModel": "SELF_MANAGED"} | stack_set.options
    return {
        "StackSet": options
        | present(
            StackSetName=stack_set.name,
            StackSetId=stack_set.id,
            StackSetARN=f"arn:aws:cloudformation:{world.region}:{world.account}:stackset/{stack_set.id}",
            Description=stack_set.description,
            Status=stack_set.status,
            TemplateBody=stack_set.source.body,
            Parameters=world.described_parameters(stack_set.source),
            Capabilities=stack_set.source.capabilities,
            Tags=tag_list(stack_set.source.tags),
            Regions=sorted({region for _, region in stack_set.instances}),
        )
    }


def list_stack_sets(world: World, request: Parameters) -> dict[str, Any]:
    """ListStackSets."""
    wanted = request.get("Status", "ACTIVE")
    chosen = [item for item in world.store.stack_sets if item.status == wanted]
    shown, token = forward_page(chosen, request, world.page_size)
    return {
        "Summaries": [{"StackSetName": item.name, "StackSetId": item.id, "Status": item.status} for item in shown],
        **token,
    }


def update_stack_set(world: World, request: Parameters) -> dict[str, Any]:
    """UpdateStackSet: the definition, and all its instances."""
    stack_set = _find(world, request)
    _check_free(stack_set)
    if request.get("UsePreviousTemplate"):
        request = {**request, "UsePreviousTemplate": False, "TemplateBody": stack_set.source.body}
    tags = tags_of(request) if "Tags" in request else stack_set.source.tags
    stack_set.source = source_of(world, request, None)
    stack_set.source.tags = tags
    stack_set.description = request.get("Description", stack_set.description)
    for key in ("AutoDeployment", "ManagedExecution"):
        if key in request:
            stack_set.options[key] = request[key]
    return _begin(world, stack_set, request, "UPDATE", list(stack_set.instances))


def create_stack_instances(world: World, request: Parameters) -> dict[str, Any]:
    """CreateStackInstances."""
    stack_set = _find(world, request)
    _check_free(stack_set)
    return _begin(world, stack_set, request, "CREATE", _targets(world, request))


def delete_stack_instances(world: World, request: Parameters) -> dict[str, Any]:
    """DeleteStackInstances."""
    stack_set = _find(world, request)
    _check_free(stack_set)
    targets = [target for target in _targets(world, request) if target in stack_set.instances]
    return _begin(world, stack_set, request, "DELETE", targets)


def delete_stack_set(world: World, request: Parameters) -> dict[str, Any]:
    """DeleteStackSet."""
    stack_set = _find(world, request)
    _check_free(stack_set)
    if stack_set.instances:
        raise ServiceError("StackSetNotEmptyException", "StackSet is not empty", status=409)
    stack_set.status = "DELETED"
    return {}


def _check_free(stack_set: StackSet) -> None:
    if any(operation["Status"] == "RUNNING" for operation in stack_set.operations.values()):
        raise ServiceError(
            "OperationInProgressException",
            f"Another Operation on StackSet {stack_set.id} is in progress",
            status=409,
        )


def _targets(world: World, request: Parameters) -> list[Target]:
    wanted = request.get("DeploymentTargets", {})
    accounts = request.get("Accounts") or wanted.get("Accounts") or []
    units = wanted.get("OrganizationalUnitIds", [])
    accounts = accounts or [account for unit in units for account in world.organization[unit]]
    return [(account, region) for account in accounts for region in request["Regions"]]


def _begin(
    world: World, stack_set: StackSet, request: Parameters, action: str, targets: list[Target]
) -> dict[str, Any]:
    operation_id = request.get("OperationId") or world.new_id("operation")
    if operation_id in stack_set.operations:
        raise ServiceError("OperationIdAlreadyExistsException", f"{operation_id} already exists", status=409)
    stack_set.operations[operation_id] = present(
        OperationId=operation_id,
        StackSetId=stack_set.id,
        Action=action,
        Status="RUNNING",
        OperationPreferences=request.get("OperationPreferences"),
        DeploymentTargets=request.get("DeploymentTargets"),
        CreationTimestamp=world.now,
        results={target: {"Status": "PENDING"} for target in targets},
    )
    world.simulation.start(_run(world, stack_set, stack_set.operations[operation_id]))
    return {"OperationId": operation_id}


def _run(world: World, stack_set: StackSet, operation: dict[str, Any]) -> Process:
    for target, result in operation["results"].items():
        result["Status"] = "RUNNING"
        yield world.timing.resource
        reason = world.instance_failures.get(target)
        result["Status"] = "FAILED" if reason else "SUCCEEDED"
        if reason:
            result["StatusReason"] = reason
        _settle(world, stack_set, operation, target, reason)
    failed = [result for result in operation["results"].values() if result["Status"] == "FAILED"]
    tolerated = operation.get("OperationPreferences", {}).get("FailureToleranceCount", 0)
    operation["Status"] = "FAILED" if len(failed) > tolerated else "SUCCEEDED"
    operation["EndTimestamp"] = world.now


def _settle(world: World, stack_set: StackSet, operation: dict[str, Any], target: Target, reason: str | None) -> None:
    account, region = target
    if operation["Action"] == "DELETE" and not reason:
        stack_set.instances.pop(target, None)
        return
    name = f"StackSet-{stack_set.name}"
    old = stack_set.instances.get(target, {})
    stack_set.instances[target] = {
        "StackId": old.get("StackId")
        or f"arn:aws:cloudformation:{region}:{account}:stack/{name}/{world.new_id('instance')}",
        "Status": "OUTDATED" if reason else "CURRENT",
        "StackInstanceStatus": {"DetailedStatus": "FAILED" if reason else "SUCCEEDED"},
        "LastOperationId": operation["OperationId"],
    } | ({"StatusReason": reason} if reason else {})


def _operation(world: World, request: Parameters) -> dict[str, Any]:
    operations = _find(world, request).operations
    if request["OperationId"] not in operations:
        raise ServiceError("OperationNotFoundException", f"{request['OperationId']} not found", status=404)
    return operations[request["OperationId"]]


def describe_operation(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeStackSetOperation."""
    operation = _operation(world, request)
    return {"StackSetOperation": {key: value for key, value in operation.items() if key != "results"}}


def list_operation_results(world: World, request: Parameters) -> dict[str, Any]:
    """ListStackSetOperationResults."""
    results = [
        {"Account": account, "Region": region} | result
        for (account, region), result in _operation(world, request)["results"].items()
    ]
    shown, token = forward_page(results, request, request.get("MaxResults", world.page_size))
    return {"Summaries": shown, **token}


def list_stack_instances(world: World, request: Parameters) -> dict[str, Any]:
    """ListStackInstances."""
    stack_set = _find(world, request)
    instances = [
        {"StackSetId": stack_set.id, "Account": account, "Region": region} | instance
        for (account, region), instance in stack_set.instances.items()
        if request.get("StackInstanceAccount") in (None, account)
        and request.get("StackInstanceRegion") in (None, region)
    ]
    shown, token = forward_page(instances, request, request.get("MaxResults", world.page_size))
    return {"Summaries": shown, **token}


OPERATIONS = {
    "CreateStackInstances": create_stack_instances,
    "CreateStackSet": create_stack_set,
    "DeleteStackInstances": delete_stack_instances,
    "DeleteStackSet": delete_stack_set,
    "DescribeStackSet": describe_stack_set,
    "DescribeStackSetOperation": describe_operation,
    "ListStackInstances": list_stack_instances,
    "ListStackSetOperationResults": list_operation_results,
    "ListStackSets": list_stack_sets,
    "UpdateStackSet": update_stack_set,
}
