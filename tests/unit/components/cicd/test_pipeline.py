from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.cicd.artifacts import ArtifactBucket
from archlib.components.cicd.connection import Connection
from archlib.components.cicd.pipeline import Pipeline
from archlib.components.cicd.project import BuildProject
from archlib.components.cicd.sources import CodeCommitSource, Patterns, Push, RepositorySource
from archlib.components.cicd.stages import Approval, Build, Quiet, Stage, Window
from archlib.components.functions.schedule import Schedule
from archlib.components.messaging.rule import Rule
from archlib.components.messaging.stream import Stream
from archlib.components.messaging.topic import Topic
from archlib.components.observability.alarm import Alarm
from archlib.errors import SettingsError, WiringError

Rendered = Callable[[], dict[str, Any]]
CONNECTION = Connection.lookup("code", arn="arn:aws:codeconnections:eu-west-1:123456789012:connection/0123-abcd")
SOURCE = RepositorySource(CONNECTION, "shop/web")
PIPELINE = {"Fn::Sub": "arn:${AWS::Partition}:codepipeline:${AWS::Region}:${AWS::AccountId}:shop-test-delivery"}
APPROVALS = [Stage("live", [Approval("ok")])]


@pytest.fixture
def app() -> App:
    return App("shop", "test", layout="single")


def granted(policy: dict[str, Any]) -> dict[str, Any]:
    """Return action -> statement of a policy."""
    document = policy["Properties"]["PolicyDocument"]
    return {action: statement for statement in document["Statement"] for action in statement["Action"]}


def of_type(found: dict[str, Any], kind: str) -> dict[str, Any]:
    return {title: node for title, node in found.items() if node["Type"] == kind}


def test_is_of_type_v2_queued_encrypted_and_has_its_own_bucket(stack: Stack, rendered: Rendered) -> None:
    Pipeline(stack, "delivery", sources=[SOURCE], stages=APPROVALS)

    found = rendered()
    properties = found["DeliveryPipeline"]["Properties"]

    assert (properties["PipelineType"], properties["ExecutionMode"]) == ("V2", "QUEUED")
    assert properties["Name"] == "shop-test-delivery"
    assert properties["ArtifactStore"] == {
        "EncryptionKey": {"Id": {"Fn::GetAtt": ["AppKey", "Arn"]}, "Type": "KMS"},
        "Location": {"Ref": "DeliveryArtifactBucket"},
        "Type": "S3",
    }
    assert [stage["Name"] for stage in properties["Stages"]] == ["sources", "live"]
    assert {"Variables", "Triggers"}.isdisjoint(properties)
    assert of_type(found, "AWS::Events::Rule") == {}


def test_only_codepipeline_takes_its_role_and_only_for_this_pipeline(stack: Stack, rendered: Rendered) -> None:
    Pipeline(stack, "delivery", sources=[SOURCE], stages=APPROVALS)

    (statement,) = rendered()["DeliveryPipelineRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Service": "codepipeline.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {"aws:SourceArn": PIPELINE},
    }


def test_has_the_rights_of_its_actions_and_no_star(stack: Stack, rendered: Rendered) -> None:
    checks, topic = BuildProject(stack, "checks"), Topic(stack, "asked")
    alarm = Alarm(stack, "failures", watch=checks.watches()[0])
    stages = [Stage("live", [Build("build", checks), Approval("ok", topic=topic)], before=[Quiet(alarm)])]
    Pipeline(stack, "delivery", sources=[SOURCE], stages=stages)

    found = rendered()
    rights = granted(found["DeliveryPipelinePolicy"])

    assert {action for action in rights if not action.startswith(("s3:", "kms:"))} == {
        *("codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"),
        *("codeconnections:UseConnection", "codestar-connections:UseConnection"),
        *("cloudwatch:DescribeAlarms", "sns:Publish"),
    }
    assert rights["codeconnections:UseConnection"]["Condition"] == {
        "StringEquals": {"codeconnections:FullRepositoryId": "shop/web"}
    }
    assert rights["cloudwatch:DescribeAlarms"]["Resource"] == [{"Fn::GetAtt": ["FailuresAlarm", "Arn"]}]
    assert all("*" not in statement["Resource"] for statement in rights.values())
    assert found["DeliveryPipeline"]["DependsOn"] == ["ChecksInDeliveryPolicy", "DeliveryPipelinePolicy"]


def test_builds_may_use_the_artifacts_once_for_each_project(stack: Stack, rendered: Rendered) -> None:
    checks = BuildProject(stack, "checks")
    Pipeline(stack, "delivery", sources=[SOURCE], stages=[Stage("build", [Build("a", checks), Build("b", checks)])])

    policy = rendered()["ChecksInDeliveryPolicy"]

    assert policy["Properties"]["Roles"] == [{"Ref": "ChecksProjectRole"}]
    assert granted(policy)["s3:PutObject"]["Resource"] == [{"Fn::Sub": "${DeliveryArtifactBucket.Arn}/*"}]
    assert "codeconnections:UseConnection" not in granted(policy)


def test_builds_that_get_the_history_may_fetch_it(stack: Stack, rendered: Rendered) -> None:
    source = RepositorySource(CONNECTION, "shop/web", history=True)
    Pipeline(
        stack,
        "delivery",
        sources=[source],
        stages=[
            Stage("one", [Build("a", BuildProject(stack, "first"), output=True)]),
            Stage("two", [Build("b", BuildProject(stack, "second"), ("a",))]),
        ],
    )

    found = rendered()

    assert "codeconnections:UseConnection" in granted(found["FirstInDeliveryPolicy"])
    assert "codeconnections:UseConnection" not in granted(found["SecondInDeliveryPolicy"])


def test_a_project_in_another_stack_does_not_depend_on_the_pipeline() -> None:
    app = App("shop", "test")
    checks = BuildProject(Stack(app, "projects"), "checks")
    Pipeline(Stack(app, "delivery"), "delivery", sources=[SOURCE], stages=[Stage("build", [Build("build", checks)])])

    stacks = {stack.name: stack for stack in app.assemble()}

    assert "shop-test-projects" in stacks["shop-test-delivery"].depends_on
    assert "shop-test-delivery" not in stacks["shop-test-projects"].depends_on
    assert "ChecksInDeliveryPolicy" in stacks["shop-test-delivery"].template["Resources"]


def test_takes_variables_mode_and_a_bucket(stack: Stack, rendered: Rendered) -> None:
    Pipeline(
        stack,
        "delivery",
        sources=[SOURCE],
        stages=APPROVALS,
        variables={"STAGE": "live"},
        mode="PARALLEL",
        artifacts=ArtifactBucket(stack, "shared"),
    )

    found = rendered()
    properties = found["DeliveryPipeline"]["Properties"]

    assert properties["Variables"] == [{"DefaultValue": "live", "Name": "STAGE"}]
    assert properties["ExecutionMode"] == "PARALLEL"
    assert properties["ArtifactStore"]["Location"] == {"Ref": "SharedArtifactBucket"}
    assert "DeliveryArtifactBucket" not in found


def test_takes_the_triggers_of_its_sources(stack: Stack, rendered: Rendered) -> None:
    source = RepositorySource(CONNECTION, "shop/web", push=[Push(Patterns(["main"]))], name="web")
    Pipeline(stack, "delivery", sources=[source], stages=[Stage("live", [Approval("ok")], before=[Window()])])

    properties = rendered()["DeliveryPipeline"]["Properties"]

    (trigger,) = properties["Triggers"]
    assert trigger["GitConfiguration"]["SourceActionName"] == properties["Stages"][0]["Actions"][0]["Name"] == "web"
    assert "BeforeEntry" in properties["Stages"][1]


def test_events_start_it_with_one_role_and_keep_what_could_not(stack: Stack, rendered: Rendered) -> None:
    sources = [CodeCommitSource("web", name="web"), CodeCommitSource("settings", name="settings")]
    pipeline = Pipeline(stack, "delivery", sources=sources, stages=APPROVALS)

    found = rendered()

    assert set(of_type(found, "AWS::Events::Rule")) == {
        "DeliveryPipelineFromWebRule",
        "DeliveryPipelineFromSettingsRule",
    }
    rule = found["DeliveryPipelineFromWebRule"]
    assert rule["Properties"]["Targets"] == [
        {
            "Arn": PIPELINE,
            "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeliveryPipelineDeadLetterQueue", "Arn"]}},
            "Id": "pipeline",
            "RoleArn": {"Fn::GetAtt": ["DeliveryPipelineStartRole", "Arn"]},
        }
    ]
    assert rule["Properties"]["EventPattern"]["source"] == ["aws.codecommit"]
    assert granted(found["DeliveryPipelineStartPolicy"])["codepipeline:StartPipelineExecution"]["Resource"] == [
        PIPELINE
    ]
    assert [watch.name for watch in pipeline.watches()] == ["failed-executions", "dead-letters"]


def test_tells_of_failures_and_of_approvals_that_wait(stack: Stack, rendered: Rendered) -> None:
    Pipeline(stack, "delivery", sources=[SOURCE], stages=APPROVALS, notify=Topic(stack, "alarms"))

    found = rendered()
    failed = found["DeliveryPipelineFailedRule"]["Properties"]
    waits = found["DeliveryPipelineApprovalRule"]["Properties"]

    assert failed["EventPattern"]["detail"] == {"pipeline": ["shop-test-delivery"], "state": ["FAILED"]}
    assert waits["EventPattern"]["detail-type"] == ["CodePipeline Action Execution State Change"]
    assert waits["EventPattern"]["detail"]["type"]["category"] == ["Approval"]
    assert [target["Arn"] for target in failed["Targets"]] == [{"Ref": "AlarmsTopic"}]


def test_without_approvals_there_are_none_to_tell_of(stack: Stack, rendered: Rendered) -> None:
    stages = [Stage("build", [Build("build", BuildProject(stack, "checks"))])]
    Pipeline(stack, "delivery", sources=[SOURCE], stages=stages, notify=Topic(stack, "alarms"))

    assert set(of_type(rendered(), "AWS::Events::Rule")) == {"DeliveryPipelineFailedRule"}


def test_whom_events_cannot_reach_is_not_told(stack: Stack) -> None:
    with pytest.raises(WiringError, match="notify must be a topic, a queue or a function, got 'clicks'"):
        Pipeline(stack, "delivery", sources=[SOURCE], stages=APPROVALS, notify=Stream(stack, "clicks"))


def test_whoever_is_told_is_in_the_same_stack(app: App, stack: Stack) -> None:
    topic = Topic(Stack(app, "other"), "alarms")

    with pytest.raises(SettingsError, match="notify must be in stack 'main', got 'other'"):
        Pipeline(stack, "delivery", sources=[SOURCE], stages=APPROVALS, notify=topic)


def test_a_schedule_can_start_it(stack: Stack, rendered: Rendered) -> None:
    pipeline = Pipeline(stack, "delivery", sources=[SOURCE], stages=APPROVALS)
    Schedule(stack, "nightly", expression="cron(0 3 * * ? *)", target=pipeline)

    policies = of_type(rendered(), "AWS::IAM::ManagedPolicy")

    assert any("codepipeline:StartPipelineExecution" in granted(policy) for policy in policies.values())


def test_a_rule_can_start_it(stack: Stack, rendered: Rendered) -> None:
    pipeline = Pipeline(stack, "delivery", sources=[SOURCE], stages=APPROVALS)
    Rule(stack, "released", pattern={"source": ["releases"]}, targets=[pipeline])

    (target,) = rendered()["ReleasedRule"]["Properties"]["Targets"]

    assert target["Arn"] == PIPELINE
    assert target["RoleArn"] == {"Fn::GetAtt": ["ReleasedRuleRole", "Arn"]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sources": []}, "sources must be 1 to 50, got 0"),
        ({"stages": []}, "stages must be 1 to 49, got 0"),
        ({"mode": "FAST"}, "mode must be one of QUEUED, SUPERSEDED, PARALLEL"),
        ({"variables": {"a b": "x"}}, "variables must be named by letters, digits, @, - and _, got 'a b'"),
        ({"variables": {"A": ""}}, "variables.A must be 1 to 1000 characters, got 0"),
        ({"variables": {"A": "x" * 1001}}, "variables.A must be 1 to 1000 characters, got 1001"),
        ({"variables": {f"V{n}": "x" for n in range(51)}}, "variables must be at most 50, got 51"),
        ({"sources": [RepositorySource(CONNECTION, "shop/web", name="Web")]}, "name must be kebab-case"),
        ({"sources": [CodeCommitSource("a/b")]}, "sources.0.repository must be the name of a repository"),
        ({"sources": [SOURCE, SOURCE]}, "stages must be ones with a different name for each action, got 'source'"),
        ({"stages": APPROVALS * 2}, "stages must be ones with a different name for each stage, got 'live'"),
        ({"stages": [Stage("sources", [Approval("ok")])]}, "a different name for each stage, got 'sources'"),
        ({"stages": [Stage("live", [Approval("variables")])]}, "free of actions called codepipeline or variables"),
        ({"stages": [Stage("live", [])]}, "stages.0.actions must be at least one"),
        (
            {"mode": "PARALLEL", "stages": [Stage("live", [Approval("ok")], rollback=True)]},
            "stages.0.rollback must be false in mode PARALLEL",
        ),
    ],
)
def test_refuses_settings_outside_their_range(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=f"pipeline 'delivery': .*{message}|{message}"):
        Pipeline(stack, "delivery", **{"sources": [SOURCE], "stages": APPROVALS, **settings})


@pytest.mark.parametrize("inputs", [("later",), ("beside",), ("silent",), ("nowhere",)])
def test_a_build_works_on_what_was_handed_on_before(stack: Stack, inputs: tuple[str, ...]) -> None:
    project = BuildProject(stack, "checks")
    stages = [
        Stage(
            "build",
            [
                Build("silent", project),
                Build("beside", project, output=True),
                Build("asked", project, inputs, together=True),
                Build("later", project, output=True),
            ],
        )
    ]

    with pytest.raises(SettingsError, match=r"stages\.0\.actions\.2\.inputs must be one of source, got"):
        Pipeline(stack, "delivery", sources=[SOURCE], stages=stages)


def test_tells_all_problems_at_once(stack: Stack) -> None:
    with pytest.raises(SettingsError) as caught:
        Pipeline(stack, "delivery", sources=[], stages=[Stage("live", [])], variables={"A": ""})

    assert len(caught.value.problems) == 3
