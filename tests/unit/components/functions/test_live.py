from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from troposphere import Ref

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.functions.live import Live
from archlib.components.messaging.topic import Topic
from archlib.core.values import encode, join
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]
INLINE = Code(inline="def handler(event, context):\n    return event\n")


def test_a_version_is_published_behind_the_alias(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, live=Live())

    found = rendered()
    assert found["WorkerLiveAlias"]["Properties"] == {
        "Description": "What callers invoke",
        "FunctionName": {"Ref": "WorkerFunction"},
        "FunctionVersion": {"Fn::GetAtt": ["WorkerVersion", "Version"]},
        "Name": "live",
    }
    assert found["WorkerVersion"]["DeletionPolicy"] == found["WorkerVersion"]["UpdateReplacePolicy"] == "Retain"
    assert "WorkerDeploymentGroup" not in found


def description(**settings: Any) -> str:
    app = App("shop", "test")
    Function(Stack(app, "main"), "worker", live=Live(), **{"code": INLINE, **settings})
    found = [stack.template["Resources"].get("WorkerVersion") for stack in app.assemble()]
    return str(found[-1]["Properties"]["Description"])


def test_a_change_makes_a_new_version_and_no_change_none() -> None:
    assert description() == description()
    assert description() != description(memory_mib=512)


def test_what_is_wired_later_counts_too(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE, live=Live())
    before = rendered()["WorkerVersion"]["Properties"]["Description"]

    worker.set_environment("STAGE", "test")

    assert rendered()["WorkerVersion"]["Properties"]["Description"] != before


@pytest.mark.parametrize(
    ("shift", "configuration"),
    [
        ("canary-10-percent-5-minutes", "CodeDeployDefault.LambdaCanary10Percent5Minutes"),
        ("linear-10-percent-every-1-minute", "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"),
    ],
)
def test_gradual_shifts_go_through_a_deployment_group(
    stack: Stack, rendered: Rendered, shift: Any, configuration: str
) -> None:
    Function(stack, "worker", code=INLINE, live=Live(shift=shift))

    found = rendered()
    group = found["WorkerDeploymentGroup"]
    assert group["Properties"]["DeploymentConfigName"] == configuration
    assert group["Properties"]["AutoRollbackConfiguration"]["Enabled"] is True
    assert group["DependsOn"] == "WorkerDeploymentPolicy"
    assert found["WorkerLiveAlias"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"] == {
        "ApplicationName": {"Ref": "WorkerDeployments"},
        "DeploymentGroupName": {"Ref": "WorkerDeploymentGroup"},
    }
    statements = found["WorkerDeploymentPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert "lambda:UpdateAlias" in [action for statement in statements for action in statement["Action"]]
    assert all("*" not in statement["Resource"] for statement in statements)


def test_errors_of_the_alias_roll_back_and_are_told(stack: Stack, rendered: Rendered) -> None:
    live = Live(shift="canary-10-percent-5-minutes", notify=Topic(stack, "alarms"))
    Function(stack, "worker", code=INLINE, live=live)

    found = rendered()
    assert found["WorkerDeploymentGroup"]["Properties"]["AlarmConfiguration"] == {
        "Enabled": True,
        "Alarms": [{"Name": {"Ref": "WorkerLiveErrorsAlarm"}}],
    }
    alarm = found["WorkerLiveErrorsAlarm"]["Properties"]
    assert alarm["AlarmActions"] == [{"Ref": "AlarmsTopic"}]
    assert alarm["Dimensions"] == [
        {"Name": "FunctionName", "Value": {"Ref": "WorkerFunction"}},
        {"Name": "Resource", "Value": encode(join(Ref("WorkerFunction"), ":live"))},
    ]
    statements = found["WorkerDeploymentPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert {
        "Effect": "Allow",
        "Action": ["cloudwatch:DescribeAlarms"],
        "Resource": [{"Fn::GetAtt": ["WorkerLiveErrorsAlarm", "Arn"]}],
    } in statements


def test_rolls_back_also_when_nobody_is_told(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, live=Live(shift="linear-10-percent-every-1-minute"))

    found = rendered()
    group = found["WorkerDeploymentGroup"]["Properties"]
    assert group["AlarmConfiguration"]["Alarms"] == [{"Name": {"Ref": "WorkerLiveErrorsAlarm"}}]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert "AlarmActions" not in found["WorkerLiveErrorsAlarm"]["Properties"]


def test_without_a_shift_nobody_is_told(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, live=Live(notify=Topic(stack, "alarms")))

    assert "WorkerLiveErrorsAlarm" not in rendered()


def test_keeps_environments_ready(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, live=Live(provisioned=2))

    found = rendered()
    assert found["WorkerLiveAlias"]["Properties"]["ProvisionedConcurrencyConfig"] == {
        "ProvisionedConcurrentExecutions": 2
    }
    assert "WorkerScalableTarget" not in found


def test_scales_them_by_use(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, live=Live(provisioned=2, provisioned_max=9, utilization_percent=60))

    found = rendered()
    target = found["WorkerScalableTarget"]
    assert (target["Properties"]["MinCapacity"], target["Properties"]["MaxCapacity"]) == (2, 9)
    assert target["DependsOn"] == "WorkerLiveAlias"
    policy = found["WorkerScalingPolicy"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    assert policy["TargetValue"] == 0.6


@pytest.mark.parametrize(
    ("live", "message"),
    [
        (Live(shift="slowly"), "live.shift must be one of all-at-once"),  # type: ignore[arg-type]
        (Live(provisioned=-1), "live.provisioned must be 0 to 10000, got -1"),
        (Live(provisioned=1, utilization_percent=91), "live.utilization_percent must be 10 to 90, got 91"),
        (Live(provisioned_max=3), "live.provisioned_max must be at least live.provisioned, which must then be 1"),
        (Live(provisioned=4, provisioned_max=3), "live.provisioned_max must be at least live.provisioned"),
    ],
)
def test_refuses_what_cannot_work(stack: Stack, live: Live, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Function(stack, "worker", code=INLINE, live=live)

    assert message in str(caught.value)


def test_what_no_version_holds_publishes_none() -> None:
    assert description() == description(reserved_concurrency=5)
    assert description() != description(memory_mib=1024)
