from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.messaging.queue import Queue
from archlib.core.values import encode
from archlib.errors import SettingsError

SOURCE = "arn:aws:events:eu-west-1:111122223333:rule/placed"


def resources(app: App) -> dict[str, Any]:
    return {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def test_is_encrypted_and_keeps_what_fails(stack: Stack) -> None:
    Queue(stack, "jobs")

    made = resources(stack.app)
    queue = made["JobsQueue"]

    assert queue["Properties"]["KmsMasterKeyId"] == {"Ref": "AppKeyArn"}
    assert queue["Properties"]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["JobsDeadLetterQueue", "Arn"]},
        "maxReceiveCount": 3,
    }
    assert queue["Properties"]["ReceiveMessageWaitTimeSeconds"] == 20
    assert queue["DeletionPolicy"] == queue["UpdateReplacePolicy"] == "Retain"
    assert made["JobsQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"] == [
        {
            "Sid": "DenyInsecureTransport",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": {"Fn::GetAtt": ["JobsQueue", "Arn"]},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


def test_takes_the_settings_it_is_given(stack: Stack) -> None:
    key = Key(stack, "own")
    Queue(
        stack,
        "jobs",
        visibility=timedelta(minutes=6),
        retention=timedelta(days=1),
        delay=timedelta(seconds=30),
        max_receives=5,
        key=key,
    )

    queue = resources(stack.app)["JobsQueue"]["Properties"]

    assert (queue["VisibilityTimeout"], queue["MessageRetentionPeriod"], queue["DelaySeconds"]) == (360, 86_400, 30)
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert queue["KmsMasterKeyId"] == {"Fn::GetAtt": ["OwnKey", "Arn"]}


def test_fifo_needs_a_fifo_queue_for_what_fails(stack: Stack) -> None:
    Queue(stack, "jobs", fifo=True)

    made = resources(stack.app)

    assert made["JobsQueue"]["Properties"]["FifoQueue"] is True
    assert made["JobsQueue"]["Properties"]["ContentBasedDeduplication"] is True
    assert made["JobsDeadLetterQueue"]["Properties"]["FifoQueue"] is True


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"visibility": timedelta(hours=13)}, "visibility must be 0s to 12h, got 13h"),
        ({"retention": timedelta(seconds=59)}, "retention must be 1m to 14d, got 59s"),
        ({"retention": timedelta(days=15)}, "retention must be 1m to 14d, got 15d"),
        ({"delay": timedelta(minutes=16)}, "delay must be 0s to 15m, got 16m"),
        ({"max_receives": 0}, "max_receives must be 1 to 1000, got 0"),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Queue(stack, "jobs", **settings)

    assert f"queue 'jobs': {message}" in str(caught.value)


def test_refuses_everything_at_once(stack: Stack) -> None:
    with pytest.raises(SettingsError) as caught:
        Queue(stack, "jobs", delay=timedelta(hours=1), max_receives=0)

    assert len(caught.value.problems) == 2


def test_gives_the_rights_to_send_and_to_consume(stack: Stack) -> None:
    queue = Queue(stack, "jobs")
    sender = Role(stack, "sender", service="ecs-tasks")
    consumer = Role(stack, "consumer", service="ecs-tasks")

    sender.connect(queue.for_sending())
    consumer.connect(queue.for_consuming())

    made = resources(stack.app)
    sends, consumes = (
        {
            action
            for statement in made[name]["Properties"]["PolicyDocument"]["Statement"]
            for action in statement["Action"]
        }
        for name in ("SenderPolicy", "ConsumerPolicy")
    )
    assert sends == {"sqs:SendMessage", "sqs:GetQueueAttributes", "kms:Decrypt", "kms:GenerateDataKey"}
    assert consumes == {
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"),
        "kms:Decrypt",
    }
    assert encode(queue.for_sending().environment) == {"QUEUE_URL": {"Ref": "JobsQueue"}}


def test_admits_a_service_once_and_lets_it_use_the_key(stack: Stack) -> None:
    queue = Queue(stack, "jobs")

    assert queue.admit("s3", "arn:aws:s3:::uploads")
    assert queue.admit("s3", "arn:aws:s3:::uploads")

    made = resources(stack.app)
    assert made["JobsQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][1:] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": ["sqs:SendMessage"],
            "Resource": {"Fn::GetAtt": ["JobsQueue", "Arn"]},
            "Condition": {
                "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
                "ArnLike": {"aws:SourceArn": "arn:aws:s3:::uploads"},
            },
        }
    ]
    served = made["AppKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert {"Service": ["s3.amazonaws.com"]} in [statement["Principal"] for statement in served]


def test_undelivered_messages_wait_beside_failed_ones(stack: Stack) -> None:
    queue = Queue(stack, "jobs")

    assert encode(queue.dead_letters_for("events", SOURCE)) == {"Fn::GetAtt": ["JobsDeadLetterQueue", "Arn"]}

    statements = resources(stack.app)["JobsDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statements[1]["Condition"]["ArnLike"] == {"aws:SourceArn": SOURCE}


def test_a_fifo_queue_keeps_undelivered_messages_where_the_service_can_write(stack: Stack) -> None:
    queue = Queue(stack, "jobs", fifo=True)

    assert encode(queue.dead_letters_for("sns", "arn")) == {"Fn::GetAtt": ["JobsDeadLetterQueue", "Arn"]}
    for _ in range(2):
        found = queue.dead_letters_for("events", SOURCE)
        assert encode(found) == {"Fn::GetAtt": ["JobsQueueDeadLetterQueue", "Arn"]}

    assert "FifoQueue" not in resources(stack.app)["JobsQueueDeadLetterQueue"]["Properties"]
    assert [watch.name for watch in queue.watches()] == ["oldest-message", "dead-letters", "dead-letters"]


def test_watches_the_age_by_the_time_a_message_needs(stack: Stack) -> None:
    quick, slow = Queue(stack, "quick"), Queue(stack, "slow", visibility=timedelta(hours=1))

    assert [watch.threshold for watch in (quick.watches()[0], slow.watches()[0])] == [360, 7200]


def test_tells_a_function_how_to_consume_it(stack: Stack) -> None:
    source = Queue(stack, "jobs", fifo=True, visibility=timedelta(minutes=6)).as_source()

    assert (source.stream, source.fifo, source.visibility) == (False, True, timedelta(minutes=6))
