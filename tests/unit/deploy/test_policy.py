"""The policies say what the deployer calls, and no more."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import archlib.deploy
from archlib.checks.permissions import permissions_of
from archlib.core.artifact import ParameterSource
from archlib.core.target import Target
from archlib.deploy.policy import deployer_policy, service_role_policy
from deploying import artifact, session

ROLE = "arn:aws:iam::123456789012:role/deploy"
TARGET = Target(account="123456789012", region="eu-west-1", service_role=ROLE)
STACK = artifact()


def _all(document: Any, prefix: str = "") -> set[str]:
    return {each for part in document["Statement"] for each in part["Action"] if each.startswith(prefix)}


def _full() -> Any:
    return deployer_policy([STACK], target=TARGET, empty_buckets=True, rename=True, stack_sets=["baseline"])


def test_every_call_to_cloudformation_in_the_code_is_allowed() -> None:
    operations = session().client("cloudformation").meta.method_to_api_mapping
    (folder,) = archlib.deploy.__path__
    words = {
        node.value
        for file in Path(folder).glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    called = {f"cloudformation:{operations[word]}" for word in words & operations.keys()}

    assert len(called) > 30
    assert called - _all(_full()) == set()
    assert _all(_full(), "cloudformation:") - called == {"cloudformation:TagResource", "cloudformation:UntagResource"}


def test_no_action_has_a_wildcard_and_every_open_resource_says_why() -> None:
    for part in _full()["Statement"]:
        assert not [action for action in part["Action"] if "*" in action]
        if part["Resource"] == ["*"]:
            assert part["Sid"].startswith(("NoResourceLevel", "EvidenceNamesKnownOnly"))


def test_stacks_are_limited_to_those_of_the_app() -> None:
    (stacks,) = [part for part in _full()["Statement"] if part["Sid"] == "Stacks"]

    assert stacks["Resource"] == [
        "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop-dev-*/*",
        "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/archlib-*/*",
    ]


def test_the_service_role_may_be_passed_to_cloudformation_only() -> None:
    (part,) = [part for part in _full()["Statement"] if "iam:PassRole" in part["Action"]]

    assert part["Resource"] == [ROLE]
    assert part["Condition"] == {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}


def test_what_is_not_asked_for_is_not_allowed() -> None:
    actions = _all(deployer_policy([STACK], evidence=False))

    assert not [each for each in actions if each.split(":")[0] not in {"cloudformation", "s3", "sts"}]
    assert not [
        each for each in actions if "Refactor" in each or "StackSet" in each or ("Delete" in each and "s3" in each)
    ]


def test_the_service_role_may_what_the_types_say_and_iam_only_of_the_app() -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {}}
    stack = artifact(Jobs={"Type": "AWS::SQS::Queue"}, Role=role, Own={"Type": "Custom::Thing"})

    policy = service_role_policy([stack], permissions_of, target=TARGET)
    statements = [part for document in policy.documents for part in document["Statement"]]
    together = {"Statement": statements}

    assert {"sqs:CreateQueue", "sqs:DeleteQueue", "iam:CreateRole"} <= _all(together)
    assert policy.unknown == ("Custom::Thing",)
    (identity,) = [part for part in statements if "iam:CreateRole" in part["Action"]]
    assert identity["Resource"][0] == "arn:aws:iam::123456789012:role/shop-dev-*"
    assert not [action for action in _all(together) if "*" in action]


@pytest.mark.parametrize("kind", ["AWS::Nothing::Here", "Custom::Thing"])
def test_a_type_without_a_schema_is_not_known(kind: str) -> None:
    assert permissions_of(kind) is None


def test_what_the_target_and_the_stacks_need_is_allowed_where_it_can_be_limited() -> None:
    alarm = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors"
    target = Target(account="123456789012", assume_role=ROLE, rollback_alarms=(alarm,))
    stack = replace(STACK, parameters={"List": ParameterSource("prefix-list", output="s3")})

    statements = {each["Sid"]: each for each in deployer_policy([stack], target=target)["Statement"]}

    assert statements["TakeOnRole"]["Resource"] == [ROLE]
    assert statements["NoResourceLevelInAlarms"]["Action"] == ["cloudwatch:DescribeAlarms"]
    assert statements["NoResourceLevelInEc2"]["Action"] == ["ec2:DescribeManagedPrefixLists"]


def test_buckets_and_repositories_that_are_emptied_are_those_of_the_app() -> None:
    emptying = [each for each in _full()["Statement"] if each["Sid"].startswith("Empty")]

    assert [resource for each in emptying for resource in each["Resource"]] == [
        "arn:aws:s3:::shop-dev-*",
        "arn:aws:s3:::shop-dev-*/*",
        "arn:aws:ecr:eu-west-1:123456789012:repository/shop-dev-*",
    ]
