from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.compute.instances import Instances
from archlib.components.network.vpc import Vpc
from archlib.core.values import Value
from archlib.wiring.binding import TargetGroup

Rendered = Callable[[], dict[str, Any]]


@pytest.fixture
def vpc(app: App) -> Vpc:
    return Vpc(Stack(app, "network"), "main", endpoints=Instances.needs_endpoints)


@pytest.fixture
def rendered(app: App) -> Rendered:
    """Return what renders the app: logical id -> resource, of all stacks."""
    return lambda: {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def target_group(arn: Value = "arn:aws:elasticloadbalancing:::targetgroup/app/1", **changes: Any) -> TargetGroup:
    made: dict[str, Any] = {
        "arn": arn,
        "full_name": "targetgroup/app/1",
        "load_balancer": "app/public/1",
        "ready": "AppPublicRule",
        "drain": timedelta(seconds=30),
    }
    return TargetGroup(**(made | changes))


def script(found: dict[str, Any]) -> str:
    """Return the start script of the instances ``app``, with what CloudFormation fills in as ``${...}``."""
    value = found["AppInstancesTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]
    match value:
        case {"Fn::Sub": text}:
            return str(text).replace("${!", "${")
        case {"Fn::Join": [_, parts]}:
            return "".join(part if isinstance(part, str) else f"${{{next(iter(part.values()))}}}" for part in parts)
    return str(value)
