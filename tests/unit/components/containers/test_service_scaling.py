from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.containers.service import FargateService
from archlib.errors import SettingsError, WiringError
from archlib.wiring.scaling import Scaling, ScheduledSize, Step
from contract.factories.containers import target_group

Serve = Callable[..., FargateService]
Properties = Callable[[str], dict[str, Any]]
Rendered = Callable[[], dict[str, Any]]


def scaled(rendered: Rendered) -> set[str]:
    return {name for name, node in rendered().items() if node["Type"].startswith("AWS::ApplicationAutoScaling")}


def test_follows_the_cpu_and_keeps_the_number_it_finds(serve: Serve, properties: Properties) -> None:
    serve()

    target = properties("OrdersServiceScaling")
    policy = properties("OrdersServiceCpuScaling")

    assert "DesiredCount" not in properties("OrdersService")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 10)
    # The cluster is in another stack.
    assert target["ResourceId"] == {"Fn::Sub": "service/${MainCluster}/${OrdersService.Name}"}
    assert target["ScalableDimension"] == "ecs:service:DesiredCount"
    assert policy["ScalingTargetId"] == {"Ref": "OrdersServiceScaling"}
    assert policy["TargetTrackingScalingPolicyConfiguration"] == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        "ScaleInCooldown": 300,
        "ScaleOutCooldown": 60,
        "TargetValue": 70,
    }


def test_a_fixed_number_is_written_down(serve: Serve, properties: Properties, rendered: Rendered) -> None:
    serve(scaling=Scaling(minimum=3, maximum=3))

    assert properties("OrdersService")["DesiredCount"] == 3
    assert scaled(rendered) == set()


def test_a_fixed_number_follows_no_requests_either(
    serve: Serve, stack: Stack, properties: Properties, rendered: Rendered
) -> None:
    orders = serve(scaling=Scaling(minimum=3, maximum=3, requests=500, steps=[Step("latency", 1, above=200)]))
    orders.join(target_group(stack))

    assert properties("OrdersService")["DesiredCount"] == 3
    assert scaled(rendered) == set()


def test_a_number_that_is_asked_for_is_written_down_too(serve: Serve, properties: Properties) -> None:
    serve(scaling=Scaling(minimum=2, maximum=20, desired=5))

    assert properties("OrdersService")["DesiredCount"] == 5
    assert properties("OrdersServiceScaling")["MinCapacity"] == 2


def test_memory_and_clock_decide_as_well(serve: Serve, properties: Properties, rendered: Rendered) -> None:
    schedule = {
        "night": ScheduledSize("cron(0 20 * * ? *)", minimum=0, maximum=1, timezone="Europe/Berlin"),
        "day": ScheduledSize("cron(0 6 * * ? *)", minimum=4),
        "sale": ScheduledSize("at(2030-11-29T00:00:00)", maximum=9),
    }
    serve(scaling=Scaling(minimum=4, maximum=4, cpu=None, memory=80, schedule=schedule))

    assert scaled(rendered) == {"OrdersServiceScaling", "OrdersServiceMemoryScaling"}
    assert properties("OrdersServiceScaling")["ScheduledActions"] == [
        {
            "ScheduledActionName": "day",
            "Schedule": "cron(0 6 * * ? *)",
            "Timezone": "UTC",
            "ScalableTargetAction": {"MinCapacity": 4},
        },
        {
            "ScheduledActionName": "night",
            "Schedule": "cron(0 20 * * ? *)",
            "Timezone": "Europe/Berlin",
            "ScalableTargetAction": {"MaxCapacity": 1, "MinCapacity": 0},
        },
        {
            "ScheduledActionName": "sale",
            "Schedule": "at(2030-11-29T00:00:00)",
            "Timezone": "UTC",
            "ScalableTargetAction": {"MaxCapacity": 9},
        },
    ]
    assert "DesiredCount" not in properties("OrdersService")


def test_requests_decide_behind_a_load_balancer(serve: Serve, stack: Stack, rendered: Rendered) -> None:
    orders = serve(scaling=Scaling(requests=500))
    orders.join(target_group(stack))

    policy = rendered()["OrdersServiceRequestsScaling"]
    tracked = policy["Properties"]["TargetTrackingScalingPolicyConfiguration"]

    assert policy["DependsOn"] == "OrdersService"
    assert tracked["TargetValue"] == 500
    assert tracked["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "ALBRequestCountPerTarget",
        "ResourceLabel": {"Fn::Sub": "app/public/0123456789abcdef/${OrdersPublicTargetGroup.TargetGroupFullName}"},
    }


@pytest.mark.parametrize(
    ("step", "name", "adjustment", "cooldown", "metric"),
    [
        (Step("cpu", 2, above=90), "CpuAbove", {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}, 60,
         "CPUUtilization"),
        (Step("memory", -1, below=20), "MemoryBelow", {"MetricIntervalUpperBound": 0.0, "ScalingAdjustment": -1}, 120,
         "MemoryUtilization"),
        (Step("latency", 3, above=200), "LatencyAbove", {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 3}, 60,
         "TargetResponseTime"),
        (Step("errors", 1, above=5), "ErrorsAbove", {"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}, 60,
         "HTTPCode_Target_5XX_Count"),
    ],
)  # fmt: skip
def test_steps_are_started_by_alarms(  # noqa: PLR0917  (what the cases hold)
    serve: Serve,
    stack: Stack,
    properties: Properties,
    step: Step,
    name: str,
    adjustment: dict[str, Any],
    cooldown: int,
    metric: str,
) -> None:
    orders = serve(scaling=Scaling(steps=[step], scale_in_cooldown=timedelta(minutes=2)))
    orders.join(target_group(stack))

    policy = properties(f"OrdersService{name}Scaling")
    alarm = properties(f"OrdersScaling{name}Alarm")

    assert policy["PolicyType"] == "StepScaling"
    assert policy["StepScalingPolicyConfiguration"]["StepAdjustments"] == [adjustment]
    assert policy["StepScalingPolicyConfiguration"]["Cooldown"] == cooldown
    assert alarm["MetricName"] == metric
    assert alarm["AlarmActions"] == [{"Ref": f"OrdersService{name}Scaling"}]


def test_only_the_first_that_counts_requests_decides(serve: Serve, stack: Stack, rendered: Rendered) -> None:
    orders = serve(scaling=Scaling(requests=500))
    counting = target_group(stack)
    orders.join(replace(counting, arn="arn-of-a-network-load-balancer", requests=False))
    orders.join(counting)
    orders.join(replace(counting, full_name="targetgroup/another/1"))

    assert "another" not in str(rendered()["OrdersServiceRequestsScaling"])
    assert len(rendered()["OrdersService"]["Properties"]["LoadBalancers"]) == 3


@pytest.mark.parametrize("scaling", [Scaling(requests=500), Scaling(steps=[Step("latency", 1, above=200)])])
def test_nothing_counts_requests_without_a_load_balancer(app: App, serve: Serve, scaling: Scaling) -> None:
    serve(scaling=scaling)

    with pytest.raises(WiringError, match=r"\.py:\d+: service 'orders': scaling by requests, latency or errors needs"):
        app.assemble()


@pytest.mark.parametrize(
    ("scaling", "problem"),
    [
        (Scaling(minimum=5, maximum=4), "scaling.maximum must be 5 or more, got 4"),
        (Scaling(desired=11), "scaling.desired must be 2 to 10, got 11; between scaling.minimum and scaling.maximum"),
        (Scaling(cpu=0), "scaling.cpu must be 1 to 100, got 0"),
    ],
)
def test_what_cannot_work_is_refused(serve: Serve, scaling: Scaling, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        serve(scaling=scaling)
