"""Operations that only read."""

from __future__ import annotations

import json
from typing import Any

from fakes.cfn.change_sets import find as find_change_set
from fakes.cfn.requests import Parameters, forward_page, page, present, tag_list, template_body
from fakes.cfn.resource_types import required_capability
from fakes.cfn.state import STACK, Event, Problem, Resource, Stack
from fakes.cfn.template import parse
from fakes.cfn.world import World
from fakes.errors import Unmodelled, validation


def describe_stacks(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeStacks: by name, by id, or all that are not deleted."""
    if "StackName" in request:
        return {"Stacks": [_stack(world, world.get(request["StackName"]))]}
    stacks = [_stack(world, stack) for stack in world.store.stacks if not stack.gone]
    shown, token = forward_page(stacks, request, world.page_size)
    return {"Stacks": shown, **token}


def _stack(world: World, stack: Stack) -> dict[str, Any]:
    source = stack.source
    template = parse(source.body) if stack.source.body != "{}" else {}
    return present(
        StackId=stack.id,
        StackName=stack.name,
        ChangeSetId=stack.change_set_id,
        Description=template.get("Description"),
        Parameters=world.described_parameters(source),
        CreationTime=stack.created,
        DeletionTime=stack.deleted,
        LastUpdatedTime=stack.updated,
        RollbackConfiguration=source.rollback_configuration,
        StackStatus=stack.status,
        StackStatusReason=stack.reason,
        DisableRollback=stack.disable_rollback,
        NotificationARNs=source.notification_arns,
        Capabilities=source.capabilities,
        Outputs=stack.outputs or None,
        RoleARN=stack.role_arn,
        Tags=tag_list(source.tags),
        EnableTerminationProtection=stack.protected,
        ParentId=stack.parent_id,
        RootId=stack.root_id,
        DriftInformation=_drift(stack),
        DeletionMode=stack.deletion_mode,
        LastOperations=[{"OperationType": kind, "OperationId": number} for kind, number in stack.operations[-2:]]
        or None,
    )


def _drift(stack: Stack) -> dict[str, Any]:
    return present(StackDriftStatus=stack.drift_status, LastCheckTimestamp=stack.drift_checked)


def list_stacks(world: World, request: Parameters) -> dict[str, Any]:
    """ListStacks: deleted ones too."""
    wanted = request.get("StackStatusFilter")
    stacks = [stack for stack in reversed(world.store.stacks) if not wanted or stack.status in wanted]
    shown, token = forward_page(stacks, request, world.page_size)
    summaries = [
        present(
            StackId=stack.id,
            StackName=stack.name,
            CreationTime=stack.created,
            LastUpdatedTime=stack.updated,
            DeletionTime=stack.deleted,
            StackStatus=stack.status,
            StackStatusReason=stack.reason,
            ParentId=stack.parent_id,
            RootId=stack.root_id,
            DriftInformation=_drift(stack),
        )
        for stack in shown
    ]
    return {"StackSummaries": summaries, **token}


def describe_stack_events(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeStackEvents: newest first."""
    stack = world.get(request["StackName"], "Stack [{}] does not exist")
    shown, token = page(stack.events, request, world.page_size)
    return {"StackEvents": [_event(stack, event) for event in shown], **token}


def _event(stack: Stack, event: Event) -> dict[str, Any]:
    return present(
        StackId=stack.id,
        StackName=stack.name,
        EventId=event.id,
        OperationId=event.operation_id,
        LogicalResourceId=event.logical_id,
        PhysicalResourceId=event.physical_id,
        ResourceType=event.type,
        Timestamp=event.time,
        # The real service also shows stack statuses here that its model leaves out.
        ResourceStatus=Unmodelled(event.status) if event.type == STACK else event.status,
        ResourceStatusReason=event.reason,
        ResourceProperties=event.properties,
        ClientRequestToken=event.token,
    )


def describe_events(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeEvents: the events of a stack, an operation or a change set, with what validations found."""
    entries: list[tuple[float, dict[str, Any]]] = []
    for stack in _asked(world, request):
        if "ChangeSetName" not in request:
            entries += [(event.time, _operation_event(stack, event)) for event in stack.events]
        entries += [
            (problem.time, _validation_event(stack, problem)) for item in stack.change_sets for problem in item.problems
        ]
    if "ChangeSetName" in request:
        wanted: str | None = find_change_set(world, request)[1].operation_id
    else:
        wanted = request.get("OperationId")
    shown = [
        entry
        for _, entry in sorted(entries, key=lambda item: item[0])
        if wanted in (None, entry["OperationId"])
        and (not request.get("Filters", {}).get("FailedEvents") or _failed(entry))
    ]
    result, token = page(shown, request, world.page_size)
    return {"OperationEvents": result, **token}


def _asked(world: World, request: Parameters) -> list[Stack]:
    if "ChangeSetName" in request:
        return [find_change_set(world, request)[0]]
    if "StackName" in request:
        return [world.get(request["StackName"], "Stack [{}] does not exist")]
    return world.store.stacks


def _failed(entry: dict[str, Any]) -> bool:
    return entry["EventType"] == "VALIDATION_ERROR" or str(entry.get("ResourceStatus")).endswith("_FAILED")


def _operation_event(stack: Stack, event: Event) -> dict[str, Any]:
    entry = _event(stack, event)
    del entry["StackName"]
    failed = event.status.endswith("_FAILED") and event.logical_id != stack.name
    return entry | {
        "OperationType": event.operation_type,
        "EventType": "PROVISIONING_ERROR" if failed else "STACK_EVENT",
    }


def _validation_event(stack: Stack, problem: Problem) -> dict[str, Any]:
    return {
        "EventId": problem.id,
        "StackId": stack.id,
        "OperationId": problem.operation_id,
        "OperationType": "CREATE_CHANGESET",
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": problem.logical_id,
        "ResourceType": problem.type,
        "Timestamp": problem.time,
        "ValidationName": problem.name,
        "ValidationStatus": "FAILED",
        "ValidationStatusReason": problem.reason,
        "ValidationPath": problem.path,
        "ValidationFailureMode": problem.mode,
    }


def list_stack_resources(world: World, request: Parameters) -> dict[str, Any]:
    """ListStackResources."""
    stack = world.get(request["StackName"])
    shown, token = forward_page(list(stack.resources.values()), request, world.page_size)
    return {"StackResourceSummaries": [_summary(resource) for resource in shown], **token}


def _summary(resource: Resource) -> dict[str, Any]:
    return present(
        LogicalResourceId=resource.logical_id,
        PhysicalResourceId=resource.physical_id,
        ResourceType=resource.type,
        LastUpdatedTimestamp=resource.updated,
        ResourceStatus=resource.status,
        ResourceStatusReason=resource.reason,
        DriftInformation={"StackResourceDriftStatus": resource.drift_status},
    )


def describe_stack_resources(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeStackResources: the first 100 of a stack, or of the stack that owns a physical id."""
    if "PhysicalResourceId" in request:
        stack = _owner(world, request["PhysicalResourceId"])
    else:
        stack = world.get(request["StackName"])
    wanted = request.get("LogicalResourceId")
    chosen = [item for item in stack.resources.values() if wanted in (None, item.logical_id)]
    return {"StackResources": [_resource(stack, resource) for resource in chosen[:100]]}


def _owner(world: World, physical_id: str) -> Stack:
    for stack in world.store.stacks:
        if any(item.exists and item.physical_id == physical_id for item in stack.resources.values()) and not stack.gone:
            return stack
    raise validation(f"Stack for {physical_id} does not exist")


def _resource(stack: Stack, resource: Resource) -> dict[str, Any]:
    entry = _summary(resource) | {"StackId": stack.id, "StackName": stack.name}
    return entry | {"Timestamp": entry.pop("LastUpdatedTimestamp")}


def describe_stack_resource(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeStackResource."""
    stack = world.get(request["StackName"], "Stack '{}' does not exist")
    resource = stack.resources.get(request["LogicalResourceId"])
    if resource is None:
        raise validation(f"Resource {request['LogicalResourceId']} does not exist for stack {stack.name}")
    entry = _summary(resource) | {"StackId": stack.id, "StackName": stack.name}
    metadata = resource.definition.get("Metadata")
    return {"StackResourceDetail": entry | ({"Metadata": json.dumps(metadata)} if metadata else {})}


def get_template(world: World, request: Parameters) -> dict[str, Any]:
    """GetTemplate: the text as it was given."""
    if "ChangeSetName" in request:
        body = find_change_set(world, request)[1].source.body
    else:
        body = world.get(request["StackName"]).source.body
    return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}


def get_template_summary(world: World, request: Parameters) -> dict[str, Any]:
    """GetTemplateSummary."""
    body = world.get(request["StackName"]).source.body if "StackName" in request else template_body(world, request)
    template = parse(body)
    resources = template["Resources"].values()
    needed = {required_capability(item["Type"], item.get("Properties", {})) for item in resources} - {None}
    transforms = template.get("Transform", [])
    return present(
        Parameters=[_declaration(name, item) for name, item in template.get("Parameters", {}).items()],
        Description=template.get("Description"),
        Capabilities=sorted(str(item) for item in needed),
        ResourceTypes=sorted({item["Type"] for item in resources}),
        Version=str(template.get("AWSTemplateFormatVersion", "2010-09-09")),
        DeclaredTransforms=[transforms] if isinstance(transforms, str) else transforms,
    )


def _declaration(name: str, declared: dict[str, Any]) -> dict[str, Any]:
    default = declared.get("Default")
    allowed = declared.get("AllowedValues")
    return present(
        ParameterKey=name,
        DefaultValue=None if default is None else str(default),
        ParameterType=declared["Type"],
        NoEcho=str(declared.get("NoEcho", "false")).lower() == "true",
        Description=declared.get("Description"),
        ParameterConstraints={"AllowedValues": [str(item) for item in allowed]} if allowed else None,
    )


def get_stack_policy(world: World, request: Parameters) -> dict[str, Any]:
    """GetStackPolicy."""
    return present(StackPolicyBody=world.living(request["StackName"]).policy)


def list_exports(world: World, request: Parameters) -> dict[str, Any]:
    """ListExports."""
    exports = [
        {"ExportingStackId": stack.id, "Name": name, "Value": value} for name, (stack, value) in world.exports().items()
    ]
    shown, token = forward_page(exports, request, world.page_size)
    return {"Exports": shown, **token}


def list_imports(world: World, request: Parameters) -> dict[str, Any]:
    """ListImports: who uses an export."""
    name = request["ExportName"]
    users = world.importers(name)
    if not users:
        raise validation(f"Export '{name}' is not imported by any stack.")
    shown, token = forward_page(users, request, world.page_size)
    return {"Imports": shown, **token}


OPERATIONS = {
    "DescribeEvents": describe_events,
    "DescribeStackEvents": describe_stack_events,
    "DescribeStackResource": describe_stack_resource,
    "DescribeStackResources": describe_stack_resources,
    "DescribeStacks": describe_stacks,
    "GetStackPolicy": get_stack_policy,
    "GetTemplate": get_template,
    "GetTemplateSummary": get_template_summary,
    "ListExports": list_exports,
    "ListImports": list_imports,
    "ListStackResources": list_stack_resources,
    "ListStacks": list_stacks,
}
