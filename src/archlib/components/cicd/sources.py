"""What starts a pipeline, and what it works on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from troposphere import codepipeline

from archlib.core.component import Check
from archlib.core.values import Value, arn, join
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.roles import Named

PullRequestEvent = Literal["OPEN", "UPDATED", "CLOSED"]

_FILTERS_MAX = 3
_PATTERNS_MAX = 8
_CODECOMMIT = (
    *("codecommit:CancelUploadArchive", "codecommit:GetBranch", "codecommit:GetCommit"),
    *("codecommit:GetRepository", "codecommit:GetUploadArchiveStatus", "codecommit:UploadArchive"),
)
_BUCKET = ("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket")
_REPOSITORY = re.compile(r"[\w.-]+(?:/[\w.-]+)*")
_KEY = re.compile(r"[^/*?$][^*?$]*")


class RepositoryConnection(Protocol):
    """A connection to repositories, new or existing."""

    @property
    def arn(self) -> Value:
        """ARN of the connection."""
        ...

    def for_using(self, repository: str) -> Binding:
        """Return what a role needs to fetch ``repository``."""
        ...


class EventfulBucket(Named, Protocol):
    """A bucket with versions that tells EventBridge about its objects."""

    @property
    def arn(self) -> Value:
        """ARN of the bucket."""
        ...

    @property
    def bucket_name(self) -> Value:
        """Name of the bucket in AWS."""
        ...

    def for_reading(self, prefix: str = "") -> Binding:
        """Return the rights to read objects under ``prefix``, including the key's."""
        ...

    def event_pattern(self) -> dict[str, Any]:
        """Return the EventBridge pattern of new objects."""
        ...


@dataclass(frozen=True, slots=True)
class Patterns:
    """Which names count: at least one of ``include``, if there are any, and none of ``exclude``.

    Attributes:
        include: at most 8 patterns such as ``release/*`` or ``services/web/**``.
        exclude: at most 8 patterns.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        for side, patterns in (("include", self.include), ("exclude", self.exclude)):
            check.that(
                not isinstance(patterns, str) and len(patterns) <= _PATTERNS_MAX and all(patterns),
                f"{field}.{side}", f"a list of at most {_PATTERNS_MAX} patterns", patterns,
            )  # fmt: skip

    def rendered(self) -> dict[str, Any]:
        """Return it as CloudFormation has it."""
        sides = {"Includes": list(self.include), "Excludes": list(self.exclude)}
        return {side: patterns for side, patterns in sides.items() if patterns}


@dataclass(frozen=True, slots=True)
class Push:
    """A push that starts the pipeline: to branches, with a change in ``paths`` if there are any, or of tags.

    Attributes:
        branches: which branches count; all by default.
        paths: which changed files count; all by default.
        tags: which tags count; not together with the other two.
    """

    branches: Patterns = Patterns()
    paths: Patterns = Patterns()
    tags: Patterns = Patterns()

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.that(self.branches or self.paths or self.tags, field, "one with branches, paths or tags", "none of them")
        check.that(
            not self.tags or not (self.branches or self.paths), f"{field}.tags", "left out with branches or paths",
            self.tags, "make another filter",
        )  # fmt: skip
        for name in ("branches", "paths", "tags"):
            getattr(self, name).check(check, f"{field}.{name}")

    def rendered(self) -> codepipeline.GitPushFilter:
        """Return it as CloudFormation has it."""
        found = codepipeline.GitPushFilter()
        if self.branches:
            found.Branches = codepipeline.GitBranchFilterCriteria(**self.branches.rendered())
        if self.paths:
            found.FilePaths = codepipeline.GitFilePathFilterCriteria(**self.paths.rendered())
        if self.tags:
            found.Tags = codepipeline.GitTagFilterCriteria(**self.tags.rendered())
        return found


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request that starts the pipeline.

    Attributes:
        branches: which branches it is to be merged into; all by default.
        paths: which changed files count; all by default.
        events: when: ``OPEN``, ``UPDATED`` or ``CLOSED``.
    """

    branches: Patterns = Patterns()
    paths: Patterns = Patterns()
    events: Sequence[PullRequestEvent] = ("OPEN", "UPDATED")

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        self.branches.check(check, f"{field}.branches")
        self.paths.check(check, f"{field}.paths")
        check.that(self.events, f"{field}.events", "at least one event", list(self.events))
        for event in self.events:
            check.one_of(f"{field}.events", event, get_args(PullRequestEvent))

    def rendered(self) -> codepipeline.GitPullRequestFilter:
        """Return it as CloudFormation has it."""
        found = codepipeline.GitPullRequestFilter(Events=list(self.events))
        if self.branches:
            found.Branches = codepipeline.GitBranchFilterCriteria(**self.branches.rendered())
        if self.paths:
            found.FilePaths = codepipeline.GitFilePathFilterCriteria(**self.paths.rendered())
        return found


class Source(Protocol):
    """What starts a pipeline, and what it works on."""

    @property
    def name(self) -> str:
        """Kebab-case name of the action, of its artifact and of the namespace of its variables."""
        ...

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        ...

    def binding(self) -> Binding:
        """Return what the role of the pipeline needs to fetch it."""
        ...

    def configuration(self) -> tuple[str, dict[str, Value]]:
        """Return the provider and the configuration of the action."""
        ...

    def event_pattern(self) -> Mapping[str, Any] | None:
        """Return the EventBridge pattern of what starts the pipeline; None if CodePipeline notices by itself."""
        ...

    def trigger(self) -> codepipeline.PipelineTriggerDeclaration | None:
        """Return which changes start the pipeline; None: all that are noticed."""
        ...


class _Noticed:
    """A source that has no filters."""

    __slots__ = ()

    def trigger(self) -> None:
        """Return which changes start the pipeline: all that are noticed."""


@dataclass(frozen=True, slots=True)
class RepositorySource:
    """A branch of a repository of GitHub, GitLab, Bitbucket or Azure DevOps, through a connection.

    Attributes:
        connection: the :class:`~archlib.components.cicd.connection.Connection`, or one that exists already.
        repository: its full name, ``owner/name``.
        branch: the branch that is fetched, unless a trigger says otherwise.
        push: at most 3 filters; a push that passes one starts the pipeline. Without any filter every push to
            ``branch`` does.
        pull_requests: at most 3 filters; a pull request that passes one starts the pipeline.
        automatic: changes start the pipeline; else people or schedules do.
        history: builds get a clone with the whole history instead of a copy of the files.
        name: kebab-case, unique in the pipeline.
    """

    connection: RepositoryConnection
    repository: str
    branch: str = "main"
    push: Sequence[Push] = ()
    pull_requests: Sequence[PullRequest] = ()
    automatic: bool = True
    history: bool = False
    name: str = "source"

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.that(self.branch.strip(), f"{field}.branch", "the name of a branch", self.branch)
        for kind in ("push", "pull_requests"):
            filters = getattr(self, kind)
            check.that(len(filters) <= _FILTERS_MAX, f"{field}.{kind}", f"at most {_FILTERS_MAX}", len(filters))
            check.that(
                self.automatic or not filters, f"{field}.{kind}", "left out unless automatic is true", len(filters)
            )
            for number, each in enumerate(filters):
                each.check(check, f"{field}.{kind}.{number}")

    def binding(self) -> Binding:
        """Return what the role of the pipeline needs to fetch it."""
        return self.connection.for_using(self.repository)

    def configuration(self) -> tuple[str, dict[str, Value]]:
        """Return the provider and the configuration of the action."""
        detect = self.automatic and not (self.push or self.pull_requests)
        return "CodeStarSourceConnection", {
            "BranchName": self.branch,
            "ConnectionArn": self.connection.arn,
            "DetectChanges": str(detect).lower(),
            "FullRepositoryId": self.repository,
            "OutputArtifactFormat": "CODEBUILD_CLONE_REF" if self.history else "CODE_ZIP",
        }

    def event_pattern(self) -> None:
        """Return the pattern of what starts the pipeline: none, since CodePipeline notices by itself."""

    def trigger(self) -> codepipeline.PipelineTriggerDeclaration | None:
        """Return which changes start the pipeline; None: all that are noticed."""
        if not (self.push or self.pull_requests):
            return None
        git = codepipeline.GitConfiguration(SourceActionName=self.name)
        if self.push:
            git.Push = [each.rendered() for each in self.push]
        if self.pull_requests:
            git.PullRequest = [each.rendered() for each in self.pull_requests]
        return codepipeline.PipelineTriggerDeclaration(GitConfiguration=git, ProviderType="CodeStarSourceConnection")


@dataclass(frozen=True, slots=True)
class BucketSource(_Noticed):
    """A zip file in a bucket; every new version of it starts the pipeline.

    Attributes:
        bucket: a bucket with ``events``.
        object_key: key of the file, such as ``releases/web.zip``.
        name: kebab-case, unique in the pipeline.
    """

    bucket: EventfulBucket
    object_key: str
    name: str = "source"

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.that(
            _KEY.fullmatch(self.object_key),
            f"{field}.object_key", "a key without a leading '/' and without '*', '?' or '$'", self.object_key,
        )  # fmt: skip

    def binding(self) -> Binding:
        """Return what the role of the pipeline needs to fetch it."""
        reading = self.bucket.for_reading(self.object_key)
        grants = (
            *reading.grants,
            Grant(("s3:GetObjectVersion",), (join(self.bucket.arn, f"/{self.object_key}"),)),
            Grant(_BUCKET, (self.bucket.arn,)),
        )
        return Binding(reading.target, reading.access, grants)

    def configuration(self) -> tuple[str, dict[str, Value]]:
        """Return the provider and the configuration of the action."""
        return "S3", {
            "PollForSourceChanges": "false",
            "S3Bucket": self.bucket.bucket_name,
            "S3ObjectKey": self.object_key,
        }

    def event_pattern(self) -> Mapping[str, Any]:
        """Return the EventBridge pattern of what starts the pipeline."""
        pattern = self.bucket.event_pattern()
        return {**pattern, "detail": {**pattern["detail"], "object": {"key": [self.object_key]}}}


@dataclass(frozen=True, slots=True)
class ImageSource(_Noticed):
    """A container image; every push of its tag starts the pipeline. Its artifact says which digest the tag had.

    Attributes:
        repository: name of the repository in ECR, in this account and region.
        tag: the tag; one that moves, so not of a repository whose tags never change.
        name: kebab-case, unique in the pipeline.
    """

    repository: Value
    tag: str = "latest"
    name: str = "image"

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.that(
            not isinstance(self.repository, str) or _REPOSITORY.fullmatch(self.repository),
            f"{field}.repository", "the name of a repository, such as shop/web", self.repository,
        )  # fmt: skip
        check.that(re.fullmatch(r"\w[\w.-]{0,127}", self.tag), f"{field}.tag", "a tag", self.tag)

    def binding(self) -> Binding:
        """Return what the role of the pipeline needs to fetch it."""
        repository = arn("ecr", join("repository/", self.repository))
        return Binding(self.name, f"looking up image {self.name!r}", (Grant(("ecr:DescribeImages",), (repository,)),))

    def configuration(self) -> tuple[str, dict[str, Value]]:
        """Return the provider and the configuration of the action."""
        return "ECR", {"ImageTag": self.tag, "RepositoryName": self.repository}

    def event_pattern(self) -> Mapping[str, Any]:
        """Return the EventBridge pattern of what starts the pipeline."""
        detail = {
            "action-type": ["PUSH"],
            "image-tag": [self.tag],
            "repository-name": [self.repository],
            "result": ["SUCCESS"],
        }
        return {"source": ["aws.ecr"], "detail-type": ["ECR Image Action"], "detail": detail}


@dataclass(frozen=True, slots=True)
class CodeCommitSource(_Noticed):
    """A branch of a repository in CodeCommit; every push to it starts the pipeline.

    Attributes:
        repository: its name, in this account and region.
        branch: the branch.
        name: kebab-case, unique in the pipeline.
    """

    repository: str
    branch: str = "main"
    name: str = "source"

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.that(
            re.fullmatch(r"[\w.-]{1,100}", self.repository),
            f"{field}.repository", "the name of a repository: letters, digits, _, . and -", self.repository,
        )  # fmt: skip
        check.that(self.branch.strip(), f"{field}.branch", "the name of a branch", self.branch)

    @property
    def _arn(self) -> Value:
        return arn("codecommit", self.repository)

    def binding(self) -> Binding:
        """Return what the role of the pipeline needs to fetch it."""
        return Binding(self.name, f"fetching repository {self.repository!r}", (Grant(_CODECOMMIT, (self._arn,)),))

    def configuration(self) -> tuple[str, dict[str, Value]]:
        """Return the provider and the configuration of the action."""
        return "CodeCommit", {
            "BranchName": self.branch,
            "OutputArtifactFormat": "CODE_ZIP",
            "PollForSourceChanges": "false",
            "RepositoryName": self.repository,
        }

    def event_pattern(self) -> Mapping[str, Any]:
        """Return the EventBridge pattern of what starts the pipeline."""
        return {
            "source": ["aws.codecommit"],
            "detail-type": ["CodeCommit Repository State Change"],
            "resources": [self._arn],
            "detail": {
                "event": ["referenceCreated", "referenceUpdated"],
                "referenceName": [self.branch],
                "referenceType": ["branch"],
            },
        }
