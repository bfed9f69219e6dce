import json
from typing import Any

import pytest
from troposphere import Ref

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.identity.role import Role
from archlib.components.messaging.delivery import Delivery
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.stream import Stream
from archlib.components.messaging.topic import Topic
from archlib.components.storage.bucket import Bucket
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError

CODE = Code(inline="def handler(event, context):\n    return event\n")
TOPIC = {"Ref": "OrdersTopic"}


def resources(app: App) -> dict[str, Any]:
    return {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def test_is_encrypted_signed_traced_and_closed(stack: Stack) -> None:
    Topic(stack, "orders", display_name="Orders")

    made = resources(stack.app)
    topic = made["OrdersTopic"]["Properties"]

    assert topic["KmsMasterKeyId"] == {"Ref": "AppKeyArn"}
    assert (topic["SignatureVersion"], topic["TracingConfig"], topic["DisplayName"]) == ("2", "Active", "Orders")
    assert "TopicName" not in topic
    assert made["OrdersTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"] == [
        {
            "Sid": "DenyInsecureTransport",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": TOPIC,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


def test_writes_down_why_a_delivery_failed(stack: Stack) -> None:
    Topic(stack, "orders", log_retention_days=90)

    made = resources(stack.app)
    group = made["OrdersTopicLogGroup"]["Properties"]
    (statement,) = made["OrdersTopicLogPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert [entry["Protocol"] for entry in made["OrdersTopic"]["Properties"]["DeliveryStatusLogging"]] == [
        *("firehose", "http/s", "lambda", "sqs"),
    ]
    assert group["LogGroupName"] == {"Fn::Sub": "sns/${AWS::Region}/${AWS::AccountId}/${OrdersTopic.TopicName}/Failure"}
    assert (group["RetentionInDays"], group["KmsKeyId"]) == (90, {"Ref": "AppKeyArn"})
    assert statement["Resource"] == [{"Fn::GetAtt": ["OrdersTopicLogGroup", "Arn"]}]


def test_logs_and_traces_can_be_left_out(stack: Stack) -> None:
    Topic(stack, "orders", log_failures=False, tracing=False)

    made = resources(stack.app)

    assert not {"TracingConfig", "DeliveryStatusLogging"} & set(made["OrdersTopic"]["Properties"])
    assert set(made) == {"AppKey", "AppKeyAlias", "OrdersTopic", "OrdersTopicPolicy"}


def test_one_policy_of_the_app_lets_sns_write_traces(stack: Stack) -> None:
    Topic(stack, "orders")
    Topic(stack, "alerts")

    policy = resources(stack.app)["TopicTracingPolicy"]["Properties"]
    (statement,) = json.loads(policy["PolicyDocument"]["Fn::Sub"])["Statement"]

    assert policy["PolicyName"] == "shop-test-topics"
    assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
    assert statement["Condition"]["StringLike"]["aws:SourceArn"].endswith(":shop-test-*")


def test_fifo_keeps_the_order(stack: Stack) -> None:
    Topic(stack, "orders", fifo=True)

    topic = resources(stack.app)["OrdersTopic"]["Properties"]

    assert (topic["FifoTopic"], topic["ContentBasedDeduplication"]) == (True, True)
    assert topic["TopicName"] == "shop-test-orders.fifo"


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_a_queue_subscribes_from_its_own_stack(layout: Any) -> None:
    app = App("shop", "test", layout=layout)
    topic, queue = Topic(app.stack("producer"), "orders"), Queue(app.stack("consumer"), "emails")

    topic.subscribe(queue, filter_policy={"kind": ["new"]})

    stacks = {stack.name: stack for stack in app.assemble()}
    consumer = stacks.get("shop-test-consumer") or stacks["shop-test"]
    reference = {"Ref": "OrdersTopic"}
    assert consumer.template["Resources"]["EmailsQueueFromOrdersSubscription"]["Properties"] == {
        "Endpoint": {"Fn::GetAtt": ["EmailsQueue", "Arn"]},
        "FilterPolicy": {"kind": ["new"]},
        "FilterPolicyScope": "MessageAttributes",
        "Protocol": "sqs",
        "RawMessageDelivery": True,
        "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["EmailsDeadLetterQueue", "Arn"]}},
        "TopicArn": reference,
    }
    for policy in ("EmailsQueuePolicy", "EmailsDeadLetterQueuePolicy"):
        allow = consumer.template["Resources"][policy]["Properties"]["PolicyDocument"]["Statement"][1]
        assert allow["Principal"] == {"Service": "sns.amazonaws.com"}
        assert allow["Condition"]["ArnLike"] == {"aws:SourceArn": reference}
    if layout == "layered":
        assert "shop-test-producer" in consumer.depends_on
        assert "shop-test-consumer" not in stacks["shop-test-producer"].depends_on


def test_a_function_subscribes_from_its_own_stack(app: App) -> None:
    topic = Topic(app.stack("producer"), "orders")
    function = Function(app.stack("consumer"), "worker", code=CODE)

    topic.subscribe(function, filter_policy={"order": {"total": [1]}}, filter_scope="MessageBody")

    stacks = {stack.name: stack for stack in app.assemble()}
    made = stacks["shop-test-consumer"].template["Resources"]
    subscription = made["WorkerFunctionFromOrdersSubscription"]["Properties"]
    assert subscription["Protocol"] == "lambda"
    assert subscription["FilterPolicyScope"] == "MessageBody"
    assert "RawMessageDelivery" not in subscription
    assert subscription["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["WorkerFunctionDeadLetterQueue", "Arn"]}
    }
    assert made["WorkerFromOrdersTopicPermission"]["Properties"]["SourceArn"] == {"Ref": "OrdersTopic"}
    assert "shop-test-consumer" not in stacks["shop-test-producer"].depends_on


def test_a_firehose_stream_needs_a_role(stack: Stack) -> None:
    Topic(stack, "orders").subscribe(Delivery(stack, "lake", bucket=Bucket(stack, "store")), raw=False)

    made = resources(stack.app)
    subscription = made["LakeDeliveryFromOrdersSubscription"]
    actions = {
        action
        for statement in made["LakeFromOrdersPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }

    assert subscription["Properties"]["Protocol"] == "firehose"
    assert subscription["Properties"]["SubscriptionRoleArn"] == {"Fn::GetAtt": ["LakeFromOrdersRole", "Arn"]}
    assert "RawMessageDelivery" not in subscription["Properties"]
    assert subscription["DependsOn"] == "LakeFromOrdersPolicy"
    assert {"firehose:PutRecord", "firehose:DescribeDeliveryStream"} <= actions


def test_a_firehose_stream_of_somebody_else_comes_with_its_role(stack: Stack) -> None:
    arns = ("arn:aws:firehose:eu-west-1:111122223333:deliverystream/x", "arn:aws:iam::111122223333:role/x")
    Topic(stack, "orders").subscribe_firehose("lake", delivery=arns[0], role=arns[1])

    subscription = resources(stack.app)["OrdersToLakeSubscription"]["Properties"]

    assert (subscription["Endpoint"], subscription["SubscriptionRoleArn"]) == arns
    assert subscription["RawMessageDelivery"] is True
    assert subscription["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["OrdersTopicDeadLetterQueue", "Arn"]}
    }


def test_people_and_servers_outside_subscribe_at_the_topic(stack: Stack) -> None:
    topic = Topic(stack, "orders")
    topic.subscribe_email("on.call@example.com")
    topic.subscribe_email(Ref("OpsEmail"), name="ops")
    topic.subscribe_https("https://example.com/hook", raw=True)
    stack.parameter("ops-email", description="Who is told")

    made = resources(stack.app)

    assert made["OrdersToOnCallExampleComSubscription"]["Properties"]["Protocol"] == "email"
    assert made["OrdersToOpsSubscription"]["Properties"]["Endpoint"] == {"Ref": "OpsEmail"}
    hook = made["OrdersToExampleComHookSubscription"]["Properties"]
    assert (hook["Protocol"], hook["RawMessageDelivery"]) == ("https", True)
    assert made["OrdersTopicDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][1]["Condition"][
        "ArnLike"
    ] == {"aws:SourceArn": TOPIC}
    assert [watch.name for watch in topic.watches()] == ["failed-deliveries", "lost-deliveries", "dead-letters"]


@pytest.mark.parametrize(
    ("subscribe", "message"),
    [
        (lambda topic: topic.subscribe_email("ops"), "address must be an email address, got 'ops'"),
        (lambda topic: topic.subscribe_email(Ref("X")), "name must be given for an address known only at deployment"),
        (lambda topic: topic.subscribe_https("http://example.com"), "url must be an https:// address, got 'http:"),
        (
            lambda topic: topic.subscribe_https("https://example.com", filter_policy={"kind": "new"}),
            "filter_policy: kind must be a list of values, got 'new'",
        ),
        (
            lambda topic: topic.subscribe_https("https://example.com", filter_policy={}, filter_scope="Body"),
            "filter_scope must be one of MessageAttributes, MessageBody, got 'Body'",
        ),
    ],
)
def test_refuses_a_subscription(stack: Stack, subscribe: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        subscribe(Topic(stack, "orders"))

    assert f"topic 'orders': {message}" in str(caught.value)


def test_refuses_a_long_display_name(stack: Stack) -> None:
    with pytest.raises(SettingsError, match="display_name must be at most 100 characters, got 101"):
        Topic(stack, "orders", display_name="x" * 101)


@pytest.mark.parametrize(("topic_fifo", "queue_fifo"), [(True, False), (False, True)])
def test_fifo_topics_and_fifo_queues_need_each_other(stack: Stack, *, topic_fifo: bool, queue_fifo: bool) -> None:
    topic, queue = Topic(stack, "orders", fifo=topic_fifo), Queue(stack, "jobs", fifo=queue_fifo)

    with pytest.raises(WiringError, match="a FIFO topic and a FIFO queue need each other"):
        topic.subscribe(queue)


def test_a_fifo_topic_delivers_to_a_fifo_queue_only(stack: Stack) -> None:
    topic = Topic(stack, "orders", fifo=True)
    topic.subscribe(Queue(stack, "jobs", fifo=True))

    redrive = resources(stack.app)["JobsQueueFromOrdersSubscription"]["Properties"]["RedrivePolicy"]
    assert redrive == {"deadLetterTargetArn": {"Fn::GetAtt": ["JobsDeadLetterQueue", "Arn"]}}
    with pytest.raises(WiringError, match="cannot deliver by email: a FIFO topic delivers to FIFO queues only"):
        topic.subscribe_email("ops@example.com")
    with pytest.raises(WiringError, match="events cannot publish to a FIFO topic"):
        topic.admit("events", "arn")


def test_cannot_deliver_to_a_stream(stack: Stack) -> None:
    with pytest.raises(WiringError, match="must be a queue, a function or a Firehose stream, got AWS::Kinesis::Stream"):
        Topic(stack, "orders").subscribe(Stream(stack, "clicks"))


def test_gives_the_rights_to_publish(stack: Stack) -> None:
    topic = Topic(stack, "orders")
    role = Role(stack, "api", service="ecs-tasks")
    role.connect(topic.for_publishing())

    statements = resources(stack.app)["ApiPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert [(statement["Action"], statement["Resource"]) for statement in statements] == [
        (["kms:Decrypt", "kms:GenerateDataKey"], [{"Ref": "AppKeyArn"}]),
        (["sns:Publish"], [TOPIC]),
    ]
    assert encode(topic.for_publishing().environment) == {"TOPIC_ARN": TOPIC}
    assert topic.start_grants() == topic.for_publishing().grants


def test_admits_a_service_for_its_source(stack: Stack) -> None:
    assert Topic(stack, "orders").admit("cloudwatch", "arn:aws:cloudwatch:*:*:alarm:*")

    made = resources(stack.app)
    allow = made["OrdersTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"][1]

    assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allow["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert allow["Condition"]["ArnLike"] == {"aws:SourceArn": "arn:aws:cloudwatch:*:*:alarm:*"}


def test_admits_eventbridge_without_conditions_which_it_would_never_meet(stack: Stack) -> None:
    assert Topic(stack, "orders").admit("events", "arn:aws:events:x")

    made = resources(stack.app)
    allow = made["OrdersTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"][1]
    (use,) = (
        statement
        for statement in made["AppKey"]["Properties"]["KeyPolicy"]["Statement"]
        if statement["Sid"] == "PublishEventsEncrypted"
    )

    assert allow == {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["sns:Publish"],
        "Resource": TOPIC,
    }
    assert list(use["Condition"]["StringLike"]) == ["kms:EncryptionContext:aws:sns:topicArn"]


def test_what_a_service_could_not_publish_waits_beside_the_topic(stack: Stack) -> None:
    topic = Topic(stack, "orders")

    found = topic.dead_letters_for("events", "arn:aws:events:x")

    assert encode(found) == {"Fn::GetAtt": ["OrdersTopicDeadLetterQueue", "Arn"]}
    assert "OrdersTopicDeadLetterQueue" in resources(stack.app)


def test_a_topic_of_one_region_uses_what_is_there(app: App) -> None:
    Topic(Stack(app, "edge", region="us-east-1"), "orders")

    found = {stack.region: stack.template["Resources"] for stack in app.assemble() if "foundation" in stack.name}

    assert set(found) == {"us-east-1"}
    assert {"AppUsEast1Key", "TopicTracingUsEast1Policy"} <= set(found["us-east-1"])
