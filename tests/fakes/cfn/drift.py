"""Drift detection."""

from __future__ import annotations

from typing import Any

from fakes.cfn.provision import as_json, changed_properties
from fakes.cfn.requests import Parameters, forward_page, present
from fakes.cfn.state import STACK, Resource, Stack
from fakes.cfn.world import World
from fakes.errors import validation
from fakes.simulation import Process


def detect_stack_drift(world: World, request: Parameters) -> dict[str, Any]:
    """DetectStackDrift."""
    stack = world.living(request["StackName"])
    if stack.busy or stack.status == "REVIEW_IN_PROGRESS":
        raise validation(f"Drift detection cannot be started for stack [{stack.id}] in status {stack.status}")
    detection_id = world.new_id("detection")
    world.store.detections[detection_id] = {
        "StackId": stack.id,
        "StackDriftDetectionId": detection_id,
        "DetectionStatus": "DETECTION_IN_PROGRESS",
        "Timestamp": world.now,
    }
    wanted = set(request.get("LogicalResourceIds", [])) or stack.resources.keys()
    world.simulation.start(_detect(world, stack, detection_id, set(wanted)))
    return {"StackDriftDetectionId": detection_id}


def _detect(world: World, stack: Stack, detection_id: str, wanted: set[str]) -> Process:
    yield world.timing.drift
    for resource in stack.resources.values():
        if resource.exists and resource.logical_id in wanted and resource.type != STACK:
            resource.drift_status = _status(resource)
    drifted = [item for item in stack.resources.values() if item.drift_status in ("MODIFIED", "DELETED")]
    stack.drift_status = "DRIFTED" if drifted else "IN_SYNC"
    stack.drift_checked = world.now
    world.store.detections[detection_id] |= {
        "DetectionStatus": "DETECTION_COMPLETE",
        "StackDriftStatus": stack.drift_status,
        "DriftedStackResourceCount": len(drifted),
    }


def _status(resource: Resource) -> str:
    if resource.deleted_outside:
        return "DELETED"
    modified = resource.actual is not None and resource.actual != resource.properties
    return "MODIFIED" if modified else "IN_SYNC"


def describe_detection(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeStackDriftDetectionStatus."""
    detection_id = request["StackDriftDetectionId"]
    if detection_id not in world.store.detections:
        raise validation(f"Drift detection with id [{detection_id}] does not exist")
    return world.store.detections[detection_id]


def describe_resource_drifts(world: World, request: Parameters) -> dict[str, Any]:
    """DescribeStackResourceDrifts."""
    stack = world.living(request["StackName"])
    wanted = request.get("StackResourceDriftStatusFilters")
    chosen = [
        item
        for item in stack.resources.values()
        if item.drift_status != "NOT_CHECKED" and (not wanted or item.drift_status in wanted)
    ]
    shown, token = forward_page(chosen, request, request.get("MaxResults", world.page_size))
    return {"StackResourceDrifts": [_drift(stack, resource) for resource in shown], **token}


def _drift(stack: Stack, resource: Resource) -> dict[str, Any]:
    actual = resource.properties if resource.actual is None else resource.actual
    return present(
        StackId=stack.id,
        LogicalResourceId=resource.logical_id,
        PhysicalResourceId=resource.physical_id,
        ResourceType=resource.type,
        ExpectedProperties=as_json(resource.properties),
        ActualProperties=None if resource.deleted_outside else as_json(actual),
        PropertyDifferences=[
            {
                "PropertyPath": f"/{name}",
                "ExpectedValue": str(resource.properties.get(name, "null")),
                "ActualValue": str(actual.get(name, "null")),
                "DifferenceType": _difference(resource.properties, actual, name),
            }
            for name in sorted(changed_properties(resource.properties, actual))
        ],
        StackResourceDriftStatus=resource.drift_status,
        Timestamp=stack.drift_checked,
    )


def _difference(expected: dict[str, Any], actual: dict[str, Any], name: str) -> str:
    if name not in expected:
        return "ADD"
    return "NOT_EQUAL" if name in actual else "REMOVE"


OPERATIONS = {
    "DescribeStackDriftDetectionStatus": describe_detection,
    "DescribeStackResourceDrifts": describe_resource_drifts,
    "DetectStackDrift": detect_stack_drift,
}
