from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.containers.repository import Repository
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.core.values import encode
from archlib.errors import SettingsError


def actions(repository: Repository, verb: str) -> dict[str, Any]:
    grants = getattr(repository, verb)().grants
    return {str(encode(grant.resources)): set(grant.actions) for grant in grants}


def test_images_are_encrypted_scanned_and_never_change(stack: Stack, rendered: Callable[[], dict[str, Any]]) -> None:
    Repository(stack, "orders")

    found = rendered()["OrdersRepository"]

    assert found["DeletionPolicy"] == found["UpdateReplacePolicy"] == "Retain"
    assert found["Properties"]["ImageTagMutability"] == "IMMUTABLE"
    assert found["Properties"]["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert found["Properties"]["EncryptionConfiguration"]["EncryptionType"] == "KMS"
    assert {"RepositoryName", "RepositoryPolicyText", "EmptyOnDelete"}.isdisjoint(found["Properties"])


def test_old_and_untagged_images_go(stack: Stack, properties: Callable[[str], dict[str, Any]]) -> None:
    Repository(stack, "orders", keep=30, untagged_days=2)

    rules = json.loads(properties("OrdersRepository")["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]

    assert [rule["rulePriority"] for rule in rules] == [1, 2]
    assert [rule["action"] for rule in rules] == [{"type": "expire"}] * 2
    assert rules[0]["selection"]["tagStatus"] == "untagged"
    assert rules[0]["selection"]["countNumber"] == 2
    # A rule for any image has to be the last.
    assert rules[1]["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 30}


def test_a_throw_away_environment_can_be_removed() -> None:
    app = App("shop", "test", removal="Delete")
    Repository(Stack(app, "main"), "orders")

    found = next(stack.template["Resources"]["OrdersRepository"] for stack in app.assemble() if "main" in stack.name)

    assert found["DeletionPolicy"] == "Delete"
    assert found["Properties"]["EmptyOnDelete"] is True


def test_images_have_a_tag_or_a_digest(stack: Stack) -> None:
    repository = Repository(stack, "orders")
    digest = f"sha256:{'a' * 64}"

    assert encode(repository.image("1.4").uri) == {"Fn::Sub": "${OrdersRepository.RepositoryUri}:1.4"}
    assert encode(repository.image(digest).uri) == {"Fn::Sub": f"${{OrdersRepository.RepositoryUri}}@{digest}"}
    assert encode(repository.image("1.4").repository_arn) == {"Fn::GetAtt": ["OrdersRepository", "Arn"]}


@pytest.mark.parametrize("tag", ["latest", "", "-x", "a b", "sha256:1"])
def test_other_tags_are_refused(stack: Stack, tag: str) -> None:
    repository = Repository(stack, "orders")

    with pytest.raises(
        SettingsError,
        match="repository 'orders': tag must be a tag other than latest of up to 128 characters, or a digest",
    ):
        repository.image(tag)


def test_pulling_does_not_allow_pushing(app: App, stack: Stack) -> None:
    repository = Repository(stack, "orders")
    own = "[{'Fn::GetAtt': ['OrdersRepository', 'Arn']}]"

    pulling, pushing = actions(repository, "for_pulling"), actions(repository, "for_pushing")

    assert pulling["['*']"] == pushing["['*']"] == {"ecr:GetAuthorizationToken"}
    assert pulling[own] == {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
    assert pushing[own] - pulling[own] == {
        *("ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart")
    }
    assert app.assemble()


def test_a_function_can_be_told_where_to_push(stack: Stack, properties: Callable[[str], dict[str, Any]]) -> None:
    builder = Function(stack, "builder", code=Code(inline="def handler(event, context): pass"))
    builder.connect(Repository(stack, "orders").for_pushing())

    assert properties("BuilderFunction")["Environment"]["Variables"] == {
        "ORDERS_REPOSITORY": {"Fn::GetAtt": ["OrdersRepository", "RepositoryUri"]}
    }


def test_functions_of_this_account_may_be_made_from_it(
    stack: Stack, properties: Callable[[str], dict[str, Any]]
) -> None:
    Repository(stack, "orders", functions=True)

    (statement,) = properties("OrdersRepository")["RepositoryPolicyText"]["Statement"]

    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert statement["Action"] == ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    assert "${AWS::AccountId}" in statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"keep": 0}, "keep must be 1 to 10000, got 0"),
        ({"untagged_days": 366}, "untagged_days must be 1 to 365, got 366"),
    ],
)
def test_what_cannot_work_is_refused(stack: Stack, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        Repository(stack, "orders", **settings)


def test_a_function_is_made_from_an_image_in_it(stack: Stack, properties: Callable[[str], dict[str, Any]]) -> None:
    image = Repository(stack, "orders", functions=True).image("1.4")
    Function(stack, "worker", code=Code(image=image.uri))

    assert properties("WorkerFunction")["Code"] == {"ImageUri": {"Fn::Sub": "${OrdersRepository.RepositoryUri}:1.4"}}
