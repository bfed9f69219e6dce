from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import Stack
from archlib.components.edge.health_check import HealthCheck
from archlib.core.values import encode
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]

PATH = "a path such as '/health', with a leading '/' and without spaces, up to 255 characters"


def test_asks_by_https_from_around_the_world(stack: Stack, rendered: Rendered) -> None:
    HealthCheck(stack, "shop", host="shop.example.com", path="/health")

    assert rendered()["ShopHealthCheck"]["Properties"]["HealthCheckConfig"] == {
        "EnableSNI": True,
        "FailureThreshold": 3,
        "FullyQualifiedDomainName": "shop.example.com",
        "Port": 443,
        "RequestInterval": 30,
        "ResourcePath": "/health",
        "Type": "HTTPS",
    }


def test_looks_for_a_text_when_asked(stack: Stack, rendered: Rendered) -> None:
    HealthCheck(stack, "shop", host="shop.example.com", contains="well", interval=timedelta(seconds=10))

    found = rendered()["ShopHealthCheck"]["Properties"]["HealthCheckConfig"]

    assert (found["Type"], found["SearchString"], found["RequestInterval"]) == ("HTTPS_STR_MATCH", "well", 10)


def test_its_metric_is_in_one_region(stack: Stack) -> None:
    (watch,) = HealthCheck(stack, "shop", host="shop.example.com").watches()

    assert (watch.region, watch.metric, watch.comparison, watch.threshold) == ("us-east-1", "HealthCheckStatus", "<", 1)
    assert encode(watch.dimensions) == {"HealthCheckId": {"Fn::GetAtt": ["ShopHealthCheck", "HealthCheckId"]}}


def test_all_wrong_settings_are_told_at_once(stack: Stack) -> None:
    with pytest.raises(SettingsError) as caught:
        HealthCheck(
            stack, "shop", host="Shop.example.com", path="health", port=0, contains="", interval=timedelta(seconds=20),
            failures=11,
        )  # fmt: skip

    assert [problem.message.partition(": ")[2] for problem in caught.value.problems] == [
        "host must be a host name such as shop.example.com, got 'Shop.example.com'; write 'shop.example.com'",
        f"path must be {PATH}, got 'health'",
        "port must be 1 to 65535, got 0",
        "contains must be 1 to 255, got 0",
        "interval must be 10s or 30s, got 20s",
        "failures must be 1 to 10, got 11",
    ]
