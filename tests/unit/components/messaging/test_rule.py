from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.bus import Bus
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.rule import Rule
from archlib.components.messaging.stream import Stream
from archlib.components.messaging.topic import Topic
from archlib.core.values import encode
from archlib.errors import SettingsError

CODE = Code(inline="def handler(event, context):\n    return event\n")
PATTERN = {"source": ["shop"], "detail": {"total": [{"numeric": [">", 10]}]}}
RULE = {"Fn::GetAtt": ["PlacedRule", "Arn"]}


def resources(app: App) -> dict[str, Any]:
    return {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def target_of(app: App) -> dict[str, Any]:
    (target,) = resources(app)["PlacedRule"]["Properties"]["Targets"]
    return dict(target)


def test_delivers_to_a_queue_through_its_policy(stack: Stack) -> None:
    Rule(stack, "placed", pattern=PATTERN, targets=[Queue(stack, "jobs")], max_age=timedelta(hours=1))

    made = resources(stack.app)
    rule = made["PlacedRule"]["Properties"]

    assert (rule["EventBusName"], rule["EventPattern"], rule["State"]) == ("default", PATTERN, "ENABLED")
    assert rule["Targets"] == [
        {
            "Arn": {"Fn::GetAtt": ["JobsQueue", "Arn"]},
            "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["JobsDeadLetterQueue", "Arn"]}},
            "Id": "JobsQueue",
            "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185},
        }
    ]
    for policy in ("JobsQueuePolicy", "JobsDeadLetterQueuePolicy"):
        allow = made[policy]["Properties"]["PolicyDocument"]["Statement"][1]
        assert allow["Condition"]["ArnLike"] == {"aws:SourceArn": RULE}
    assert "PlacedRuleRole" not in made


def test_delivers_to_a_function_through_a_permission(stack: Stack) -> None:
    Rule(stack, "placed", pattern=PATTERN, targets=[Function(stack, "worker", code=CODE)])

    made = resources(stack.app)

    assert made["WorkerFromPlacedRulePermission"]["Properties"]["SourceArn"] == RULE
    assert "RoleArn" not in target_of(stack.app)


def test_delivers_to_a_topic(stack: Stack) -> None:
    Rule(stack, "placed", pattern=PATTERN, targets=[Topic(stack, "orders")])

    target = target_of(stack.app)

    assert target["Arn"] == {"Ref": "OrdersTopic"}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["OrdersTopicDeadLetterQueue", "Arn"]}}
    assert "RoleArn" not in target


def test_delivers_to_a_fifo_queue_in_one_group(stack: Stack) -> None:
    Rule(stack, "placed", pattern=PATTERN, targets=[Queue(stack, "jobs", fifo=True)])

    target = target_of(stack.app)

    assert target["SqsParameters"] == {"MessageGroupId": "placed"}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["JobsQueueDeadLetterQueue", "Arn"]}}


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_delivers_to_another_bus_and_a_stream_with_one_role(layout: Any) -> None:
    app = App("shop", "test", layout=layout)
    bus, consumers = Bus(app.stack("producer"), "domain"), app.stack("consumer")
    bus.rule("placed", Bus(consumers, "audit"), Stream(consumers, "clicks"), pattern=PATTERN)

    made = resources(app)
    rule = made["PlacedRule"]
    audit, clicks = rule["Properties"]["Targets"]

    assert audit["RoleArn"] == clicks["RoleArn"] == {"Fn::GetAtt": ["PlacedRuleRole", "Arn"]}
    assert clicks["KinesisParameters"] == {"PartitionKeyPath": "$.id"}
    assert rule["DependsOn"] == "PlacedRulePolicy"
    assert [
        statement["Action"] for statement in made["PlacedRulePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    ] == [
        ["events:PutEvents"],
        ["kinesis:PutRecord", "kinesis:PutRecords"],
    ]
    assert made["PlacedRuleRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "Service": "events.amazonaws.com"
    }


def test_can_send_something_else_than_the_event(stack: Stack) -> None:
    Rule(
        stack,
        "placed",
        pattern=PATTERN,
        targets=[Queue(stack, "jobs")],
        input_template='{"id": <id>, "at": <aws.events.event.ingestion-time>}',
        input_paths={"id": "$.detail.id"},
    )

    assert target_of(stack.app)["InputTransformer"] == {
        "InputPathsMap": {"id": "$.detail.id"},
        "InputTemplate": '{"id": <id>, "at": <aws.events.event.ingestion-time>}',
    }


def test_can_send_the_same_for_every_event(stack: Stack) -> None:
    Rule(stack, "placed", pattern=PATTERN, targets=[Queue(stack, "jobs")], input_template='{"go": true}')

    target = target_of(stack.app)

    assert target["Input"] == '{"go": true}'
    assert "InputTransformer" not in target


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pattern": {}}, "pattern: it must be a mapping with at least one key"),
        ({"pattern": {"sources": ["shop"]}}, "pattern: it must have keys among account, detail,"),
        ({"targets": []}, "targets must be 1 to 5, got 0"),
        ({"retries": 186}, "retries must be 0 to 185, got 186"),
        ({"max_age": timedelta(seconds=59)}, "max_age must be 1m to 1d, got 59s"),
        ({"input_template": "<id>"}, "input_template must be text that uses no <name>, got 'id'"),
        ({"input_paths": {"id": "$.id"}}, "input_template must be text that uses id, got 'none'"),
        ({"input_paths": {"id": "id"}, "input_template": "<id>"}, "input_paths['id'] must be a JSON path"),
        ({"input_template": "go"}, "input_template must be JSON, when it uses no input_paths, got 'go'"),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"pattern": PATTERN, "targets": [Queue(stack, "jobs")], **settings}

    with pytest.raises(SettingsError) as caught:
        Rule(stack, "placed", **arguments)

    assert f"rule 'placed': {message}" in str(caught.value)


def test_refuses_targets_of_different_stacks(app: App) -> None:
    near, far = Queue(app.stack("near"), "jobs"), Queue(app.stack("far"), "mails")

    with pytest.raises(SettingsError, match="targets must be in stack 'near', got 'far'; make a rule for each stack"):
        Bus.default().rule("placed", near, far, pattern=PATTERN)


def test_watches_by_the_names_the_metrics_have(stack: Stack) -> None:
    queue = Queue(stack, "jobs")
    by_default = Bus.default().rule("uploads", queue, pattern=PATTERN)
    placed = Bus(stack, "domain").rule("placed", queue, pattern=PATTERN)

    assert [watch.metric for watch in placed.watches()] == ["FailedInvocations", "InvocationsFailedToBeSentToDlq"]
    assert encode(by_default.watches()[0].dimensions) == {
        "RuleName": {"Fn::Select": [1, {"Fn::Split": ["/", {"Fn::GetAtt": ["UploadsRule", "Arn"]}]}]}
    }
    assert encode(placed.watches()[0].dimensions) == {
        "EventBusName": {"Ref": "DomainBus"},
        "RuleName": {"Fn::Select": [2, {"Fn::Split": ["/", RULE]}]},
    }
