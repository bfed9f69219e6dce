import pytest

from archlib.checks.rules.security.service_actions import ServiceActions


def policy(action, effect="Allow"):
    document = {"Statement": [{"Effect": effect, "Action": action, "Resource": "arn:x"}]}
    return {"P": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": document}}}


def test_all_actions_of_a_service_are_found(findings):
    [(path, message)] = findings(ServiceActions, {"Resources": policy(["sqs:SendMessage", "s3:*", "dynamodb:*"])})
    assert path == ["Resources", "P", "Properties", "PolicyDocument", "Statement", 0]
    assert "allows dynamodb:*, s3:*;" in message


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:Get*", "*", ["*:*"], {"Ref": "A"}, 1])
def test_others_are_fine(places, action):
    assert places(ServiceActions, policy(action)) == []


def test_a_refusal_is_fine(places):
    assert places(ServiceActions, policy("s3:*", "Deny")) == []
