from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import Stack
from archlib.components.containers.deployment import Deployment
from archlib.components.containers.service import FargateService
from archlib.components.messaging.topic import Topic
from archlib.errors import SettingsError, WiringError
from archlib.wiring.binding import TargetGroup
from archlib.wiring.scaling import Scaling
from contract.factories.containers import target_group

Serve = Callable[..., FargateService]
Rendered = Callable[[], dict[str, Any]]


def settings(rendered: Rendered) -> dict[str, Any]:
    found: dict[str, Any] = rendered()["OrdersService"]["Properties"]["DeploymentConfiguration"]
    return found


def test_tasks_are_replaced_one_after_the_other_and_taken_back(serve: Serve, rendered: Rendered) -> None:
    serve()

    assert settings(rendered) == {
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        "MaximumPercent": 200,
        "MinimumHealthyPercent": 100,
        "Strategy": "ROLLING",
    }


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        (Deployment("rolling", minimum_percent=50, maximum_percent=150), {"MinimumHealthyPercent": 50}),
        (Deployment("blue-green", bake=timedelta(minutes=30)), {"Strategy": "BLUE_GREEN", "BakeTimeInMinutes": 30}),
        (
            Deployment("canary", shift_percent=5, shift_every=timedelta(minutes=10)),
            {"Strategy": "CANARY", "CanaryConfiguration": {"CanaryBakeTimeInMinutes": 10, "CanaryPercent": 5}},
        ),
        (
            Deployment("linear", shift_percent=25),
            {"Strategy": "LINEAR", "LinearConfiguration": {"StepBakeTimeInMinutes": 5, "StepPercent": 25}},
        ),
    ],
)
def test_strategies(
    serve: Serve, stack: Stack, rendered: Rendered, deployment: Deployment, expected: dict[str, Any]
) -> None:
    orders = serve(deployment=deployment)
    orders.join(target_group(stack, second=True))

    assert settings(rendered).items() >= expected.items()


def test_errors_and_failing_tasks_take_a_version_back(serve: Serve, stack: Stack, rendered: Rendered) -> None:
    orders = serve(deployment=Deployment(errors=25))
    orders.join(target_group(stack))

    found = rendered()
    errors = found["OrdersRollbackErrorsAlarm"]["Properties"]

    assert settings(rendered)["Alarms"] == {
        "AlarmNames": [{"Ref": "OrdersRollbackErrorsAlarm"}, {"Ref": "OrdersRollbackUnhealthyAlarm"}],
        "Enable": True,
        "Rollback": True,
    }
    assert (errors["MetricName"], errors["Threshold"]) == ("HTTPCode_Target_5XX_Count", 25)
    assert found["OrdersRollbackUnhealthyAlarm"]["Properties"]["MetricName"] == "UnHealthyHostCount"
    # ECS reads the alarms when it makes the service: none may need the service first.
    assert "OrdersService" not in str(errors) + str(found["OrdersRollbackUnhealthyAlarm"]["Properties"])


def test_a_network_load_balancer_knows_no_answers(serve: Serve, rendered: Rendered) -> None:
    group = TargetGroup("arn", "targetgroup/x/1", "net/x/1", "OrdersListener", timedelta(0), requests=False)
    orders = serve()
    orders.join(group)

    assert [watch.name for watch in orders.watches()] == ["cpu", "memory", "tasks", "unhealthy"]
    assert orders.watches()[-1].namespace == "AWS/NetworkELB"


def test_alarms_of_ones_own_take_a_version_back_too(serve: Serve, stack: Stack, rendered: Rendered) -> None:
    orders = serve()
    orders.take_back_on("too-few-orders")
    orders.join(target_group(stack))

    assert settings(rendered)["Alarms"]["AlarmNames"] == [
        "too-few-orders", {"Ref": "OrdersRollbackErrorsAlarm"}, {"Ref": "OrdersRollbackUnhealthyAlarm"},
    ]  # fmt: skip


def test_who_is_told_of_it_is_not_told_twice(serve: Serve, stack: Stack, rendered: Rendered) -> None:
    told = serve("web", deployment=Deployment(notify=Topic(stack, "alarms")))
    told.join(target_group(stack))

    assert rendered()["WebRollbackErrorsAlarm"]["Properties"]["AlarmActions"] == [{"Ref": "AlarmsTopic"}]
    assert [watch.name for watch in told.watches()] == ["cpu", "memory", "tasks"]


def test_requests_move_to_the_second_group_by_a_role_that_can_do_only_that(
    serve: Serve, stack: Stack, rendered: Rendered
) -> None:
    orders = serve(deployment=Deployment("blue-green"))
    orders.join(target_group(stack, second=True))

    found = rendered()
    (registered,) = found["OrdersService"]["Properties"]["LoadBalancers"]
    allowed = {
        tuple(statement["Action"]): statement["Resource"]
        for statement in found["OrdersServiceShiftPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    }

    assert "OrdersServiceShiftPolicy" in found["OrdersService"]["DependsOn"]
    assert registered["AdvancedConfiguration"] == {
        "AlternateTargetGroupArn": {"Ref": "OrdersPublicAlternateTargetGroup"},
        "ProductionListenerRule": {"Ref": "OrdersPublicRule"},
        "RoleArn": {"Fn::GetAtt": ["OrdersServiceShiftRole", "Arn"]},
    }
    assert allowed[("elasticloadbalancing:ModifyRule",)] == [{"Ref": "OrdersPublicRule"}]
    assert allowed[("elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets")] == [
        {"Ref": "OrdersPublicAlternateTargetGroup"},
        {"Ref": "OrdersPublicTargetGroup"},
    ]
    assert {"OrdersRollbackErrorsAlarm", "OrdersRollbackErrors2Alarm"} <= set(found)


def test_rolling_ignores_a_second_group(serve: Serve, stack: Stack, rendered: Rendered) -> None:
    serve().join(target_group(stack, second=True))

    assert "OrdersServiceShiftRole" not in rendered()
    assert "OrdersRollbackErrors2Alarm" not in rendered()


def test_moving_requests_takes_two_groups(serve: Serve, stack: Stack) -> None:
    orders = serve(deployment=Deployment("canary"))

    with pytest.raises(
        WiringError, match=r"deployment\.strategy must be 'rolling' behind a single target group, got 'canary'"
    ):
        orders.join(target_group(stack))


def test_requests_move_behind_one_load_balancer(serve: Serve, stack: Stack) -> None:
    group = target_group(stack, second=True)
    orders = serve(deployment=Deployment("blue-green"))
    orders.join(group)

    with pytest.raises(WiringError, match=r"deployment\.strategy must be 'rolling' behind two load balancers"):
        orders.join(group)


@pytest.mark.parametrize(
    ("deployment", "problem"),
    [
        ({"strategy": "red"}, "deployment.strategy must be one of rolling, blue-green, canary, linear, got 'red'"),
        ({"minimum_percent": 101}, "deployment.minimum_percent must be 0 to 100, got 101"),
        ({"maximum_percent": 100}, "deployment.maximum_percent must be 101 to 200, got 100"),
        ({"shift_percent": 2}, "deployment.shift_percent must be 3 to 100, got 2"),
        ({"errors": 0}, "deployment.errors must be 1 or more, got 0"),
        ({"bake": timedelta(days=2)}, "deployment.bake must be 0s to 1d, got 2d"),
        ({"shift_every": timedelta(seconds=90)}, "deployment.shift_every must be whole minutes, got 1m30s"),
    ],
)
def test_what_cannot_work_is_refused(serve: Serve, deployment: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        serve(deployment=Deployment(**deployment))


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"port": None}, "port must be given to scale by requests, or to deploy other than 'rolling', got nothing"),
        ({"scaling": Scaling(requests=100)}, "scaling must be without requests, latency and errors unless"),
    ],
)
def test_moving_requests_does_not_go_with_everything(serve: Serve, more: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        serve(deployment=Deployment("linear"), **more)
