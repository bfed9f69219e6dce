from collections.abc import Callable
from typing import Any

import pytest

from archlib import App
from archlib.components.apis.logging_role import ApiLogging

Rendered = Callable[[], dict[str, Any]]


@pytest.mark.parametrize("removal", ["Retain", "Delete"])
def test_stays_for_the_account_whatever_the_app_says(removal: Any) -> None:
    app = App("shop", "test", removal=removal)
    ApiLogging.of(app)

    made = app.assemble()[0].template["Resources"]

    assert set(made) == {"ApiLoggingApiGatewayAccount", "ApiLoggingPolicy", "ApiLoggingRole"}
    assert {node["DeletionPolicy"] for node in made.values()} == {"Retain"}
    assert {node["UpdateReplacePolicy"] for node in made.values()} == {"Retain"}


def test_api_gateway_may_write_logs_and_nothing_else(app: App, rendered: Rendered) -> None:
    ApiLogging.of(app)

    made = rendered()
    statements = made["ApiLoggingPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    actions = {action for statement in statements for action in statement["Action"]}

    assert all(action.startswith("logs:") for action in actions)
    assert {"logs:DescribeLogGroups", "logs:PutLogEvents"} <= actions
    assert [statement["Action"] for statement in statements if statement["Resource"] == ["*"]] == [
        ["logs:DescribeLogGroups"]
    ]
    assert made["ApiLoggingApiGatewayAccount"]["DependsOn"] == "ApiLoggingPolicy"
    assert made["ApiLoggingRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "Service": "apigateway.amazonaws.com"
    }


def test_there_is_one_for_the_app(app: App) -> None:
    assert ApiLogging.of(app) is ApiLogging.of(app)
