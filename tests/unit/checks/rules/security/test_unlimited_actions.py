import pytest

from archlib.checks.rules.security.unlimited_actions import UnlimitedActions


def policy(**statement):
    document = {"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}
    return {"P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}}


@pytest.mark.parametrize(
    "statement", [{"Action": "*"}, {"Action": ["s3:GetObject", "*:*"]}, {"Action": "*", "Resource": "arn:x"},
                  {"NotAction": "iam:*"}],
)  # fmt: skip
def test_everything_is_found(places, statement):
    assert places(UnlimitedActions, policy(**statement)) == ["P/Properties/PolicyDocument/Statement/0"]


def test_policies_inside_roles_are_read(places):
    document = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": document}]}}
    assert places(UnlimitedActions, {"R": role}) == ["R/Properties/Policies/0/PolicyDocument/Statement"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "s3:*"},
        {"Action": "*", "Effect": "Deny"},
        {"NotAction": "iam:*", "Effect": "Deny"},
        {"NotAction": "iam:*", "Resource": "arn:x"},
        {"NotAction": "iam:*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}},
        {"Action": {"Ref": "A"}},
        {"Action": None},
    ],
)
def test_less_is_fine(places, statement):
    assert places(UnlimitedActions, policy(**statement)) == []


def test_a_boundary_allows_nothing_by_itself(places):
    role = {"Type": "AWS::IAM::Role", "Properties": {"PermissionsBoundary": {"Ref": "P"}}}
    assert places(UnlimitedActions, policy(Action="*") | {"R": role}) == []


def test_key_policies_are_another_thing(places):
    document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": {"AWS": "x"}}]}
    assert places(UnlimitedActions, {"K": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document}}}) == []
