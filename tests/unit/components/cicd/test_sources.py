from __future__ import annotations

from typing import Any

import pytest

from archlib import Stack
from archlib.components.cicd.connection import Connection
from archlib.components.cicd.sources import (
    BucketSource,
    CodeCommitSource,
    ImageSource,
    Patterns,
    PullRequest,
    Push,
    RepositorySource,
    Source,
)
from archlib.components.storage.bucket import Bucket
from archlib.core.component import checking
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError
from archlib.wiring.permissions import action_name

CONNECTION = Connection.lookup("code", arn="arn:aws:codeconnections:eu-west-1:123456789012:connection/0123-abcd")


def problems(source: Source) -> list[str]:
    with pytest.raises(SettingsError) as caught, checking("pipeline 'x'") as check:
        source.check(check, "sources.0")
    return [str(problem) for problem in caught.value.problems]


def fine(source: Source) -> bool:
    with checking("pipeline 'x'") as check:
        source.check(check, "sources.0")
    return True


def configuration(source: Source) -> Any:
    return encode(source.configuration()[1])


def test_a_branch_starts_the_pipeline_by_itself() -> None:
    source: Source = RepositorySource(CONNECTION, "shop/web", "live")

    assert fine(source)
    assert source.configuration()[0] == "CodeStarSourceConnection"
    assert configuration(source) == {
        "BranchName": "live",
        "ConnectionArn": CONNECTION.arn,
        "DetectChanges": "true",
        "FullRepositoryId": "shop/web",
        "OutputArtifactFormat": "CODE_ZIP",
    }
    assert source.trigger() is None
    assert source.event_pattern() is None
    assert len(source.binding().grants) == 2


def test_filters_replace_the_detection_of_changes() -> None:
    source = RepositorySource(
        CONNECTION,
        "shop/web",
        push=[Push(Patterns(["main"], ["old/*"]), Patterns(["src/**"])), Push(tags=Patterns(["v*"]))],
        pull_requests=[PullRequest(Patterns(["main"]), Patterns(exclude=["docs/**"]), ("CLOSED",))],
        name="code",
    )

    assert fine(source)
    assert configuration(source)["DetectChanges"] == "false"
    assert encode(source.trigger()) == {
        "GitConfiguration": {
            "SourceActionName": "code",
            "Push": [
                {"Branches": {"Includes": ["main"], "Excludes": ["old/*"]}, "FilePaths": {"Includes": ["src/**"]}},
                {"Tags": {"Includes": ["v*"]}},
            ],
            "PullRequest": [
                {
                    "Branches": {"Includes": ["main"]},
                    "FilePaths": {"Excludes": ["docs/**"]},
                    "Events": ["CLOSED"],
                }
            ],
        },
        "ProviderType": "CodeStarSourceConnection",
    }


def test_pull_requests_alone_are_triggers_too() -> None:
    trigger = encode(RepositorySource(CONNECTION, "shop/web", pull_requests=[PullRequest()]).trigger())

    assert trigger["GitConfiguration"] == {
        "SourceActionName": "source",
        "PullRequest": [{"Events": ["OPEN", "UPDATED"]}],
    }


def test_pushes_alone_are_triggers_too() -> None:
    trigger = encode(RepositorySource(CONNECTION, "shop/web", push=[Push(Patterns(["main"]))]).trigger())

    assert trigger["GitConfiguration"] == {
        "SourceActionName": "source",
        "Push": [{"Branches": {"Includes": ["main"]}}],
    }


def test_people_can_be_the_only_ones_to_start_it() -> None:
    assert configuration(RepositorySource(CONNECTION, "shop/web", automatic=False))["DetectChanges"] == "false"


def test_builds_may_get_the_history() -> None:
    source = RepositorySource(CONNECTION, "shop/web", history=True)

    assert configuration(source)["OutputArtifactFormat"] == "CODEBUILD_CLONE_REF"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"branch": " "}, "sources.0.branch must be the name of a branch"),
        ({"push": [Push(Patterns(["a"]))] * 4}, "sources.0.push must be at most 3, got 4"),
        ({"pull_requests": [PullRequest()] * 4}, "sources.0.pull_requests must be at most 3, got 4"),
        ({"push": [Push()]}, "sources.0.push.0 must be one with branches, paths or tags"),
        (
            {"push": [Push(Patterns(["a"]), tags=Patterns(["v*"]))]},
            "sources.0.push.0.tags must be left out with branches or paths",
        ),
        ({"push": [Push(Patterns(["a"] * 9))]}, "sources.0.push.0.branches.include must be a list of at most 8"),
        ({"push": [Push(Patterns(exclude=[""]))]}, "sources.0.push.0.branches.exclude must be a list of at most 8"),
        ({"push": [Push(Patterns("main"))]}, "sources.0.push.0.branches.include must be a list of at most 8"),
        ({"pull_requests": [PullRequest(events=())]}, "sources.0.pull_requests.0.events must be at least one event"),
        ({"pull_requests": [PullRequest(events=("GONE",))]}, "events must be one of OPEN, UPDATED, CLOSED"),  # type: ignore[arg-type]
        ({"automatic": False, "push": [Push(Patterns(["a"]))]}, "sources.0.push must be left out unless automatic"),
    ],
)  # fmt: skip
def test_refuses_filters_that_codepipeline_does_not_have(settings: dict[str, Any], message: str) -> None:
    assert any(message in problem for problem in problems(RepositorySource(CONNECTION, "shop/web", **settings)))


def test_a_file_in_a_bucket_is_noticed_by_events(stack: Stack) -> None:
    source: Source = BucketSource(Bucket(stack, "rates", events=True), "today.zip")
    granted = {
        action_name(action): encode(grant.resources) for grant in source.binding().grants for action in grant.actions
    }

    assert fine(source)
    assert source.trigger() is None
    assert source.configuration()[0] == "S3"
    assert configuration(source) == {
        "PollForSourceChanges": "false",
        "S3Bucket": {"Ref": "RatesBucket"},
        "S3ObjectKey": "today.zip",
    }
    assert encode(source.event_pattern()) == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [{"Ref": "RatesBucket"}]}, "object": {"key": ["today.zip"]}},
    }
    assert granted["s3:GetObjectVersion"] == [{"Fn::Sub": "${RatesBucket.Arn}/today.zip"}]
    assert granted["s3:GetBucketVersioning"] == [{"Fn::GetAtt": ["RatesBucket", "Arn"]}]
    assert "kms:Decrypt" in granted


def test_a_bucket_must_tell_its_events(stack: Stack) -> None:
    with pytest.raises(WiringError, match="events must be on"):
        BucketSource(Bucket(stack, "rates"), "today.zip").event_pattern()


@pytest.mark.parametrize("key", ["", "/a.zip", "a*.zip", "a?.zip"])
def test_refuses_a_key_that_is_a_pattern(stack: Stack, key: str) -> None:
    assert "sources.0.object_key must be a key" in problems(BucketSource(Bucket(stack, "rates"), key))[0]


def test_a_pushed_image_starts_the_pipeline() -> None:
    source = ImageSource("base/python", "stable")

    assert fine(source)
    assert source.configuration() == ("ECR", {"ImageTag": "stable", "RepositoryName": "base/python"})
    assert encode(source.event_pattern())["detail"] == {
        "action-type": ["PUSH"],
        "image-tag": ["stable"],
        "repository-name": ["base/python"],
        "result": ["SUCCESS"],
    }
    (grant,) = source.binding().grants
    assert str(encode(grant.resources)).count(":repository/base/python'") == 1
    assert list(grant.actions) == ["ecr:DescribeImages"]


def test_refuses_an_image_that_cannot_be() -> None:
    found = problems(ImageSource("base/*", ":1"))

    assert "sources.0.repository must be the name of a repository" in found[0]
    assert "sources.0.tag must be a tag" in found[1]


def test_a_push_to_codecommit_starts_the_pipeline() -> None:
    source = CodeCommitSource("web", "live")

    assert fine(source)
    assert source.configuration()[0] == "CodeCommit"
    assert configuration(source)["PollForSourceChanges"] == "false"
    pattern = encode(source.event_pattern())
    (grant,) = source.binding().grants
    assert pattern["resources"] == encode(grant.resources)
    assert pattern["detail"]["referenceName"] == ["live"]
    assert "codecommit:UploadArchive" in grant.actions


def test_refuses_a_repository_that_codecommit_cannot_have() -> None:
    found = problems(CodeCommitSource("a/b", ""))

    assert "sources.0.repository must be the name of a repository" in found[0]
    assert "sources.0.branch must be the name of a branch" in found[1]
