from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archlib import Stack
from archlib.components.containers.discovery import Namespace
from archlib.core.values import encode


def test_is_called_after_the_environment(stack: Stack, properties: Callable[[str], dict[str, Any]]) -> None:
    namespace = Namespace(stack, "backend")

    assert properties("BackendNamespace")["Name"] == "shop-test-backend"
    assert encode(namespace.arn) == {"Fn::GetAtt": ["BackendNamespace", "Arn"]}
