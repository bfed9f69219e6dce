from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.containers.cluster import Cluster
from archlib.components.containers.service import FargateService
from contract.factories.containers import IMAGE, NETWORK


@pytest.fixture
def cluster(app: App) -> Cluster:
    return Cluster(Stack(app, "platform"), "main")


@pytest.fixture
def serve(stack: Stack, cluster: Cluster) -> Callable[..., FargateService]:
    """Make the service ``orders``, or another."""

    def make(name: str = "orders", **settings: Any) -> FargateService:
        settings = {"cluster": cluster, "network": NETWORK, "image": IMAGE, **settings}
        return FargateService(settings.pop("stack", stack), name, **settings)

    return make


@pytest.fixture
def properties(rendered: Callable[[], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """Return the properties of the resource with a logical id."""
    return lambda title: rendered()[title].get("Properties", {})


@pytest.fixture
def containers(properties: Callable[[str], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return the containers of the service ``orders`` by name."""

    def find() -> dict[str, Any]:
        return {found["Name"]: found for found in properties("OrdersServiceTask")["ContainerDefinitions"]}

    return find
