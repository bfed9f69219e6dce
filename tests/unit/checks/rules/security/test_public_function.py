import pytest

from archlib.checks.rules.security.public_function import PublicFunction


def permission(**properties):
    return {"P": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": "x", **properties}}}


@pytest.mark.parametrize(
    "more", [{}, {"FunctionUrlAuthType": "NONE"}, {"SourceArn": ""}, {"SourceArn": "arn:aws:s3:::*"}]
)
def test_a_permission_for_everyone_is_found(places, more):
    assert places(PublicFunction, permission(Principal="*", **more)) == ["P/Properties/Principal"]


@pytest.mark.parametrize(
    "properties",
    [
        {"Principal": "events.amazonaws.com"},
        {"Principal": "*", "PrincipalOrgID": "o-1"},
        {"Principal": "*", "SourceArn": {"Ref": "X"}},
        {"Principal": {"Ref": "Who"}},
        {},
    ],
)
def test_a_service_or_a_source_is_fine(places, properties):
    assert places(PublicFunction, permission(**properties)) == []


def url(**properties):
    return {"U": {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": "x", **properties}}}


def test_a_url_without_a_login_is_found(places, findings):
    assert places(PublicFunction, url(AuthType="NONE")) == ["U/Properties/AuthType"]
    assert places(PublicFunction, url(AuthType={"Fn::If": ["C", "AWS_IAM", "NONE"]})) == [
        "U/Properties/AuthType/Fn::If/2"
    ]
    [(_, message)] = findings(PublicFunction, {"Resources": url(AuthType="NONE")})
    assert message.startswith("function URL U lets everyone invoke the function; set AuthType to AWS_IAM")


@pytest.mark.parametrize("properties", [{"AuthType": "AWS_IAM"}, {"AuthType": {"Ref": "Kind"}}, {}])
def test_a_url_with_a_login_is_fine(places, properties):
    assert places(PublicFunction, url(**properties)) == []
