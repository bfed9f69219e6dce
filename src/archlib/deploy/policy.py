"""What a role needs that deploys: IAM policies, made from the stacks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from archlib.core.artifact import StackArtifact
from archlib.core.target import BOOTSTRAP_STACK, Target

Document = dict[str, Any]
PermissionsOf = Callable[[str], tuple[str, ...] | None]
"""Resource type -> the actions with which it is created, changed and deleted; None: not known."""

ASSET_BUCKETS = f"{BOOTSTRAP_STACK}-*"
"""Pattern of the names of the buckets that ``archlib bootstrap`` makes."""

_STACKS = (
    "CancelUpdateStack", "ContinueUpdateRollback", "CreateChangeSet", "DeleteChangeSet", "DeleteStack",
    "DescribeChangeSet", "DescribeEvents", "DescribeStackEvents", "DescribeStackResourceDrifts",
    "DescribeStackResources", "DescribeStacks", "DetectStackDrift", "ExecuteChangeSet", "GetStackPolicy", "GetTemplate",
    "ListChangeSets", "ListStackResources", "RollbackStack", "SetStackPolicy", "TagResource", "UntagResource",
    "UpdateTerminationProtection",
)  # fmt: skip
_ANYWHERE = (
    "DescribeStackDriftDetectionStatus", "GetHookResult", "GetTemplateSummary", "ListExports", "ListHookResults",
    "ListImports", "ListStacks",
)  # fmt: skip
_REFACTORS = ("CreateStackRefactor", "DescribeStackRefactor", "ExecuteStackRefactor", "ListStackRefactorActions")
_STACK_SETS = (
    "CreateStackInstances", "CreateStackSet", "DeleteStackInstances", "DeleteStackSet", "DescribeStackSet",
    "DescribeStackSetOperation", "ListStackInstances", "ListStackSetOperationResults", "UpdateStackSet",
)  # fmt: skip
_EVIDENCE = (
    "autoscaling:DescribeScalingActivities", "ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:DescribeTasks",
    "ecs:ListTasks", "lambda:GetFunctionConfiguration", "logs:DescribeLogStreams", "logs:GetLogEvents",
)  # fmt: skip
_EMPTY_BUCKET = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions")
_EMPTY_OBJECTS = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion")
_EMPTY_IMAGES = ("ecr:BatchDeleteImage", "ecr:ListImages")
_HANDLED_APART = frozenset({"iam:PassRole", "iam:CreateServiceLinkedRole"})
_ROLE_THINGS = ("role", "policy", "instance-profile", "user", "group")


_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+")
_PART_MAX = 5_900
"""A managed policy takes 6,144 characters, without white space; the rest of the document needs some."""


@dataclass(frozen=True, slots=True)
class RolePolicy:
    """The policy of a role with which CloudFormation works.

    Attributes:
        documents: the policies, none longer than a managed policy may be.
        unknown: resource types whose actions are not known: add them by hand.
    """

    documents: tuple[Document, ...]
    unknown: tuple[str, ...]


def deployer_policy(
    stacks: Sequence[StackArtifact],
    *,
    target: Target | None = None,
    partition: str = "aws",
    bucket: str = ASSET_BUCKETS,
    evidence: bool = True,
    empty_buckets: bool = False,
    rename: bool = False,
    stack_sets: Sequence[str] = (),
) -> Document:
    """Return the policy of a role, such as that of a CI job, that deploys ``stacks``.

    With a service role, CloudFormation makes the resources with the rights of that role. Without one, the caller also
    needs what :func:`service_role_policy` gives.

    Args:
        stacks: what is deployed.
        target: where to; what it leaves open is open in the policy, too.
        partition: ``aws``, ``aws-cn`` ...
        bucket: name of the bucket for assets, or a pattern.
        evidence: also read what containers, functions and logs say about a failure.
        empty_buckets: also empty buckets and image repositories before a stack is destroyed.
        rename: also rename logical ids and move resources between stacks.
        stack_sets: names of stack sets that are also deployed.
    """
    target = target or Target()
    names = _Names(stacks, target, partition)
    prefix_lists = any(source.kind == "prefix-list" for stack in stacks for source in stack.parameters.values())
    statements = [
        _allow("Stacks", _cloudformation(_STACKS), names.stacks()),
        _allow("FindAssetBucket", ["cloudformation:DescribeStacks"], [names.arn("stack", f"{BOOTSTRAP_STACK}/*")]),
        # What no single stack is named in cannot be limited to one.
        _allow("NoResourceLevelInCloudFormation", _cloudformation(_ANYWHERE), ["*"]),
        _allow("NoResourceLevelInSts", ["sts:GetCallerIdentity"], ["*"]),
        _allow("AssetBucket", ["s3:ListBucket"], [f"arn:{partition}:s3:::{bucket}"]),
        _allow("Assets", ["s3:GetObject", "s3:PutObject"], [f"arn:{partition}:s3:::{bucket}/*"]),
    ]
    if prefix_lists:
        statements.append(_allow("NoResourceLevelInEc2", ["ec2:DescribeManagedPrefixLists"], ["*"]))
    if target.rollback_alarms:
        statements.append(_allow("NoResourceLevelInAlarms", ["cloudwatch:DescribeAlarms"], ["*"]))
    if target.assume_role:
        statements.append(_allow("TakeOnRole", ["sts:AssumeRole"], [target.assume_role]))
    if target.service_role:
        service = "cloudformation.amazonaws.com"
        pass_role = _allow("PassServiceRole", ["iam:PassRole"], [target.service_role])
        statements.append({**pass_role, "Condition": {"StringEquals": {"iam:PassedToService": service}}})
    if evidence:
        statements.append(_allow("EvidenceNamesKnownOnlyInFailure", _EVIDENCE, ["*"]))
    if empty_buckets:
        statements += _emptying(names, partition)
    if rename:
        statements.append(_allow("NoResourceLevelInRefactors", _cloudformation(_REFACTORS), ["*"]))
    if stack_sets:
        resources = [
            *(names.arn("stackset", f"{name}:*") for name in stack_sets),
            *(names.arn("stackset-target", f"{name}:*", region="*", account="*") for name in stack_sets),
            # A stack set makes resources of every type, which AWS checks as types.
            names.arn("type/resource", "*", region="*", account="*"),
        ]
        statements.append(_allow("StackSets", _cloudformation(_STACK_SETS), resources))
    return _document(statements)


def service_role_policy(
    stacks: Sequence[StackArtifact],
    permissions: PermissionsOf,
    *,
    target: Target | None = None,
    partition: str = "aws",
) -> RolePolicy:
    """Return the policy of a role with which CloudFormation makes the resources of ``stacks``.

    The actions are those that the types themselves say they need. IAM is limited to what these stacks name; the ids of
    most other things are not known before they exist.

    Args:
        stacks: what is deployed.
        permissions: tells the actions of a type.
        target: where to.
        partition: ``aws``, ``aws-cn`` ...
    """
    names = _Names(stacks, target or Target(), partition)
    types = sorted({str(each["Type"]) for stack in stacks for each in stack.template["Resources"].values()})
    known = {kind: permissions(kind) for kind in types}
    actions = {action for each in known.values() for action in each or () if _is_one(action)}
    unknown = [kind for kind, each in known.items() if each is None or not all(_is_one(action) for action in each)]
    identity = sorted(action for action in actions if action.startswith("iam:") and action not in _HANDLED_APART)
    others = sorted(action for action in actions if not action.startswith("iam:"))
    statements = []
    if identity:
        statements.append(_allow("Identity", identity, names.identity(*_ROLE_THINGS)))
    if "iam:PassRole" in actions:
        statements.append(_allow("PassOwnRoles", ["iam:PassRole"], names.identity("role")))
    if "iam:CreateServiceLinkedRole" in actions:
        linked = names.iam("role/aws-service-role/*")
        statements.append(_allow("ServiceLinkedRoles", ["iam:CreateServiceLinkedRole"], [linked]))
    parts = [_document([_allow("NamesKnownOnlyOnceTheyExist", part, ["*"])]) for part in _parts(others)]
    documents = (*parts, *([_document(statements)] if statements else []))
    return RolePolicy(documents, tuple(unknown))


def _parts(actions: Sequence[str]) -> Iterator[list[str]]:
    """Yield ``actions`` in parts, each short enough for a managed policy."""
    part: list[str] = []
    for action in actions:
        if sum(len(each) + 3 for each in (*part, action)) > _PART_MAX:
            yield part
            part = []
        part.append(action)
    if part:
        yield part


class _Names:
    """The names of what belongs to the stacks."""

    def __init__(self, stacks: Sequence[StackArtifact], target: Target, partition: str) -> None:
        self._partition = partition
        self._account = target.account or "*"
        self._regions = {stack.region or target.region or "*" for stack in stacks}
        self._region = self._regions.pop() if len(self._regions) == 1 else "*"
        self._patterns = sorted({_pattern(stack) for stack in stacks})

    def arn(self, kind: str, name: str, *, region: str | None = None, account: str | None = None) -> str:
        """Return the ARN of something of CloudFormation."""
        where = f"{region or self._region}:{account or self._account}"
        return f"arn:{self._partition}:cloudformation:{where}:{kind}/{name}"

    def iam(self, name: str) -> str:
        """Return the ARN of something of IAM."""
        return f"arn:{self._partition}:iam::{self._account}:{name}"

    def stacks(self) -> list[str]:
        """Return the ARNs of the stacks, and of change sets made here."""
        return [*(self.arn("stack", f"{each}/*") for each in self._patterns), self.arn("changeSet", "archlib-*/*")]

    def identity(self, *kinds: str) -> list[str]:
        """Return the ARNs of what the stacks make in IAM: named after them."""
        return [self.iam(f"{kind}/{each.removesuffix('-*')}-*") for kind in kinds for each in self._patterns]

    def buckets(self) -> list[str]:
        """Return the names of the buckets that the stacks make: named after them, in small letters."""
        return [f"{each.removesuffix('-*').lower()}-*" for each in self._patterns]

    def repositories(self) -> list[str]:
        """Return the ARNs of the image repositories that the stacks make."""
        where = f"{self._region}:{self._account}"
        return [f"arn:{self._partition}:ecr:{where}:repository/{name}" for name in self.buckets()]


def _pattern(stack: StackArtifact) -> str:
    app, environment = stack.tags.get("app"), stack.tags.get("environment")
    prefix = f"{app}-{environment}-"
    # New stacks of the same app need no new policy.
    return f"{prefix}*" if app and environment and stack.name.startswith(prefix) else stack.name


def _emptying(names: _Names, partition: str) -> list[Document]:
    buckets = [f"arn:{partition}:s3:::{name}" for name in names.buckets()]
    return [
        _allow("EmptyBuckets", _EMPTY_BUCKET, buckets),
        _allow("EmptyObjects", _EMPTY_OBJECTS, [f"{bucket}/*" for bucket in buckets]),
        _allow("EmptyImages", _EMPTY_IMAGES, names.repositories()),
    ]


def _cloudformation(operations: Iterable[str]) -> list[str]:
    return [f"cloudformation:{operation}" for operation in operations]


def _is_one(action: str) -> bool:
    return _ACTION.fullmatch(action) is not None


def _allow(sid: str, actions: Iterable[str], resources: Iterable[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _document(statements: list[Document]) -> Document:
    return {"Version": "2012-10-17", "Statement": statements}
