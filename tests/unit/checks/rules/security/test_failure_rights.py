import pytest

from archlib.checks.rules.security.failure_rights import FailureRights

QUEUE_ARN, KEY_ARN = {"Fn::GetAtt": ["Q", "Arn"]}, {"Fn::GetAtt": ["K", "Arn"]}
SEND = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE_ARN}
ENCRYPT = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": KEY_ARN}
DEAD_LETTERS = {"DeadLetterConfig": {"TargetArn": QUEUE_ARN}}


def template(*statements, function=None, more=None, key=None):
    policy = {"Roles": [{"Ref": "R"}], "PolicyDocument": {"Statement": list(statements)}}
    return {
        "F": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Role": {"Fn::GetAtt": ["R", "Arn"]}, **(function or {})},
        },
        "K": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": []}}},
        "P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy},
        "Q": {"Type": "AWS::SQS::Queue", "Properties": {"KmsMasterKeyId": key} if key else {}},
        "R": {"Type": "AWS::IAM::Role", "Properties": {}},
        **(more or {}),
    }


def config(event="OnFailure", kind="AWS::Lambda::EventInvokeConfig", destination=QUEUE_ARN):
    properties = {"FunctionName": {"Ref": "F"}, "DestinationConfig": {event: {"Destination": destination}}}
    return {"C": {"Type": kind, "Properties": properties}}


@pytest.mark.parametrize(
    ("resources", "place"),
    [
        (template(function=DEAD_LETTERS), "F/Properties/DeadLetterConfig/TargetArn"),
        (template(more=config()), "C/Properties/DestinationConfig/OnFailure/Destination"),
        (template(more=config("OnSuccess")), "C/Properties/DestinationConfig/OnSuccess/Destination"),
        (template(more=config(kind="AWS::Lambda::EventSourceMapping")),
         "C/Properties/DestinationConfig/OnFailure/Destination"),
    ],
)  # fmt: skip
def test_a_destination_without_the_right_is_found(places, resources, place):
    assert places(FailureRights, resources) == [place]
    resources["P"]["Properties"]["PolicyDocument"]["Statement"] = [SEND]
    assert places(FailureRights, resources) == []


@pytest.mark.parametrize(
    ("kind", "arn", "action"),
    [
        ("AWS::SNS::Topic", {"Ref": "T"}, "sns:Publish"),
        ("AWS::Events::EventBus", {"Fn::GetAtt": ["T", "Arn"]}, "events:PutEvents"),
        ("AWS::Lambda::Function", {"Fn::GetAtt": ["T", "Arn"]}, "lambda:InvokeFunction"),
    ],
)
def test_each_kind_of_destination_has_its_action(findings, kind, arn, action):
    more = config(destination=arn) | {"T": {"Type": kind, "Properties": {}}}
    [(_, message)] = findings(FailureRights, {"Resources": template(SEND, more=more)})
    assert message == f"F cannot write to T; allow {action} to its role"
    allowed = {"Effect": "Allow", "Action": action, "Resource": arn}
    assert findings(FailureRights, {"Resources": template(allowed, more=more)}) == []


def test_an_encrypted_destination_needs_its_key(findings):
    resources = template(SEND, function=DEAD_LETTERS, key=KEY_ARN)
    [(_, message)] = findings(FailureRights, {"Resources": resources})
    assert "allow kms:Decrypt, kms:GenerateDataKey to its role" in message
    assert findings(FailureRights, {"Resources": template(SEND, ENCRYPT, function=DEAD_LETTERS, key=KEY_ARN)}) == []


@pytest.mark.parametrize(
    "resources",
    [
        template(function={"DeadLetterConfig": {"TargetArn": {"Ref": "QueueArn"}}}),
        template(function={"DeadLetterConfig": "broken"}),
        template(function=DEAD_LETTERS | {"Role": {"Ref": "RoleArn"}}),
        template(function=DEAD_LETTERS | {"Role": "arn:aws:iam::123456789012:role/x"}),
    ],
)
def test_what_is_elsewhere_is_unknown(places, resources):
    assert places(FailureRights, resources) == []
