import pytest

from archlib.checks.rules.security.role_trusts_account import RoleTrustsAccount

OTHER = "arn:aws:iam::123456789012:role/deployer"


def role(principal, **statement):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **statement}
    return {"R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": statement}}}}


@pytest.mark.parametrize(
    ("principal", "words"),
    [
        ("123456789012", "whoever the account allows"),
        ("arn:aws:iam::123456789012:root", "whoever the account allows"),
        ({"Ref": "AWS::AccountId"}, "whoever the account allows"),
        ({"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}, "whoever the account allows"),
        ({"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::", {"Ref": "Other"}, ":root"]]},
         "whoever the account allows"),
        (OTHER, "from another account"),
    ],
)  # fmt: skip
def test_an_account_or_somebody_elsewhere_is_found(findings, principal, words):
    [(path, message)] = findings(RoleTrustsAccount, {"Resources": role({"AWS": principal})})
    assert path[-3:] == ["Statement", "Principal", "AWS"]
    assert words in message


def test_each_principal_counts(places):
    assert places(RoleTrustsAccount, role({"AWS": [{"Ref": "X"}, OTHER, "123456789012"]})) == [
        "R/Properties/AssumeRolePolicyDocument/Statement/Principal/AWS/1",
        "R/Properties/AssumeRolePolicyDocument/Statement/Principal/AWS/2",
    ]


@pytest.mark.parametrize(
    ("principal", "statement"),
    [
        ({"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/deployer"}}, {}),
        ({"AWS": {"Fn::GetAtt": ["Deployer", "Arn"]}}, {}),
        ({"AWS": {"Ref": "Deployer"}}, {}),
        ({"Service": "lambda.amazonaws.com"}, {}),
        ({"Federated": "arn:aws:iam::123456789012:oidc-provider/x"}, {}),
        ({"AWS": OTHER}, {"Condition": {"StringEquals": {"sts:ExternalId": "x"}}}),
        ({"AWS": "123456789012"}, {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}),
        ({"AWS": OTHER}, {"Effect": "Deny"}),
        ("*", {}),
        (["broken"], {}),
    ],
)
def test_one_role_or_a_condition_is_fine(places, principal, statement):
    assert places(RoleTrustsAccount, role(principal, **statement)) == []
