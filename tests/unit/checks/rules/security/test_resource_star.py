import pytest

from archlib.checks.rules.security.resource_star import ResourceStar


def policy(**statement):
    document = {"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}
    return {"P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}}


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:Get*", "KMS:decrypt", "sts:AssumeRole", "sqs:SendMessage"])
def test_an_action_on_everything_is_found(findings, action):
    [(path, message)] = findings(ResourceStar, {"Resources": policy(Action=["xray:PutTraceSegments", action])})
    assert path == ["Resources", "P", "Properties", "PolicyDocument", "Statement", 0]
    assert f"allows {action} on every resource" in message


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": ["xray:PutTraceSegments", "ecr:GetAuthorizationToken", "ec2:DescribeSubnets"]},
        {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"},
        {"Action": "s3:GetObject", "Resource": {"Ref": "X"}},
        {"Action": "s3:GetObject", "Condition": {"StringEquals": {"aws:ResourceTag/app": "shop"}}},
        {"Action": "s3:GetObject", "Effect": "Deny"},
        {"Action": "s3:*"},
        {"Action": "*"},
        {"Action": [None, {"Ref": "A"}]},
    ],
)
def test_others_are_fine(places, statement):
    assert places(ResourceStar, policy(**statement)) == []
