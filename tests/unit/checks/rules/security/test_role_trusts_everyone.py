import pytest

from archlib.checks.rules.security.role_trusts_everyone import RoleTrustsEveryone


def role(**statement):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", **statement}
    return {"R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [statement]}}}}


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::123456789012:role/x", "*"]}])
def test_everyone_is_found(places, principal):
    found = places(RoleTrustsEveryone, role(Principal=principal))
    assert found == ["R/Properties/AssumeRolePolicyDocument/Statement/0"]


@pytest.mark.parametrize("condition", [{}, {"ArnLike": {"aws:PrincipalArn": "*"}}])
def test_a_condition_that_leaves_nobody_out_is_found(places, condition):
    found = places(RoleTrustsEveryone, role(Principal="*", Condition=condition))
    assert found == ["R/Properties/AssumeRolePolicyDocument/Statement/0"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Principal": {"Service": "lambda.amazonaws.com"}},
        {"Principal": {"AWS": {"Ref": "Who"}}},
        {"Principal": "*", "Effect": "Deny"},
        {"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"Principal": None},
        {},
    ],
)
def test_somebody_in_particular_is_fine(places, statement):
    assert places(RoleTrustsEveryone, role(**statement)) == []
