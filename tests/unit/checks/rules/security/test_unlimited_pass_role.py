import pytest

from archlib.checks.rules.security.unlimited_pass_role import UnlimitedPassRole


def policy(**statement):
    document = {"Statement": [{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*", **statement}]}
    return {"P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}}


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"Action": ["ecs:RunTask", "IAM:passrole"]},
        {"Action": "iam:Pass*"},
        {"Resource": "arn:aws:iam::123456789012:role/*"},
        {"Resource": "arn:aws:iam::*:role/*"},
        {"Resource": "arn:aws:iam::123456789012:*"},
        {"Resource": ["arn:aws:iam::123456789012:role/task", "arn:*:iam::*:role/*"]},
        {"Resource": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*"}},
        {"Resource": {"Fn::Join": ["", ["arn:aws:iam::", {"Ref": "AWS::AccountId"}, ":role/*"]]}},
        {"Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}},
    ],
)
def test_every_role_is_found(places, statement):
    assert places(UnlimitedPassRole, policy(**statement)) == ["P/Properties/PolicyDocument/Statement/0"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Resource": "arn:aws:iam::123456789012:role/task"},
        {"Resource": {"Fn::GetAtt": ["Role", "Arn"]}},
        {"Resource": "arn:aws:iam::123456789012:role/shop-*"},
        {"Resource": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AWS::StackName}*"}},
        {"Resource": "arn:aws:iam::123456789012:user/*"},
        {"Effect": "Deny"},
        {"Action": "iam:GetRole"},
        {"Condition": {"StringEquals": {"iam:ResourceTag/app": "shop"}}},
        {"Condition": {"Fn::If": ["C", {}, {}]}},
        {"Condition": "broken"},
    ],
)
def test_named_roles_are_fine(places, statement):
    assert places(UnlimitedPassRole, policy(**statement)) == []
