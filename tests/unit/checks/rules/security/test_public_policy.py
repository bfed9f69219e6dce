import pytest

from archlib.checks.rules.security.public_policy import PublicPolicy


def policy(kind, key, **statement):
    return {
        "P": {"Type": kind, "Properties": {key: {"Statement": [{"Effect": "Allow", "Principal": "*", **statement}]}}}
    }


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("AWS::S3::BucketPolicy", "PolicyDocument"),
        ("AWS::SQS::QueuePolicy", "PolicyDocument"),
        ("AWS::SNS::TopicPolicy", "PolicyDocument"),
        ("AWS::SecretsManager::ResourcePolicy", "ResourcePolicy"),
        ("AWS::ECR::Repository", "RepositoryPolicyText"),
        ("AWS::KMS::Key", "KeyPolicy"),
    ],
)
def test_everyone_is_found(places, kind, key):
    assert places(PublicPolicy, policy(kind, key)) == [f"P/Properties/{key}/Statement/0"]
    assert places(PublicPolicy, policy(kind, key, Principal={"AWS": ["*"]})) == [f"P/Properties/{key}/Statement/0"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Effect": "Deny"},
        {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
        {"Principal": {"Service": "cloudfront.amazonaws.com"}},
        {"Principal": {"Ref": "Who"}},
        {"Effect": {"Ref": "Effect"}},
    ],
)
def test_a_refusal_a_condition_or_somebody_in_particular_is_fine(places, statement):
    assert places(PublicPolicy, policy("AWS::S3::BucketPolicy", "PolicyDocument", **statement)) == []


def test_a_policy_as_text_is_skipped(places):
    key = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": '{"Statement": []}'}}
    assert places(PublicPolicy, {"K": key}) == []
