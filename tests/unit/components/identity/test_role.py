from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.identity.role import Role
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, Grant

Rendered = Callable[[], dict[str, Any]]
BUCKET = "arn:aws:s3:::archive"


def statements(found: dict[str, Any]) -> list[dict[str, Any]]:
    document: list[dict[str, Any]] = found["ReaderPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    return document


def test_one_service_may_assume_it_for_this_account(stack: Stack, rendered: Rendered) -> None:
    Role(stack, "reader", service="lambda")

    found = rendered()
    assert found["ReaderRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }
    ]
    assert found["ReaderRole"]["Properties"]["Description"] == "Role of reader"


def test_one_service_may_assume_it_for_one_resource_only(stack: Stack, rendered: Rendered) -> None:
    Role(stack, "reader", service="codebuild", source=BUCKET)

    (statement,) = rendered()["ReaderRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {"aws:SourceArn": BUCKET},
    }


def test_without_rights_there_is_no_policy(stack: Stack, rendered: Rendered) -> None:
    Role(stack, "reader", service="lambda")

    assert "ReaderPolicy" not in rendered()


def test_rights_are_one_managed_policy_merged_and_sorted(stack: Stack, rendered: Rendered) -> None:
    role = Role(stack, "reader", service="lambda")
    for action in ("s3:ListBucket", "s3:GetBucketLocation"):
        role.allow(Grant((action,), (BUCKET,)), why="reading")
    role.allow(Grant(("dynamodb:GetItem",), ("arn:aws:dynamodb:x",)), why="looking up")

    found = rendered()
    assert found["ReaderPolicy"]["Properties"]["Roles"] == [{"Ref": "ReaderRole"}]
    assert statements(found) == [
        {"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": ["arn:aws:dynamodb:x"]},
        {"Effect": "Allow", "Action": ["s3:GetBucketLocation", "s3:ListBucket"], "Resource": [BUCKET]},
    ]
    assert "Policies" not in found["ReaderRole"]["Properties"]


def test_conditions_are_kept_apart(stack: Stack, rendered: Rendered) -> None:
    role = Role(stack, "reader", service="lambda")
    condition = {"StringEquals": {"s3:prefix": "in/"}}
    role.allow(Grant(("s3:ListBucket",), (BUCKET,), condition), why="listing")
    role.allow(Grant(("s3:GetBucketLocation",), (BUCKET,)), why="locating")

    assert [statement.get("Condition") for statement in statements(rendered())] == [None, condition]


def test_connecting_adds_the_rights_of_the_binding(stack: Stack, rendered: Rendered) -> None:
    binding = Binding("archive", "reading the archive", (Grant(("s3:ListBucket",), (BUCKET,)),), {"BUCKET": "archive"})

    Role(stack, "reader", service="lambda").connect(binding)

    assert statements(rendered()) == [{"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [BUCKET]}]


def test_knows_why_each_right_is_there(app: App, stack: Stack) -> None:
    Role(stack, "reader", service="lambda").allow(Grant(("s3:ListBucket",), (BUCKET,)), why="reading the archive")

    (permission,) = app.assemble()[0].permissions["ReaderPolicy"]
    assert (permission.actions, permission.why) == (("s3:ListBucket",), "reading the archive")
    assert permission.origin is not None
    assert permission.origin.file == __file__


@pytest.mark.parametrize(
    ("grant", "message"),
    [
        (Grant(("s3:*",), (BUCKET,)), r"actions must be exact, got s3:\*"),
        (Grant(("s3:Get*",), (BUCKET,)), r"actions must be exact, got s3:Get\*"),
        (Grant(("s3:ListBucket",), ("*",)), r"resources must be ARNs for s3:ListBucket, got '\*'"),
        (Grant(("xray:PutTraceSegments",), ("*", BUCKET)), "in a grant of their own"),
    ],
)
def test_refuses_more_than_is_needed(stack: Stack, grant: Grant, message: str) -> None:
    role = Role(stack, "reader", service="lambda")

    with pytest.raises(WiringError, match=f"grant for reading: .*{message}"):
        role.allow(grant, why="reading")


def test_explains_every_star(stack: Stack, rendered: Rendered) -> None:
    role = Role(stack, "reader", service="lambda")
    role.allow(Grant(("xray:PutTraceSegments",), ("*",)), why="traces")

    found = rendered()
    assert statements(found)[0]["Resource"] == ["*"]
    assert found["ReaderPolicy"]["Metadata"]["checkov"]["skip"][0]["id"] == "CKV_AWS_111"


def test_without_stars_it_explains_nothing(stack: Stack, rendered: Rendered) -> None:
    Role(stack, "reader", service="lambda").allow(Grant(("s3:ListBucket",), (BUCKET,)), why="reading")

    assert "Metadata" not in rendered()["ReaderPolicy"]
