import pytest

from archlib.checks.rules.security.key_for_service import KeyForService

ROOT = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}
RULE = {"W": {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Arn": {"Fn::GetAtt": ["Q", "Arn"]}}]}}}


def key(*statements):
    return {"K": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": [ROOT, *statements]}}}}


def queue(key_id):
    return {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"KmsMasterKeyId": key_id}}}


def lets(service, actions=("kms:Decrypt", "kms:GenerateDataKey*"), **more):
    principal = {"Service": service}
    return {"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": "*", **more}


@pytest.mark.parametrize("key_id", [{"Ref": "K"}, {"Fn::GetAtt": ["K", "Arn"]}, {"Ref": "A"}])
def test_a_delivery_to_something_encrypted_needs_the_key(places, key_id):
    alias = {"A": {"Type": "AWS::KMS::Alias", "Properties": {"TargetKeyId": {"Ref": "K"}}}}
    resources = {**RULE, **queue(key_id), **alias}
    assert places(KeyForService, resources | key()) == ["K/Properties/KeyPolicy"]
    assert places(KeyForService, resources | key(lets("sns.amazonaws.com"))) == ["K/Properties/KeyPolicy"]
    assert places(KeyForService, resources | key(lets("events.amazonaws.com"))) == []


def test_a_key_without_policy_lets_no_service(places):
    bare = {"K": {"Type": "AWS::KMS::Key"}}
    assert places(KeyForService, {**RULE, **queue({"Ref": "K"}), **bare}) == ["K"]


@pytest.mark.parametrize(
    "statement",
    [
        lets(["s3.amazonaws.com", "events.amazonaws.com"], ["kms:*"]),
        lets({"Ref": "Service"}),
        lets("events.amazonaws.com", Condition={"StringEquals": {"aws:SourceAccount": "x"}}),
        {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Condition": {}},
    ],
)
def test_a_policy_that_may_let_it_is_fine(places, statement):
    assert places(KeyForService, {**RULE, **queue({"Ref": "K"}), **key(statement)}) == []


def test_the_missing_actions_are_named(findings):
    resources = {**RULE, **queue({"Ref": "K"}), **key(lets("events.amazonaws.com", ["kms:Decrypt"]))}
    [(_, message)] = findings(KeyForService, {"Resources": resources})
    assert message == (
        "W delivers to Q as events, but K does not let it; "
        "allow kms:GenerateDataKey to events.amazonaws.com in KeyPolicy"
    )


@pytest.mark.parametrize(
    ("kind", "property_name", "service", "regional"),
    [
        ("AWS::Logs::LogGroup", "KmsKeyId", "logs", {"Fn::Sub": "logs.${AWS::Region}.amazonaws.com"}),
        ("AWS::CloudTrail::Trail", "KMSKeyId", "cloudtrail", "cloudtrail.amazonaws.com"),
    ],
)
def test_services_that_encrypt_by_themselves_need_the_key(places, kind, property_name, service, regional):
    resource = {"R": {"Type": kind, "Properties": {property_name: {"Fn::GetAtt": ["K", "Arn"]}}}}
    actions = ["kms:Encrypt*", "kms:Decrypt*", "kms:GenerateDataKey*"]
    assert places(KeyForService, resource | key()) == ["K/Properties/KeyPolicy"]
    assert places(KeyForService, resource | key(lets("events.amazonaws.com", actions))) == ["K/Properties/KeyPolicy"]
    assert places(KeyForService, resource | key(lets(f"{service}.amazonaws.com", actions))) == []
    assert places(KeyForService, resource | key(lets(regional, actions))) == []


@pytest.mark.parametrize(
    "key_id", [{"Ref": "KeyParameter"}, {"Fn::ImportValue": "x"}, "arn:aws:kms:eu-west-1:123456789012:key/x", None]
)
def test_keys_elsewhere_are_unknown(places, key_id):
    assert places(KeyForService, {**RULE, **queue(key_id), **key()}) == []


def test_a_key_policy_that_is_not_understood_is_skipped(places):
    conditional = {"Fn::If": ["C", {"Statement": []}, {"Statement": []}]}
    strange = {"K": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": conditional}}}
    assert places(KeyForService, {**RULE, **queue({"Ref": "K"}), **strange}) == []


def test_aws_managed_keys_serve_nobody_else(findings):
    [(path, message)] = findings(KeyForService, {"Resources": RULE | queue("alias/aws/sqs")})
    assert path == ["Resources", "Q", "Properties", "KmsMasterKeyId"]
    assert "events cannot use the AWS-managed key" in message
    assert findings(KeyForService, {"Resources": queue("alias/aws/sqs")}) == []
