from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.messaging.topic import Topic
from archlib.components.observability.dead_letters import DeadLetterQueue, DeadLetters
from archlib.core.values import encode


def resources(app: App) -> dict[str, Any]:
    return {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def test_keeps_encrypted_messages_as_long_as_sqs_can(stack: Stack) -> None:
    DeadLetterQueue(stack, "jobs")

    queue = resources(stack.app)["JobsDeadLetterQueue"]

    assert queue["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["Properties"]["KmsMasterKeyId"] == {"Ref": "AppKeyArn"}
    assert queue["Properties"]["RedriveAllowPolicy"] == {"redrivePermission": "allowAll"}
    assert "FifoQueue" not in queue["Properties"]
    assert queue["DeletionPolicy"] == "Retain"


def test_says_why_it_has_no_dead_letter_queue_of_its_own(stack: Stack) -> None:
    DeadLetterQueue(stack, "jobs")

    rules = resources(stack.app)["JobsDeadLetterQueue"]["Metadata"]["cdk_nag"]["rules_to_suppress"]

    assert "AwsSolutions-SQS3" in [rule["id"] for rule in rules]


def test_takes_fifo_and_a_key(stack: Stack) -> None:
    DeadLetterQueue(stack, "jobs", fifo=True, key=Key(stack, "own"))

    queue = resources(stack.app)["JobsDeadLetterQueue"]["Properties"]

    assert queue["FifoQueue"] is True
    assert queue["KmsMasterKeyId"] == {"Fn::GetAtt": ["OwnKey", "Arn"]}


@pytest.mark.parametrize("service", ["events", "sns"])
def test_admits_a_service_for_one_source_over_tls(stack: Stack, service: str) -> None:
    DeadLetterQueue(stack, "jobs").admit(service, "arn:aws:x")

    made = resources(stack.app)
    deny, allow = made["JobsDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert allow["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert allow["Condition"]["ArnLike"] == {"aws:SourceArn": "arn:aws:x"}
    assert allow["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    principals = [statement["Principal"] for statement in made["AppKey"]["Properties"]["KeyPolicy"]["Statement"]]
    assert {"Service": [f"{service}.amazonaws.com"]} in principals


def test_lets_a_role_put_failures_there(stack: Stack) -> None:
    Role(stack, "worker", service="lambda").connect(DeadLetterQueue(stack, "jobs").for_sending())

    statements = resources(stack.app)["WorkerPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert [statement["Action"] for statement in statements] == [
        ["kms:Decrypt", "kms:GenerateDataKey"],
        ["sqs:SendMessage"],
    ]


def test_one_message_is_worth_an_alarm(stack: Stack) -> None:
    (watch,) = DeadLetterQueue(stack, "jobs").watches()

    assert (watch.metric, watch.threshold) == ("ApproximateNumberOfMessagesVisible", 1)
    assert encode(watch.dimensions) == {"QueueName": {"Fn::GetAtt": ["JobsDeadLetterQueue", "QueueName"]}}


def test_a_component_gets_its_queue_with_the_first_that_needs_one(stack: Stack) -> None:
    letters = DeadLetters(Topic(stack, "orders"))
    before = resources(stack.app)
    assert letters.watches() == ()

    arns = [letters.admit(service, f"arn:aws:{service}") for service in ("events", "sns")]

    made = resources(stack.app)
    assert made.keys() - before.keys() == {"OrdersTopicDeadLetterQueue", "OrdersTopicDeadLetterQueuePolicy"}
    assert encode(arns) == [{"Fn::GetAtt": ["OrdersTopicDeadLetterQueue", "Arn"]}] * 2
    statements = made["OrdersTopicDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert [statement["Principal"] for statement in statements[1:]] == [
        {"Service": "events.amazonaws.com"},
        {"Service": "sns.amazonaws.com"},
    ]
    assert [watch.name for watch in letters.watches()] == ["dead-letters"]
    assert letters.queue() is letters.queue()
