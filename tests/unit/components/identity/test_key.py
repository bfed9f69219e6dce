from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.errors import SettingsError
from archlib.wiring.binding import Binding

Rendered = Callable[[], dict[str, Any]]


def statements(found: dict[str, Any], principal: str) -> list[dict[str, Any]]:
    """Return what the key policy says about the service ``principal``."""
    policy = found["ArchiveKey"]["Properties"]["KeyPolicy"]["Statement"]
    return [statement for statement in policy if principal in json.dumps(statement["Principal"])]


def test_rotates_and_is_deleted_slowly(stack: Stack, rendered: Rendered) -> None:
    Key(stack, "archive")

    found = rendered()
    key = found["ArchiveKey"]
    assert key["Properties"]["EnableKeyRotation"] is True
    assert key["Properties"]["PendingWindowInDays"] == 30
    assert key["DeletionPolicy"] == key["UpdateReplacePolicy"] == "Retain"
    assert found["ArchiveKeyAlias"]["Properties"] == {
        "AliasName": "alias/shop-test-archive",
        "TargetKeyId": {"Ref": "ArchiveKey"},
    }


@pytest.mark.parametrize("days", [6, 31])
def test_refuses_other_waiting_times(stack: Stack, days: int) -> None:
    with pytest.raises(SettingsError, match=f"key 'archive': pending_days must be 7 to 30, got {days}"):
        Key(stack, "archive", pending_days=days)


def test_the_account_administers_it_and_nobody_hands_it_on(stack: Stack, rendered: Rendered) -> None:
    Key(stack, "archive")

    administer, deny = rendered()["ArchiveKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert (administer["Effect"], administer["Action"]) == ("Allow", "kms:*")
    assert ":root" in json.dumps(administer["Principal"])
    assert (deny["Effect"], deny["Action"]) == ("Deny", "kms:CreateGrant")
    assert deny["Condition"] == {
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "kms:GrantIsForAWSResource": "false"}
    }


def test_eks_hands_it_on_once_it_is_served(stack: Stack, rendered: Rendered) -> None:
    Key(stack, "archive").serve("eks")

    _, deny = rendered()["ArchiveKey"]["Properties"]["KeyPolicy"]["Statement"]
    assert deny["Condition"] == {
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "kms:GrantIsForAWSResource": "false"},
        "StringNotEquals": {"kms:ViaService": {"Fn::Sub": "eks.${AWS::Region}.amazonaws.com"}},
    }


def test_a_service_uses_it_for_this_account_once_it_is_served(stack: Stack, rendered: Rendered) -> None:
    key = Key(stack, "archive")
    assert statements(rendered(), "sns") == []

    key.serve("sns")
    key.serve("sns")

    (statement,) = statements(rendered(), "sns.amazonaws.com")
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= set(statement["Action"])
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_log_service_uses_it_for_log_groups_of_this_account(stack: Stack, rendered: Rendered) -> None:
    Key(stack, "archive").serve("logs")

    (statement,) = statements(rendered(), "logs.")
    assert {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"} <= set(statement["Action"])
    assert "AWS::AccountId" in json.dumps(statement["Condition"]["StringLike"]["kms:EncryptionContext:aws:logs:arn"])


def test_eventbridge_reaches_encrypted_topics_for_which_it_names_no_account(stack: Stack, rendered: Rendered) -> None:
    Key(stack, "archive").serve("events")

    by_topic = [
        statement["Condition"]["StringLike"]["kms:EncryptionContext:aws:sns:topicArn"]
        for statement in statements(rendered(), "events.amazonaws.com")
        if "kms:EncryptionContext:aws:sns:topicArn" in statement["Condition"].get("StringLike", {})
    ]
    assert len(by_topic) == 1
    assert "AWS::AccountId" in json.dumps(by_topic)


def test_no_service_uses_it_unconditionally(stack: Stack, rendered: Rendered) -> None:
    key = Key(stack, "archive")
    for service in ("logs", "events", "sns", "delivery.logs.amazonaws.com"):
        key.serve(service)

    assert all(statement["Condition"] for statement in statements(rendered(), "amazonaws.com"))
    assert statements(rendered(), "delivery.logs.amazonaws.com") != []


def test_an_app_has_one_key(app: App) -> None:
    one, two = Key.of(Stack(app, "data")), Key.of(Stack(app, "code"))

    assert one is two
    assert one.stack.name == "foundation"


def test_a_region_of_its_own_has_a_key_of_its_own(app: App) -> None:
    at_home, away = Key.of(Stack(app, "data")), Key.of(Stack(app, "edge", region="us-east-1"))

    assert away is not at_home
    assert (away.stack.name, away.stack.region) == ("foundation-us-east1", "us-east-1")


@pytest.mark.parametrize(
    ("use", "actions"),
    [("for_decrypting", ["kms:Decrypt"]), ("for_encrypting", ["kms:Decrypt", "kms:GenerateDataKey"])],
)
def test_grants_what_reading_and_writing_take(stack: Stack, rendered: Rendered, use: str, actions: list[str]) -> None:
    grant = getattr(Key(stack, "archive"), use)()
    Role(stack, "reader", service="lambda").connect(Binding("archive", "using the key", (grant,)))

    assert rendered()["ReaderPolicy"]["Properties"]["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": actions, "Resource": [{"Fn::GetAtt": ["ArchiveKey", "Arn"]}]}
    ]
