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
    "condition",
    [
        {},
        {"StringLike": {"aws:SourceArn": "*"}},
        {"ArnLike": {"aws:SourceArn": ["arn:aws:sns:eu-west-1:123456789012:jobs", "arn:*"]}},
        {"ArnLike": {"aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:s3:::*"}}},
        {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}},
        {"Bool": {"aws:SecureTransport": "true"}, "StringLike": {"aws:PrincipalArn": "*"}},
    ],
)
def test_a_condition_that_leaves_nobody_out_is_found(places, condition):
    statement = policy("AWS::SQS::QueuePolicy", "PolicyDocument", Condition=condition)
    assert places(PublicPolicy, statement) == ["P/Properties/PolicyDocument/Statement/0"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::shop-*"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:123456789012:*"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": {"Fn::Sub": "arn:aws:sns:*:${AWS::AccountId}:*"}}}},
        {"Condition": {"StringLike": {"aws:SourceArn": "*", "aws:SourceAccount": {"Ref": "AWS::AccountId"}}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}, "IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}},
        {"Condition": {"Fn::If": ["C", {}, {}]}},
        {"Condition": "broken"},
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
