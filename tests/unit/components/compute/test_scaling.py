from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.compute.agent import Agent
from archlib.components.compute.instances import Instances
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError, WiringError
from archlib.wiring.scaling import Scaling, ScheduledSize, Step
from unit.components.compute.conftest import Rendered, target_group


def test_keeps_the_cpu_at_a_level(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, scaling=Scaling(cpu=50))

    found = rendered()["AppInstancesCpuScaling"]["Properties"]
    assert found["PolicyType"] == "TargetTrackingScaling"
    assert found["TargetTrackingConfiguration"] == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        "TargetValue": 50,
    }


def test_keeps_the_memory_at_a_level_the_agent_measures(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, scaling=Scaling(cpu=None, memory=60), agent=Agent())

    found = rendered()
    assert "AppInstancesCpuScaling" not in found
    specification = found["AppInstancesMemoryScaling"]["Properties"]["TargetTrackingConfiguration"]
    assert specification["CustomizedMetricSpecification"] == {
        "Dimensions": [{"Name": "Group", "Value": "shop-test-app"}],
        "MetricName": "mem_used_percent",
        "Namespace": "CWAgent",
        "Statistic": "Average",
    }


def test_keeps_the_requests_of_each_target_at_a_level(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    made = Instances(stack, "app", network=vpc, scaling=Scaling(requests=500))
    made.join(target_group(ready="AppInstancesPolicy"))
    made.join(target_group("arn:two", ready="AppInstancesPolicy"))

    found = rendered()["AppInstancesRequestsScaling"]
    assert found["Properties"]["TargetTrackingConfiguration"] == {
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "ALBRequestCountPerTarget",
            "ResourceLabel": "app/public/1/targetgroup/app/1",
        },
        "TargetValue": 500,
    }
    assert found["DependsOn"] == "AppInstancesPolicy"


def test_a_step_follows_its_alarm(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    steps = [Step("cpu", 2, above=80), Step("cpu", -1, below=20, minutes=5)]
    Instances(stack, "app", network=vpc, scaling=Scaling(steps=steps))

    found = rendered()
    more, less = found["AppInstancesCpuAboveScaling"], found["AppInstancesCpuBelowScaling"]
    assert more["Properties"]["PolicyType"] == "StepScaling"
    assert more["Properties"]["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 2}]
    assert less["Properties"]["StepAdjustments"] == [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -1}]
    alarm = found["AppInstancesCpuBelowAlarm"]["Properties"]
    assert alarm["AlarmActions"] == [{"Ref": "AppInstancesCpuBelowScaling"}]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 20)
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (60, 5)


def test_steps_of_requests_watch_the_target_group(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    steps = [Step("latency", 1, above=200), Step("errors", 1, above=10)]
    made = Instances(stack, "app", network=vpc, scaling=Scaling(steps=steps))
    made.join(target_group(ready="AppInstancesPolicy"))

    found = rendered()
    alarm = found["AppInstancesLatencyAboveAlarm"]["Properties"]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("TargetResponseTime", 0.2)
    assert found["AppInstancesErrorsAboveAlarm"]["Properties"]["MetricName"] == "HTTPCode_Target_5XX_Count"


def test_simple_steps_wait_for_their_cooldown(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    scaling = Scaling(
        steps=[Step("cpu", 1, above=80), Step("cpu", -1, below=20)],
        scale_out_cooldown=timedelta(seconds=90),
        scale_in_cooldown=timedelta(seconds=400),
    )
    Instances(stack, "app", network=vpc, scaling=scaling, simple_steps=True)

    found = rendered()
    for name, change, cooldown in (("Above", 1, "90"), ("Below", -1, "400")):
        properties = found[f"AppInstancesCpu{name}Scaling"]["Properties"]
        assert properties["PolicyType"] == "SimpleScaling"
        assert (properties["ScalingAdjustment"], properties["Cooldown"]) == (change, cooldown)
    group = found["AppInstances"]["Properties"]
    assert (group["DefaultInstanceWarmup"], group["Cooldown"]) == (90, "400")


def test_the_clock_changes_the_limits(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    schedule = {
        "morning": ScheduledSize("cron(0 8 ? * MON-FRI *)", minimum=4, timezone="Europe/Berlin"),
        "sale": ScheduledSize("at(2030-01-31T08:00:00)", maximum=20),
    }
    Instances(stack, "app", network=vpc, scaling=Scaling(schedule=schedule))

    found = rendered()
    group = {"AutoScalingGroupName": {"Ref": "AppInstances"}}
    assert found["AppInstancesMorningSchedule"]["Properties"] == {
        **group,
        "MinSize": 4,
        "Recurrence": "0 8 * * 1-5",
        "TimeZone": "Europe/Berlin",
    }
    assert found["AppInstancesSaleSchedule"]["Properties"] == {
        **group,
        "MaxSize": 20,
        "StartTime": "2030-01-31T08:00:00Z",
    }


def test_requests_come_from_a_load_balancer(app: App, stack: Stack, vpc: Vpc) -> None:
    Instances(stack, "app", network=vpc, scaling=Scaling(requests=500))

    with pytest.raises(WiringError, match="scaling by requests needs a load balancer in front, got none") as caught:
        app.assemble()
    assert caught.value.problems[0].origin is not None


def test_requests_are_counted_by_an_application_load_balancer(stack: Stack, vpc: Vpc) -> None:
    made = Instances(stack, "app", network=vpc, scaling=Scaling(requests=500))

    with pytest.raises(WiringError, match="needs an application load balancer"):
        made.join(target_group(requests=False))


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        (Scaling(steps=[Step("memory", 1, above=80)]), "agent must be given to scale by memory"),
        (Scaling(schedule={"x": ScheduledSize("rate(1 hour)", 1)}), "scaling.schedule.x.when must be at("),
        (Scaling(schedule={"x": ScheduledSize("cron(0 8 L * ? *)", 1)}), "scaling.schedule.x.when must be at("),
        (
            Scaling(schedule={"x": ScheduledSize("at(2030-01-31T08:00:00)", 1, timezone="Europe/Berlin")}),
            "scaling.schedule.x.timezone must be UTC",
        ),
        (Scaling(schedule={"A B": ScheduledSize("cron(0 8 * * ? *)", 1)}), "schedule 'A B': name must be kebab-case"),
    ],
)
def test_refuses_what_groups_do_not_know(stack: Stack, vpc: Vpc, scaling: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Instances(stack, "app", network=vpc, scaling=scaling)

    assert message in str(caught.value)
