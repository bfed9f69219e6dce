import pytest

from archlib.checks.rules.security.inline_policy import InlinePolicy


@pytest.mark.parametrize(
    ("resource", "place"),
    [
        ({"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyName": "x"}]}}, "R/Properties/Policies"),
        ({"Type": "AWS::IAM::User", "Properties": {"Policies": [{"PolicyName": "x"}]}}, "R/Properties/Policies"),
        ({"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "x"}}, "R"),
        ({"Type": "AWS::IAM::RolePolicy"}, "R"),
    ],
)
def test_an_inline_policy_is_found(places, resource, place):
    assert places(InlinePolicy, {"R": resource}) == [place]


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Roles": ["x"]}},
        {"Type": "AWS::IAM::Role", "Properties": {"Policies": []}},
        {"Type": "AWS::IAM::Role"},
    ],
)
def test_others_are_fine(places, resource):
    assert places(InlinePolicy, {"R": resource}) == []
