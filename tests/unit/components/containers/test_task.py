from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import Stack
from archlib.components.containers.cluster import Cluster
from archlib.components.containers.task import Task
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.queue import Queue
from archlib.errors import SettingsError
from contract.factories.containers import IMAGE, NETWORK

Rendered = Callable[[], dict[str, Any]]


@pytest.fixture
def report(stack: Stack, cluster: Cluster) -> Task:
    return Task(stack, "report", cluster=cluster, network=NETWORK, image=IMAGE, environment={"STAGE": "test"})


def statements(rendered: Rendered, policy: str) -> dict[str, Any]:
    found = rendered()[policy]["Properties"]["PolicyDocument"]["Statement"]
    return {action: statement for statement in found for action in statement["Action"]}


@pytest.mark.usefixtures("report")
def test_has_all_its_memory_and_takes_no_requests(rendered: Rendered) -> None:
    found = rendered()["ReportTask"]["Properties"]
    (main,) = found["ContainerDefinitions"]

    assert main["Memory"] == 512
    assert "PortMappings" not in main
    assert main["Environment"] == [{"Name": "STAGE", "Value": "test"}]
    assert found["TaskRoleArn"] == {"Fn::GetAtt": ["ReportTaskRole", "Arn"]}
    assert "AWS::ECS::Service" not in {node["Type"] for node in rendered().values()}


def test_uses_what_it_is_connected_to(report: Task, stack: Stack, rendered: Rendered) -> None:
    report.connect(Queue(stack, "jobs").for_sending())

    assert "sqs:SendMessage" in statements(rendered, "ReportTaskPolicy")


def test_runs_on_a_schedule_with_a_role_that_can_start_only_it(report: Task, rendered: Rendered) -> None:
    report.schedule("cron(0 3 * * ? *)", timezone="Europe/Berlin", retries=5)

    schedule = rendered()["ReportTaskSchedule"]
    found = schedule["Properties"]
    target = found["Target"]
    allowed = statements(rendered, "ReportTaskSchedulePolicy")

    assert (found["ScheduleExpression"], found["ScheduleExpressionTimezone"]) == ("cron(0 3 * * ? *)", "Europe/Berlin")
    assert "MainCluster" in str(target["Arn"])
    assert target["EcsParameters"]["TaskDefinitionArn"] == {"Ref": "ReportTask"}
    assert target["EcsParameters"]["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 5}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["ReportTaskDeadLetterQueue", "Arn"]}}
    assert allowed["ecs:RunTask"]["Resource"] == [{"Ref": "ReportTask"}]
    assert "MainCluster" in str(allowed["ecs:RunTask"]["Condition"]["ArnEquals"]["ecs:cluster"])
    assert allowed["iam:PassRole"]["Resource"] == [
        {"Fn::GetAtt": ["ReportTaskExecutionRole", "Arn"]},
        {"Fn::GetAtt": ["ReportTaskRole", "Arn"]},
    ]
    assert allowed["iam:PassRole"]["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert {"ReportTaskSchedulePolicy", "ReportTaskExecutionPolicy", "ReportToVpcS3443S3Egress"} <= set(
        schedule["DependsOn"]
    )
    assert [watch.name for watch in report.watches()] == ["dead-letters"]


def test_a_second_schedule_has_a_label(report: Task, rendered: Rendered) -> None:
    report.schedule("rate(1 hour)")
    report.schedule("rate(1 day)", label="daily")

    assert {"ReportTaskSchedule", "ReportTaskDailySchedule"} <= set(rendered())
    assert len([node for node in rendered().values() if node["Type"] == "AWS::SQS::Queue"]) == 1


def test_code_starts_it(report: Task, stack: Stack, rendered: Rendered) -> None:
    starter = Function(stack, "starter", code=Code(inline="def handler(event, context): pass"))
    starter.connect(report.for_running())

    variables = rendered()["StarterFunction"]["Properties"]["Environment"]["Variables"]

    assert set(variables) == {"REPORT_CLUSTER", "REPORT_TASK", "REPORT_SUBNETS", "REPORT_SECURITY_GROUP"}
    assert variables["REPORT_SUBNETS"] == {"Fn::Join": [",", list(NETWORK.private_subnets)]}
    assert "ecs:RunTask" in statements(rendered, "StarterFunctionPolicy")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"when": "daily"}, r"task 'report': when must be rate\(5 minutes\), cron\(.*\) or at\(.*\), got 'daily'"),
        ({"when": "rate(1 hours)"}, r"when must be rate\(1 minute\), or rate\(2 minutes\) for more than one"),
        ({"when": "rate(1 hour)", "timezone": "Berlin"}, "timezone must be an IANA name such as Europe/Berlin, got"),
        ({"when": "rate(1 hour)", "label": "Each Hour"}, "schedule 'Each Hour': name must be kebab-case"),
        ({"when": "rate(1 hour)", "retries": 186}, "task 'report': retries must be 0 to 185, got 186"),
    ],
)
def test_a_schedule_that_cannot_work_is_refused(report: Task, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        report.schedule(**settings)


def test_a_task_that_cannot_work_is_refused(stack: Stack, cluster: Cluster) -> None:
    with pytest.raises(SettingsError, match="task 'report': user must be a user or user:group"):
        Task(stack, "report", cluster=cluster, network=NETWORK, image=IMAGE, user="root")
