from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archlib import Stack
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.topic import Topic
from archlib.components.observability.alarm import Alarm
from archlib.errors import SettingsError
from archlib.wiring.watch import Watch

Rendered = Callable[[], dict[str, Any]]
ERRORS = Watch("errors", "Errors of x", "AWS/Lambda", "Errors", {"FunctionName": "x"}, "Sum", 1, periods=2)


@pytest.fixture
def topic(stack: Stack) -> Topic:
    return Topic(stack, "alarms")


def test_tells_its_target_of_every_state(stack: Stack, topic: Topic, rendered: Rendered) -> None:
    Alarm(stack, "broken", watch=ERRORS, notify=topic)

    alarm = rendered()["BrokenAlarm"]["Properties"]
    del alarm["Tags"]
    assert alarm == {
        "ActionsEnabled": True,
        "AlarmActions": [{"Ref": "AlarmsTopic"}],
        "AlarmDescription": "Errors of x: >= 1 for 10m",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "DatapointsToAlarm": 2,
        "Dimensions": [{"Name": "FunctionName", "Value": "x"}],
        "EvaluationPeriods": 2,
        "InsufficientDataActions": [{"Ref": "AlarmsTopic"}],
        "MetricName": "Errors",
        "Namespace": "AWS/Lambda",
        "OKActions": [{"Ref": "AlarmsTopic"}],
        "Period": 300,
        "Statistic": "Sum",
        "Threshold": 1,
        "TreatMissingData": "notBreaching",
    }


def test_needs_nobody_to_tell(stack: Stack, rendered: Rendered) -> None:
    Alarm(stack, "broken", watch=ERRORS)

    alarm = rendered()["BrokenAlarm"]["Properties"]
    assert {"AlarmActions", "OKActions", "InsufficientDataActions"}.isdisjoint(alarm)


def test_percentiles_are_extended_statistics(stack: Stack, topic: Topic, rendered: Rendered) -> None:
    Alarm(stack, "slow", watch=replace(ERRORS, statistic="p99"), notify=topic)

    alarm = rendered()["SlowAlarm"]["Properties"]
    assert alarm["ExtendedStatistic"] == "p99"
    assert alarm["EvaluateLowSampleCountPercentile"] == "ignore"
    assert "Statistic" not in alarm


@pytest.mark.parametrize(
    ("comparison", "operator"),
    [
        (">", "GreaterThanThreshold"),
        (">=", "GreaterThanOrEqualToThreshold"),
        ("<", "LessThanThreshold"),
        ("<=", "LessThanOrEqualToThreshold"),
    ],
)
def test_compares(stack: Stack, topic: Topic, rendered: Rendered, comparison: Any, operator: str) -> None:
    Alarm(stack, "broken", watch=replace(ERRORS, comparison=comparison), notify=topic)

    assert rendered()["BrokenAlarm"]["Properties"]["ComparisonOperator"] == operator


def test_dimensions_are_sorted(stack: Stack, topic: Topic, rendered: Rendered) -> None:
    Alarm(stack, "broken", watch=replace(ERRORS, dimensions={"B": "2", "A": "1"}), notify=topic)

    names = [dimension["Name"] for dimension in rendered()["BrokenAlarm"]["Properties"]["Dimensions"]]
    assert names == ["A", "B"]


def test_cloudwatch_may_publish_and_use_the_key(stack: Stack, topic: Topic, rendered: Rendered) -> None:
    for name in ("one", "two"):
        Alarm(stack, name, watch=ERRORS, notify=topic)

    found = rendered()
    admitted = [
        statement
        for statement in found["AlarmsTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]
    assert len(admitted) == 1
    assert admitted[0]["Action"] == ["sns:Publish"]
    assert "alarm:*" in json.dumps(admitted[0]["Condition"]["ArnLike"])
    assert "cloudwatch.amazonaws.com" in json.dumps(found["AppKey"]["Properties"]["KeyPolicy"])


@pytest.mark.parametrize("period", [timedelta(seconds=10), timedelta(seconds=30), timedelta(minutes=1)])
def test_takes_the_periods_of_cloudwatch(stack: Stack, topic: Topic, rendered: Rendered, period: timedelta) -> None:
    Alarm(stack, "broken", watch=replace(ERRORS, period=period), notify=topic)

    assert rendered()["BrokenAlarm"]["Properties"]["Period"] == period.total_seconds()


def test_looks_back_a_week_by_the_hour(stack: Stack, topic: Topic) -> None:
    Alarm(stack, "broken", watch=replace(ERRORS, period=timedelta(hours=1), periods=168), notify=topic)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"period": timedelta(seconds=15)}, "period must be 10s, 20s, 30s or whole minutes, got 15s"),
        ({"period": timedelta(seconds=90)}, "period must be 10s, 20s, 30s or whole minutes, got 1m30s"),
        ({"period": timedelta(0)}, "period must be 10s, 20s, 30s or whole minutes, got 0s"),
        ({"periods": 0}, "periods must be 1 or more, got 0"),
        ({"periods": 289}, "periods must be at most 1d together, got 1d5m"),
        ({"period": timedelta(hours=1), "periods": 169}, "periods must be at most 7d together, got 7d1h"),
        ({"comparison": "=="}, "comparison must be one of >, >=, <, <=, got '=='"),
    ],
)
def test_refuses_what_cloudwatch_would(stack: Stack, topic: Topic, change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Alarm(stack, "broken", watch=replace(ERRORS, **change), notify=topic)

    assert f"alarm 'broken': {message}" in str(caught.value)


def test_there_is_one_for_each_watch_of_each_component(stack: Stack, topic: Topic, rendered: Rendered) -> None:
    watched = [Queue(stack, "jobs"), Queue(stack, "emails")]

    alarms = Alarm.each(stack, watched, notify=topic)

    found = {name for name, node in rendered().items() if node["Type"] == "AWS::CloudWatch::Alarm"}
    assert found == {str(alarm.resource.title) for alarm in alarms}
    assert {"JobsQueueOldestMessageAlarm", "JobsQueueDeadLettersAlarm", "EmailsQueueOldestMessageAlarm"} <= found
    assert len(found) == sum(len(queue.watches()) for queue in watched)
