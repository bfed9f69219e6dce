import pytest

from archlib.checks.rules.security.delivery_policy import DeliveryPolicy

QUEUE = {"Q": {"Type": "AWS::SQS::Queue", "Properties": {}}}
TOPIC = {"T": {"Type": "AWS::SNS::Topic", "Properties": {}}}
ARN = {"Fn::GetAtt": ["Q", "Arn"]}


def rule(**target):
    return {"W": {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Id": "x", **target}]}}}


def policy(target="Q", **statement):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
    } | statement
    kind, key = ("AWS::SQS::QueuePolicy", "Queues") if target == "Q" else ("AWS::SNS::TopicPolicy", "Topics")
    return {"P": {"Type": kind, "Properties": {key: [{"Ref": target}], "PolicyDocument": {"Statement": [statement]}}}}


@pytest.mark.parametrize(
    ("kind", "properties", "place"),
    [
        ("AWS::Events::Rule", {"Targets": [{"Arn": ARN}]}, "Targets/0/Arn"),
        ("AWS::Events::Rule", {"Targets": [{"Arn": "x", "RoleArn": "y", "DeadLetterConfig": {"Arn": ARN}}]},
         "Targets/0/DeadLetterConfig/Arn"),
        ("AWS::SNS::Subscription", {"Protocol": "sqs", "Endpoint": ARN}, "Endpoint"),
        ("AWS::SNS::Subscription", {"RedrivePolicy": {"deadLetterTargetArn": ARN}},
         "RedrivePolicy/deadLetterTargetArn"),
        ("AWS::S3::Bucket", {"NotificationConfiguration": {"QueueConfigurations": [{"Queue": ARN}]}},
         "NotificationConfiguration/QueueConfigurations/0/Queue"),
        ("AWS::S3::Bucket", {"NotificationConfiguration": {"TopicConfigurations": [{"Topic": {"Ref": "T"}}]}},
         "NotificationConfiguration/TopicConfigurations/0/Topic"),
    ],
)  # fmt: skip
def test_a_delivery_without_policy_is_found(places, kind, properties, place):
    resources = {**QUEUE, **TOPIC, "W": {"Type": kind, "Properties": properties}}
    assert places(DeliveryPolicy, resources) == [f"W/Properties/{place}"]


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}},
        {"Principal": "*", "Condition": {"ArnEquals": {"aws:SourceArn": "x"}}},
        {"Principal": {"Service": {"Ref": "Who"}}},
        {"Principal": {"Fn::If": ["C", {"Service": "x"}, "*"]}},
        {"Action": "sqs:*"},
        {"Action": ["SQS:Send*", "sqs:GetQueueUrl"]},
        {"Action": {"Ref": "What"}},
        {"Effect": {"Ref": "Effect"}},
    ],
)
def test_a_policy_that_may_admit_is_fine(places, statement):
    assert places(DeliveryPolicy, {**QUEUE, **rule(Arn=ARN), **policy(**statement)}) == []


@pytest.mark.parametrize(
    "statement",
    [
        {"Principal": {"Service": "sns.amazonaws.com"}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Action": "sqs:ReceiveMessage"},
        {"Effect": "Deny"},
    ],
)
def test_a_policy_for_others_does_not_help(places, statement):
    resources = {**QUEUE, **rule(Arn=ARN), **policy(**statement)}
    assert places(DeliveryPolicy, resources) == ["W/Properties/Targets/0/Arn"]


def test_a_policy_of_another_queue_does_not_help_and_of_an_unknown_one_may(places):
    resources = {**QUEUE, **rule(Arn=ARN), **policy()}
    resources["P"]["Properties"]["Queues"] = [{"Ref": "Other"}]
    assert places(DeliveryPolicy, resources) == ["W/Properties/Targets/0/Arn"]
    resources["P"]["Properties"]["Queues"] = ["https://sqs.eu-west-1.amazonaws.com/123456789012/x"]
    assert places(DeliveryPolicy, resources) == []


def test_the_first_delivery_of_a_service_is_enough(places):
    targets = [{"Arn": ARN, "DeadLetterConfig": {"Arn": ARN}}, {"Arn": ARN}]
    resources = {**QUEUE, "W": {"Type": "AWS::Events::Rule", "Properties": {"Targets": targets}}}
    assert places(DeliveryPolicy, resources) == ["W/Properties/Targets/0/Arn"]


def test_the_default_policy_of_a_topic_admits_alarms_and_another_must_name_them(places):
    alarm = {"W": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmActions": [{"Ref": "T"}]}}}
    assert places(DeliveryPolicy, {**TOPIC, **alarm}) == []
    assert places(DeliveryPolicy, {**TOPIC, **alarm, **policy("T", Action="sns:Publish")}) == [
        "W/Properties/AlarmActions/0"
    ]
    named = policy("T", Action="sns:Publish", Principal={"Service": "cloudwatch.amazonaws.com"})
    assert places(DeliveryPolicy, {**TOPIC, **alarm, **named}) == []


@pytest.mark.parametrize("target", [{"Arn": ARN, "RoleArn": "x"}, {"Arn": {"Ref": "QueueArn"}}])
def test_roles_and_queues_elsewhere_are_fine(places, target):
    assert places(DeliveryPolicy, {**QUEUE, **rule(**target)}) == []


def test_the_message_says_what_to_allow(findings):
    [(_, message)] = findings(DeliveryPolicy, {"Resources": {**QUEUE, **rule(Arn=ARN)}})
    assert message == ("W delivers to Q but may not; allow sqs:SendMessage to events.amazonaws.com in its policy")
