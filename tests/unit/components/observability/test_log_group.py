from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.observability.log_group import LogGroup
from archlib.core.values import encode
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]


def test_is_encrypted_and_kept_for_a_year(stack: Stack, rendered: Rendered) -> None:
    LogGroup(stack, "audit")

    found = rendered()
    group = found["AuditLogGroup"]
    assert group["Properties"]["KmsKeyId"] == {"Ref": "AppKeyArn"}
    assert group["Properties"]["RetentionInDays"] == 365
    assert group["DeletionPolicy"] == group["UpdateReplacePolicy"] == "Retain"
    assert "LogGroupName" not in group["Properties"]
    assert "logs." in json.dumps(found["AppKey"]["Properties"]["KeyPolicy"])


def test_takes_another_key_retention_and_name(stack: Stack, rendered: Rendered) -> None:
    LogGroup(stack, "audit", retention_days=30, physical_name="aws-waf-logs-audit", key=Key(stack, "own"))

    found = rendered()
    properties = found["AuditLogGroup"]["Properties"]
    assert properties["KmsKeyId"] == {"Fn::GetAtt": ["OwnKey", "Arn"]}
    assert (properties["RetentionInDays"], properties["LogGroupName"]) == (30, "aws-waf-logs-audit")
    assert "AppKey" not in found


def test_is_deleted_with_a_throw_away_app() -> None:
    app = App("shop", "test", removal="Delete")
    LogGroup(Stack(app, "main"), "audit")

    (group,) = [
        resource
        for artifact in app.assemble()
        for name, resource in artifact.template["Resources"].items()
        if name == "AuditLogGroup"
    ]
    assert group["DeletionPolicy"] == "Delete"


@pytest.mark.parametrize("days", [0, 2, 366, 5000])
def test_refuses_a_retention_that_cloudwatch_does_not_offer(stack: Stack, days: int) -> None:
    with pytest.raises(SettingsError, match=f"log group 'audit': retention_days must be one of 1, 3, 5.* got {days}"):
        LogGroup(stack, "audit", retention_days=days)


@pytest.mark.parametrize(("days", "close"), [(0, 1), (42, 30), (50, 60), (10_000, 3653)])
def test_names_the_closest_retention_there_is(stack: Stack, days: int, close: int) -> None:
    with pytest.raises(SettingsError, match=f"got {days}; take {close}$"):
        LogGroup(stack, "audit", retention_days=days)


def test_writers_reach_this_group_only(stack: Stack, rendered: Rendered) -> None:
    Role(stack, "writer", service="lambda").connect(LogGroup(stack, "audit").for_writing())

    assert rendered()["WriterPolicy"]["Properties"]["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [{"Fn::GetAtt": ["AuditLogGroup", "Arn"]}],
        }
    ]


@pytest.mark.parametrize(
    ("settings", "namespace", "value"),
    [({}, "shop", "1"), ({"namespace": "Orders", "value": "$.amount"}, "Orders", "$.amount")],
)
def test_events_are_counted_as_a_metric(
    stack: Stack, rendered: Rendered, settings: dict[str, str], namespace: str, value: str
) -> None:
    LogGroup(stack, "audit").metric("failed-logins", pattern='{ $.event = "login-failed" }', **settings)

    assert rendered()["AuditFailedLoginsMetricFilter"]["Properties"] == {
        "FilterPattern": '{ $.event = "login-failed" }',
        "LogGroupName": {"Ref": "AuditLogGroup"},
        "MetricTransformations": [{"MetricName": "failed-logins", "MetricNamespace": namespace, "MetricValue": value}],
    }


def test_a_metric_has_a_kebab_case_name(stack: Stack) -> None:
    with pytest.raises(SettingsError, match="metric 'Failed Logins': name must be kebab-case"):
        LogGroup(stack, "audit").metric("Failed Logins", pattern="ERROR")


def test_its_arn_names_the_group_and_not_its_streams(stack: Stack) -> None:
    text = json.dumps(encode(LogGroup(stack, "audit").arn))

    assert "log-group:" in text
    assert "AuditLogGroup" in text
    assert ":*" not in text
