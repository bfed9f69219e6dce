import pytest

from archlib.checks.rules.security.public_function import PublicFunction


def permission(**properties):
    return {"P": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": "x", **properties}}}


@pytest.mark.parametrize("more", [{}, {"FunctionUrlAuthType": "NONE"}, {"SourceArn": ""}])
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
