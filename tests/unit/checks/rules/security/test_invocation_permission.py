import pytest

from archlib.checks.rules.security.invocation_permission import InvocationPermission

ARN = {"Fn::GetAtt": ["F", "Arn"]}
FUNCTION = {"F": {"Type": "AWS::Lambda::Function", "Properties": {}}}
ALIAS = {"A": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}, "Name": "live"}}}
URI = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F.Arn}/invocations"


def rule(arn, **more):
    return {"W": {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"Arn": arn, "Id": "x", **more}]}}}


def permission(function, principal="events.amazonaws.com"):
    return {"P": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": function, "Principal": principal}}}


WIRINGS = [
    ("AWS::Events::Rule", {"Targets": [{"Arn": ARN}]}, "Targets/0/Arn", "events"),
    ("AWS::SNS::Subscription", {"Protocol": "lambda", "Endpoint": ARN}, "Endpoint", "sns"),
    ("AWS::SNS::Topic", {"Subscription": [{"Protocol": "lambda", "Endpoint": ARN}]}, "Subscription/0/Endpoint", "sns"),
    ("AWS::S3::Bucket", {"NotificationConfiguration": {"LambdaConfigurations": [{"Function": ARN}]}},
     "NotificationConfiguration/LambdaConfigurations/0/Function", "s3"),
    ("AWS::ApiGateway::Method", {"Integration": {"Uri": {"Fn::Sub": URI}}}, "Integration/Uri", "apigateway"),
    ("AWS::ApiGateway::Authorizer", {"AuthorizerUri": {"Fn::Sub": URI}}, "AuthorizerUri", "apigateway"),
    ("AWS::ApiGatewayV2::Integration", {"IntegrationUri": ARN}, "IntegrationUri", "apigateway"),
    ("AWS::CloudWatch::Alarm", {"AlarmActions": [ARN]}, "AlarmActions/0", "lambda.alarms.cloudwatch"),
    ("AWS::Cognito::UserPool", {"LambdaConfig": {"PreSignUp": ARN}}, "LambdaConfig/PreSignUp", "cognito-idp"),
    ("AWS::SecretsManager::RotationSchedule", {"RotationLambdaARN": ARN}, "RotationLambdaARN", "secretsmanager"),
    ("AWS::Logs::SubscriptionFilter", {"DestinationArn": ARN}, "DestinationArn", "logs"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "properties", "place", "service"), WIRINGS)
def test_each_wiring_needs_a_permission_for_its_service(places, kind, properties, place, service):
    resources = {**FUNCTION, "W": {"Type": kind, "Properties": properties}}
    assert places(InvocationPermission, resources) == [f"W/Properties/{place}"]
    assert places(InvocationPermission, resources | permission(ARN, "iot.amazonaws.com")) == [f"W/Properties/{place}"]
    assert places(InvocationPermission, resources | permission(ARN, f"{service}.amazonaws.com")) == []


@pytest.mark.parametrize(
    ("target", "function", "fits"),
    [
        (ARN, {"Ref": "F"}, True),
        (ARN, {"Ref": "A"}, False),
        (ARN, {"Fn::Sub": "${F.Arn}:live"}, False),
        ({"Ref": "A"}, {"Ref": "A"}, True),
        ({"Ref": "A"}, {"Fn::Sub": "${F}:live"}, True),
        ({"Ref": "A"}, {"Ref": "F"}, False),
        ({"Fn::Sub": "${F.Arn}:live"}, {"Ref": "A"}, True),
        ({"Fn::Sub": "${F.Arn}:live"}, {"Ref": "F"}, False),
        (ARN, {"Ref": "Other"}, False),
        (ARN, "name-of-a-function", True),
    ],
)
def test_the_permission_is_on_the_function_or_on_the_alias(places, target, function, fits):
    resources = {**FUNCTION, **ALIAS, **rule(target), **permission(function)}
    assert (places(InvocationPermission, resources) == []) is fits


@pytest.mark.parametrize("principal", ["*", {"Ref": "Who"}, {"Fn::ImportValue": "x"}])
def test_any_principal_and_an_unknown_one_may_fit(places, principal):
    assert places(InvocationPermission, {**FUNCTION, **rule(ARN), **permission(ARN, principal)}) == []


def test_the_logs_service_may_carry_its_region(places):
    wiring = {"W": {"Type": "AWS::Logs::SubscriptionFilter", "Properties": {"DestinationArn": ARN}}}
    for principal in ("logs.eu-west-1.amazonaws.com", {"Fn::Sub": "logs.${AWS::Region}.amazonaws.com"}):
        assert places(InvocationPermission, {**FUNCTION, **wiring, **permission(ARN, principal)}) == []


@pytest.mark.parametrize(
    "wiring",
    [
        rule(ARN, RoleArn="arn:aws:iam::123456789012:role/x"),
        rule({"Ref": "FunctionArn"}),
        rule("arn:aws:lambda:eu-west-1:123456789012:function:x"),
        {"W": {"Type": "AWS::ApiGateway::Method", "Properties": {"Integration": {"Uri": ARN, "Credentials": "x"}}}},
        {"W": {"Type": "AWS::Events::Rule", "Properties": {"Targets": "broken"}}},
    ],
)
def test_roles_and_functions_elsewhere_are_fine(places, wiring):
    assert places(InvocationPermission, {**FUNCTION, **wiring}) == []


def test_a_macro_may_add_what_is_missing(places):
    assert places(InvocationPermission, {**FUNCTION, **rule(ARN)}, Transform="MyMacro") == []


def test_the_message_says_what_to_add(findings):
    [(_, message)] = findings(InvocationPermission, {"Resources": {**FUNCTION, **ALIAS, **rule({"Ref": "A"})}})
    assert message == (
        "W invokes F but may not; add an AWS::Lambda::Permission with Principal events.amazonaws.com "
        "for that alias or version"
    )
