from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.observability.tracing import Sampling, Tracing
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]


def test_samples_a_request_each_second_and_one_in_twenty_of_the_rest(stack: Stack, rendered: Rendered) -> None:
    Tracing(stack, "shop")

    assert rendered()["ShopRequestsSamplingRule"]["Properties"]["SamplingRule"] == {
        "FixedRate": 0.05,
        "HTTPMethod": "*",
        "Host": "*",
        "Priority": 1000,
        "ReservoirSize": 1,
        "ResourceARN": "*",
        "RuleName": "shop-test-requests",
        "ServiceName": "*",
        "ServiceType": "*",
        "URLPath": "*",
        "Version": 1,
    }


def test_groups_faults_and_slow_answers_with_insights(stack: Stack, rendered: Rendered) -> None:
    Tracing(stack, "shop")

    found = rendered()
    faults = found["ShopFaultsTraceGroup"]["Properties"]
    assert faults["FilterExpression"] == "fault = true OR error = true"
    assert faults["GroupName"] == "shop-test-faults"
    assert faults["InsightsConfiguration"] == {"InsightsEnabled": True, "NotificationsEnabled": True}
    assert found["ShopSlowTraceGroup"]["Properties"]["FilterExpression"] == "responsetime > 1"


def test_rules_and_groups_can_be_chosen(stack: Stack, rendered: Rendered) -> None:
    rule = Sampling("checkout", rate=1, reservoir=10, priority=5, service="api", method="POST", path="/orders/*")
    tracing = Tracing(stack, "shop", rules=[rule], groups={"orders": 'http.url CONTAINS "orders"'}, insights=False)

    found = rendered()
    properties = found["ShopCheckoutSamplingRule"]["Properties"]["SamplingRule"]
    assert (properties["FixedRate"], properties["ReservoirSize"], properties["Priority"]) == (1, 10, 5)
    assert (properties["ServiceName"], properties["HTTPMethod"], properties["URLPath"]) == ("api", "POST", "/orders/*")
    assert found["ShopOrdersTraceGroup"]["Properties"]["InsightsConfiguration"]["InsightsEnabled"] is False
    assert tracing.resource.title == "ShopCheckoutSamplingRule"
    assert "ShopFaultsTraceGroup" not in found


def test_groups_alone_are_enough(stack: Stack) -> None:
    assert Tracing(stack, "shop", rules=()).resource.title == "ShopFaultsTraceGroup"


def test_a_long_name_of_the_app_is_cut_to_what_x_ray_takes() -> None:
    app = App("a-very-long-name-of-an-application", "production")
    Tracing(Stack(app, "main"), "shop")

    group = app.assemble()[0].template["Resources"]["ShopFaultsTraceGroup"]["Properties"]["GroupName"]
    assert group == "a-very-long-na-production-faults"
    assert len(group) == 32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rules": [Sampling("x", rate=1.5)]}, "rate of 'x' must be 0 to 1, got 1.5"),
        ({"rules": [Sampling("x", rate=-0.1)]}, "rate of 'x' must be 0 to 1, got -0.1"),
        ({"rules": [Sampling("x", reservoir=-1)]}, "reservoir of 'x' must be 0 or more, got -1"),
        ({"rules": [Sampling("x", priority=0)]}, "priority of 'x' must be 1 to 9999, got 0"),
        ({"rules": [Sampling("x", priority=10_000)]}, "priority of 'x' must be 1 to 9999, got 10000"),
        ({"rules": [Sampling("x", method="get")]}, "method of 'x' must be * or such as GET, got 'get'"),
        ({"rules": [], "groups": {}}, "rules must be one or more where groups is empty"),
        ({"groups": {"a" * 30: "error"}}, "name must be 32 characters or less with the environment"),
    ],
)
def test_refuses_what_x_ray_would(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Tracing(stack, "shop", **settings)

    assert f"tracing 'shop': {message}" in str(caught.value)


@pytest.mark.parametrize("settings", [{"rules": [Sampling("No Name")]}, {"groups": {"No Name": "error"}}])
def test_names_are_kebab_case(stack: Stack, settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="must be kebab-case"):
        Tracing(stack, "shop", **settings)
