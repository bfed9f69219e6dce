import json
from datetime import timedelta
from typing import Any

import pytest
from troposphere import Ref

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.functions.schedule import Schedule
from archlib.components.functions.schedule_group import ScheduleGroup
from archlib.components.messaging.bus import Bus
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.stream import Stream
from archlib.components.messaging.topic import Topic
from archlib.core.values import encode
from archlib.errors import SettingsError

CODE = Code(inline="def handler(event, context):\n    return event\n")


def resources(app: App) -> dict[str, Any]:
    return {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def statements(app: App) -> list[tuple[list[str], list[Any]]]:
    document = resources(app)["NightlySchedulePolicy"]["Properties"]["PolicyDocument"]
    return [(statement["Action"], statement["Resource"]) for statement in document["Statement"]]


def target_of(app: App) -> dict[str, Any]:
    return dict(resources(app)["NightlySchedule"]["Properties"]["Target"])


def test_starts_a_function_with_a_role_of_its_own(stack: Stack) -> None:
    Schedule(stack, "nightly", target=Function(stack, "worker", code=CODE), expression="rate(1 day)")

    made = resources(stack.app)
    schedule = made["NightlySchedule"]

    assert schedule["DependsOn"] == "NightlySchedulePolicy"
    assert schedule["Properties"] == {
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "KmsKeyArn": {"Ref": "AppKeyArn"},
        "ScheduleExpression": "rate(1 day)",
        "ScheduleExpressionTimezone": "UTC",
        "State": "ENABLED",
        "Target": {
            "Arn": {"Fn::GetAtt": ["WorkerFunction", "Arn"]},
            "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["NightlyScheduleDeadLetterQueue", "Arn"]}},
            "RetryPolicy": {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185},
            "RoleArn": {"Fn::GetAtt": ["NightlyScheduleRole", "Arn"]},
        },
    }
    assert statements(stack.app) == [
        (["kms:Decrypt", "kms:GenerateDataKey"], [{"Ref": "AppKeyArn"}]),
        (["lambda:InvokeFunction"], [{"Fn::GetAtt": ["WorkerFunction", "Arn"]}]),
        (["sqs:SendMessage"], [{"Fn::GetAtt": ["NightlyScheduleDeadLetterQueue", "Arn"]}]),
    ]
    (trust,) = made["NightlyScheduleRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.mark.parametrize("layout", ["layered", "single"])
@pytest.mark.parametrize("make", [lambda stack: Queue(stack, "jobs"), lambda stack: Function(stack, "jobs", code=CODE)])
def test_depends_on_its_target_and_not_the_other_way(layout: Any, make: Any) -> None:
    app = App("shop", "test", layout=layout)
    Schedule(app.stack("times"), "nightly", target=make(app.stack("work")), expression="rate(1 day)")

    stacks = {stack.name: stack for stack in app.assemble()}

    if layout == "layered":
        assert "shop-test-work" in stacks["shop-test-times"].depends_on
        assert stacks["shop-test-work"].depends_on == {"shop-test-foundation"}
    else:
        assert set(stacks) == {"shop-test"}


def test_takes_the_settings_it_is_given(stack: Stack) -> None:
    Schedule(
        stack,
        "nightly",
        target=Queue(stack, "jobs"),
        expression="cron(0 3 ? * MON-FRI *)",
        timezone="Europe/Berlin",
        window=timedelta(minutes=15),
        payload={"b": 1, "a": [2]},
        retries=3,
        max_age=timedelta(hours=1),
        group=ScheduleGroup(stack, "nights"),
        enabled=False,
    )

    schedule = resources(stack.app)["NightlySchedule"]["Properties"]

    assert schedule["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    assert (schedule["ScheduleExpressionTimezone"], schedule["State"]) == ("Europe/Berlin", "DISABLED")
    assert schedule["GroupName"] == {"Ref": "NightsScheduleGroup"}
    assert schedule["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 3}
    assert json.loads(schedule["Target"]["Input"]) == {"a": [2], "b": 1}


@pytest.mark.parametrize(("payload", "sent"), [(5, "5"), (True, "true"), ((1, 2), "[1, 2]")])
def test_anything_else_is_sent_as_json(stack: Stack, payload: Any, sent: str) -> None:
    Schedule(stack, "nightly", target=Queue(stack, "jobs"), expression="rate(1 day)", payload=payload)

    assert target_of(stack.app)["Input"] == sent


@pytest.mark.parametrize("payload", ["go", Ref("AWS::StackName")])
def test_text_is_sent_as_it_is(stack: Stack, payload: Any) -> None:
    Schedule(stack, "nightly", target=Queue(stack, "jobs"), expression="rate(1 day)", payload=payload)

    assert target_of(stack.app)["Input"] == encode(payload)


def test_a_bus_gets_an_event_named_after_the_schedule(stack: Stack) -> None:
    Schedule(stack, "nightly", target=Bus(stack, "domain"), expression="rate(1 day)")

    target = target_of(stack.app)

    assert target["EventBridgeParameters"] == {"DetailType": "nightly", "Source": "shop"}
    assert target["Input"] == "{}"
    assert (["events:PutEvents"], [{"Fn::GetAtt": ["DomainBus", "Arn"]}]) in statements(stack.app)


def test_a_stream_gets_a_partition_key_and_a_fifo_queue_a_group(stack: Stack) -> None:
    Schedule(stack, "nightly", target=Stream(stack, "clicks"), expression="rate(1 day)")
    Schedule(stack, "daily", target=Queue(stack, "jobs", fifo=True), expression="rate(1 day)")
    made = resources(stack.app)

    assert made["NightlySchedule"]["Properties"]["Target"]["KinesisParameters"] == {"PartitionKey": "nightly"}
    assert made["DailySchedule"]["Properties"]["Target"]["SqsParameters"] == {"MessageGroupId": "daily"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"expression": "hourly"}, "expression must be rate(5 minutes), cron(0 8 * * ? *) or at("),
        ({"timezone": "Berlin"}, "timezone must be an IANA name such as Europe/Berlin, got 'Berlin'"),
        ({"window": timedelta(hours=25)}, "window must be 0s to 1d, got 1d1h"),
        ({"window": timedelta(seconds=90)}, "window must be whole minutes, got 1m30s"),
        ({"retries": -1}, "retries must be 0 to 185, got -1"),
        ({"max_age": timedelta(days=2)}, "max_age must be 1m to 1d, got 2d"),
        (
            {"payload": timedelta(days=2)},
            "payload must be text, or data that JSON has, got 2d; Object of type timedelta",
        ),
        (
            {"payload": {"at": {1, 2}}},
            "payload must be text, or data that JSON has, got {'at': {1, 2}}; Object of type",
        ),
        ({"payload": [float("nan")]}, "payload must be text, or data that JSON has, got [nan]; Out of range float"),
        ({"payload": {"queue": Ref("Jobs")}}, "payload must be text, or data that JSON has, got {'queue': <"),
        ({"payload": b"go"}, "payload must be text, or data that JSON has, got b'go'; Object of type bytes"),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"target": Queue(stack, "jobs"), "expression": "rate(1 day)", **settings}

    with pytest.raises(SettingsError) as caught:
        Schedule(stack, "nightly", **arguments)

    assert f"schedule 'nightly': {message}" in str(caught.value)


def test_cannot_publish_to_a_fifo_topic(stack: Stack) -> None:
    with pytest.raises(SettingsError, match="target must be a standard topic, got 'orders'"):
        Schedule(stack, "nightly", target=Topic(stack, "orders", fifo=True), expression="rate(1 day)")


def test_watches_what_it_could_not_start(stack: Stack) -> None:
    schedule = Schedule(stack, "nightly", target=Queue(stack, "jobs"), expression="rate(1 day)")

    assert [watch.name for watch in schedule.watches()] == ["dead-letters"]
