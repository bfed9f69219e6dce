from __future__ import annotations

from typing import Any

import pytest
from troposphere import Ref

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.identity.parameter import Parameter
from archlib.errors import SettingsError


@pytest.fixture
def app() -> App:
    return App("shop", "test", tags={"team": "orders"}, layout="single")


def resources(app: App) -> dict[str, Any]:
    return {name: resource for stack in app.assemble() for name, resource in stack.template["Resources"].items()}


def test_holds_a_text(app: App, stack: Stack) -> None:
    Parameter(stack, "theme", value="dark")

    assert resources(app)["ThemeParameter"]["Properties"] == {
        "Description": "theme of shop (test)",
        "Tags": {"app": "shop", "environment": "test", "team": "orders"},
        "Tier": "Standard",
        "Type": "String",
        "Value": "dark",
    }


def test_holds_a_list_with_values_of_the_deployment(app: App, stack: Stack) -> None:
    Parameter(
        stack, "regions", value=["eu-west-1", Ref("AWS::Region")], description="Where we sell", tier="Advanced",
        allowed_pattern="[a-z0-9-]+", path="/shop/regions",
    )  # fmt: skip

    properties = resources(app)["RegionsParameter"]["Properties"]

    assert properties["Type"] == "StringList"
    assert properties["Value"] == {"Fn::Join": [",", ["eu-west-1", {"Ref": "AWS::Region"}]]}
    assert properties["Description"] == "Where we sell"
    assert properties["Tier"] == "Advanced"
    assert properties["AllowedPattern"] == "[a-z0-9-]+"
    assert properties["Name"] == "/shop/regions"


@pytest.mark.parametrize(
    ("path", "arn"),
    [
        (None, "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${ThemeParameter}"),
        ("/shop/theme", "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${ThemeParameter}"),
    ],
)
def test_readers_get_its_name_and_the_right_to_this_one(app: App, stack: Stack, path: str | None, arn: str) -> None:
    function = Function(stack, "worker", code=Code(inline="def handler(event, context): pass"))

    function.connect(Parameter(stack, "theme", value="dark", path=path).for_reading())

    found = resources(app)
    statements = found["WorkerFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {
        "Effect": "Allow",
        "Action": ["ssm:GetParameter", "ssm:GetParameters"],
        "Resource": [{"Fn::Sub": arn}],
    } in statements
    environment = found["WorkerFunction"]["Properties"]["Environment"]["Variables"]
    assert environment["THEME_PARAMETER"] == {"Ref": "ThemeParameter"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"value": ""}, "parameter 'theme': value must be at least one character"),
        ({"value": []}, "value must be at least one character"),
        ({"value": "é" * 2049}, "value must be at most 4096 bytes, got 4098"),
        ({"value": "x" * 8193, "tier": "Advanced"}, "value must be at most 8192 bytes, got 8193"),
        ({"value": "{{resolve:ssm:x}}"}, "value must be plain text, without '{{'"),
        ({"value": ["a,b"]}, "value must be texts without ','"),
        ({"value": "dark", "tier": "Free"}, "tier must be one of Standard, Advanced, Intelligent-Tiering, got 'Free'"),
        ({"value": "dark", "allowed_pattern": "("}, "allowed_pattern must be a regular expression"),
        ({"value": "dark", "allowed_pattern": r"^\d+$"}, r"value must be text that matches '^\\d+$', got 'dark'"),
        ({"value": "dark", "path": "theme"}, "path must be up to 15 parts such as /shop/prod/theme"),
        ({"value": "dark", "path": "/aws/theme"}, "not under /aws or /ssm, got '/aws/theme'"),
        ({"value": "dark", "path": "/a" * 16}, "path must be up to 15 parts"),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Parameter(stack, "theme", **settings)

    assert message in str(caught.value)
    assert not stack.template.resources
