from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.cicd.project import BuildProject
from archlib.components.cicd.stages import Approval, Build, Quiet, Stage, Window
from archlib.components.messaging.topic import Topic
from archlib.components.observability.alarm import Alarm
from archlib.core.component import checking
from archlib.core.values import encode
from archlib.errors import SettingsError

APP_STACK = Stack(App("shop", "test"), "main")
PROJECT = BuildProject(APP_STACK, "checks")
ALARM = Alarm(APP_STACK, "failures", watch=PROJECT.watches()[0])


def rendered(stage: Stage) -> Any:
    with checking("pipeline 'x'") as check:
        stage.check(check, "stages.0")
    return encode(stage.rendered("source"))


def test_actions_run_one_after_another_unless_they_are_together() -> None:
    one, two = Build("one", PROJECT), Build("two", PROJECT, together=True)

    found = rendered(Stage("all", [one, two, Approval("ok"), Build("three", PROJECT)]))["Actions"]

    assert [action["RunOrder"] for action in found] == [1, 1, 2, 3]


def test_a_build_works_on_the_first_source_by_default() -> None:
    (action,) = rendered(Stage("all", [Build("one", PROJECT)]))["Actions"]

    assert action == {
        "ActionTypeId": {"Category": "Build", "Owner": "AWS", "Provider": "CodeBuild", "Version": "1"},
        "Configuration": {"ProjectName": {"Ref": "ChecksProject"}},
        "InputArtifacts": [{"Name": "source"}],
        "Name": "one",
        "Namespace": "one",
        "RunOrder": 1,
    }


def test_a_build_may_get_more_and_hand_on() -> None:
    build = Build("one", PROJECT, ("a", "b"), output=True, environment={"STAGE": "#{variables.STAGE}"}, test=True)

    (action,) = rendered(Stage("all", [build]))["Actions"]

    assert action["ActionTypeId"]["Category"] == "Test"
    assert action["Configuration"]["PrimarySource"] == "a"
    assert json.loads(action["Configuration"]["EnvironmentVariables"]) == [
        {"name": "STAGE", "type": "PLAINTEXT", "value": "#{variables.STAGE}"}
    ]
    assert action["OutputArtifacts"] == [{"Name": "one"}]


def test_an_approval_says_what_is_approved(stack: Stack) -> None:
    approval = Approval("ok", "Deploy?", "https://example.com/#{plan.ID}", Topic(stack, "asked"), timedelta(hours=1))

    (action,) = rendered(Stage("all", [approval]))["Actions"]

    assert action["ActionTypeId"] == {"Category": "Approval", "Owner": "AWS", "Provider": "Manual", "Version": "1"}
    assert action["Configuration"] == {
        "CustomData": "Deploy?",
        "ExternalEntityLink": "https://example.com/#{plan.ID}",
        "NotificationArn": {"Ref": "AskedTopic"},
    }
    assert action["TimeoutInMinutes"] == 60
    assert "InputArtifacts" not in action


def test_an_approval_needs_no_words() -> None:
    (action,) = rendered(Stage("all", [Approval("ok")]))["Actions"]

    assert "Configuration" not in action
    assert action["TimeoutInMinutes"] == 10_080


def test_conditions_are_checked_before_a_stage() -> None:
    stage = Stage("all", [Approval("ok")], before=[Quiet(ALARM, timedelta(minutes=3)), Window(days=("MON", "TUE"))])

    (condition,) = rendered(stage)["BeforeEntry"]["Conditions"]

    assert condition["Result"] == "FAIL"
    quiet, window = condition["Rules"]
    assert quiet["RuleTypeId"] == {"Category": "Rule", "Owner": "AWS", "Provider": "CloudWatchAlarm", "Version": "1"}
    assert quiet["Configuration"] == {"AlarmName": {"Ref": "FailuresAlarm"}, "WaitTime": "3"}
    assert window["RuleTypeId"]["Provider"] == "DeploymentWindow"
    assert window["Configuration"] == {"Cron": "* * 9-16 ? * MON,TUE *", "TimeZone": "UTC"}
    assert quiet["Name"] != window["Name"]


def test_a_stage_may_be_skipped_instead() -> None:
    stage = rendered(Stage("all", [Approval("ok")], before=[Window()], skip=True))

    assert stage["BeforeEntry"]["Conditions"][0]["Result"] == "SKIP"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"rollback": True}, {"Result": "ROLLBACK"}),
        ({"retry": "failed"}, {"Result": "RETRY", "RetryConfiguration": {"RetryMode": "FAILED_ACTIONS"}}),
        ({"retry": "all"}, {"Result": "RETRY", "RetryConfiguration": {"RetryMode": "ALL_ACTIONS"}}),
    ],
)
def test_a_failure_may_be_tried_again_or_rolled_back(settings: dict[str, Any], expected: Any) -> None:
    assert rendered(Stage("all", [Approval("ok")], **settings)).get("OnFailure") == expected


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage("All", [Approval("ok")]), "name must be kebab-case"),
        (Stage("all", []), "stages.0.actions must be at least one"),
        (Stage("all", [Build("one", PROJECT, together=True)]), "stages.0.actions.0.together must be false"),
        (Stage("all", [Approval("ok")], skip=True), "stages.0.skip must be false without before"),
        (Stage("all", [Approval("ok")], retry="often"), "stages.0.retry must be one of none, failed, all"),  # type: ignore[arg-type]
        (Stage("all", [Approval("ok")], retry="all", rollback=True), "stages.0.rollback must be false with retry"),
        (Stage("all", [Approval("ok")], before=[Window()] * 6), "stages.0.before must be at most 5"),
        (Stage("all", [Approval("ok")], before=[Window(first_hour=24)]), "before.0.first_hour must be 0 to 23"),
        (Stage("all", [Approval("ok")], before=[Window(last_hour=8)]), "before.0.last_hour must be 9 to 23"),
        (Stage("all", [Approval("ok")], before=[Window(days=())]), "before.0.days must be at least one day"),
        (Stage("all", [Approval("ok")], before=[Window(days=("MAY",))]), "before.0.days must be one of MON"),  # type: ignore[arg-type]
        (Stage("all", [Approval("ok")], before=[Window(timezone="CET/Nowhere")]), "before.0.timezone must be an IANA"),
        (Stage("all", [Approval("ok")], before=[Quiet(ALARM, timedelta(0))]), "before.0.wait must be 1m to 1h"),
        (Stage("all", [Approval("ok")], before=[Quiet(ALARM, timedelta(seconds=90))]), "before.0.wait must be whole"),
        (Stage("all", [Build("One", PROJECT)]), "name must be kebab-case"),
        (Stage("all", [Build("one", PROJECT, ("a",) * 2)]), "actions.0.inputs must be at most 5 different ones"),
        (Stage("all", [Build("one", PROJECT, tuple("abcdef"))]), "actions.0.inputs must be at most 5 different ones"),
        (Stage("all", [Build("one", PROJECT, environment={"CODEBUILD_A": ""})]), "actions.0.environment must be named"),
        (Stage("all", [Approval("ok", "x" * 1001)]), "actions.0.message must be at most 1000 characters, got 1001"),
        (Stage("all", [Approval("ok", link="http://example.com")]), "actions.0.link must be an https:// address"),
        (Stage("all", [Approval("ok", timeout=timedelta(minutes=4))]), "actions.0.timeout must be 5m to 60d"),
        (Stage("all", [Approval("ok", timeout=timedelta(minutes=86_401))]), "actions.0.timeout must be 5m to 60d"),
        (Stage("all", [Approval("ok", timeout=timedelta(seconds=330))]), "actions.0.timeout must be whole minutes"),
    ],
)  # fmt: skip
def test_refuses_what_codepipeline_does_not_have(stage: Stage, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        rendered(stage)
