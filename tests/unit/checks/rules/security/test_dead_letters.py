import pytest

from archlib.checks.rules.security.dead_letters import DeadLetters

ARN = {"Fn::GetAtt": ["Q", "Arn"]}


def queue(**properties):
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def test_a_queue_without_dead_letters_is_found(places):
    assert places(DeadLetters, {"Q": queue(), "R": {"Type": "AWS::SQS::Queue"}}) == ["Q", "R"]


@pytest.mark.parametrize(
    "user",
    [
        queue(RedrivePolicy={"deadLetterTargetArn": ARN, "maxReceiveCount": 3}),
        {"Type": "AWS::Lambda::Function", "Properties": {"DeadLetterConfig": {"TargetArn": ARN}}},
        {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"DeadLetterConfig": {"Arn": ARN}}]}},
        {"Type": "AWS::SNS::Subscription", "Properties": {"RedrivePolicy": {"deadLetterTargetArn": ARN}}},
        {"Type": "AWS::Lambda::EventSourceMapping",
         "Properties": {"DestinationConfig": {"OnFailure": {"Destination": ARN}}}},
    ],
)  # fmt: skip
def test_a_queue_that_takes_dead_letters_is_fine(places, user):
    assert places(DeadLetters, {"Q": queue(), "U": user}) == []


@pytest.mark.parametrize("key", ["RedrivePolicy", "RedriveAllowPolicy"])
def test_a_queue_with_a_policy_is_fine(places, key):
    assert places(DeadLetters, {"Q": queue(**{key: {"Ref": "X"}})}) == []


def test_a_macro_may_add_what_is_missing(places):
    assert places(DeadLetters, {"Q": queue()}, Transform=["MyMacro"]) == []
