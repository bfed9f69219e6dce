import pytest

from archlib.checks.rules.security.event_source_key import EventSourceKey

KEY_ARN = {"Fn::GetAtt": ["K", "Arn"]}
DECRYPT = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY_ARN}
ROOT = {"Effect": "Allow", "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}}, "Action": "kms:*"}
OTHER = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}


def template(*statements, role=None, key_id=None, key_statements=(ROOT,), source=None):
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"KmsMasterKeyId": key_id or KEY_ARN}}
    policy = {"Roles": [{"Ref": "R"}], "PolicyDocument": {"Statement": [OTHER, *statements]}}
    mapping = {"EventSourceArn": {"Fn::GetAtt": ["Q", "Arn"]}, "FunctionName": {"Ref": "A"}}
    return {
        "A": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}}},
        "F": {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["R", "Arn"]}}},
        "K": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": list(key_statements)}}},
        "M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
        "Other": {"Type": "AWS::KMS::Key", "Properties": {}},
        "P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy},
        "Q": source or queue,
        "R": {"Type": "AWS::IAM::Role", "Properties": role or {}},
    }


BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.mark.parametrize(
    "resources",
    [
        template(),
        template(DECRYPT | {"Effect": "Deny"}),
        template(DECRYPT | {"Action": "kms:Encrypt"}),
        template(DECRYPT | {"Resource": {"Fn::GetAtt": ["Other", "Arn"]}}),
        template(DECRYPT | {"Resource": "arn:aws:sqs:eu-west-1:123456789012:x"}),
        template(role={"ManagedPolicyArns": [BASIC]}),
        template(role={"ManagedPolicyArns": [{"Fn::Sub": BASIC.replace("arn:aws:", "arn:${AWS::Partition}:")}]}),
        template(key_id={"Ref": "K"}),
        template(source={"Type": "AWS::Kinesis::Stream", "Properties": {"StreamEncryption": {"KeyId": {"Ref": "K"}}}}),
    ],
)
def test_a_role_that_may_not_decrypt_is_found(places, resources):
    assert places(EventSourceKey, resources) == ["M/Properties/EventSourceArn"]


@pytest.mark.parametrize(
    "resources",
    [
        template(DECRYPT),
        template(DECRYPT | {"Action": ["kms:*"], "Resource": "*"}),
        template(DECRYPT | {"Resource": "arn:aws:kms:eu-west-1:123456789012:key/x"}),
        template(DECRYPT | {"Resource": {"Fn::Sub": "arn:${AWS::Partition}:kms:*:${AWS::AccountId}:key/*"}}),
        template(DECRYPT | {"Resource": {"Ref": "KeyParameter"}}),
        template({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
        template(role={"Policies": [{"PolicyDocument": {"Statement": DECRYPT}}]}),
        template(role={"ManagedPolicyArns": ["arn:aws:iam::123456789012:policy/x"]}),
        template(role={"ManagedPolicyArns": {"Ref": "PolicyArns"}}),
        template(role={"RoleName": "known-elsewhere"}),
        template(role={"Policies": {"Fn::If": ["C", [], []]}}),
        template({"Fn::If": ["C", DECRYPT, {"Ref": "AWS::NoValue"}]}),
        template(key_id="alias/aws/sqs"),
        template(key_id={"Ref": "KeyParameter"}),
        template(key_statements=[ROOT, ROOT | {"Principal": {"AWS": {"Fn::GetAtt": ["R", "Arn"]}}}]),
        template(key_statements=[ROOT | {"Principal": "*"}]),
    ],
)
def test_a_role_that_may_or_might_is_fine(places, resources):
    assert places(EventSourceKey, resources) == []


def test_a_role_that_other_templates_know_may_have_rights_from_there(places):
    outputs = {"Role": {"Value": {"Fn::GetAtt": ["R", "Arn"]}}}
    assert places(EventSourceKey, template(), Outputs=outputs) == []


def test_the_message_names_the_function_and_the_source(findings):
    [(_, message)] = findings(EventSourceKey, {"Resources": template()})
    assert message == "F cannot decrypt what Q holds; allow kms:Decrypt on its key to the role"
