"""Secrets by their names and by their values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlib.deploy.redact import MASK, Redactor, is_secret_name, masked, secret_texts


@pytest.mark.parametrize(
    "name",
    [
        "MasterUserPassword", "DB_PASSWORD", "db-passwd", "Passphrase", "SecretString", "ClientSecret", "SecretKey",
        "AuthToken", "GITHUB_TOKEN", "PrivateKey", "private_key", "ApiKey", "api-key", "Credentials",
        "Properties.MasterUserPassword", "Environment/Variables/DB_PASSWORD",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "Name", "QueueName", "SecretArn", "PasswordPolicy", "MasterUserPassword.Arn", "Tokens.Count", "KeySchema",
        "Password/Length", "",
    ],
)  # fmt: skip
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


def test_plain_data_loses_its_secrets_and_nothing_else() -> None:
    data = {
        "Engine": "postgres",
        "MasterUserPassword": "hunter22",
        "Port": 5432,
        "Nested": [{"ApiKey": "abcd"}, "text", None],
        "Tokens": {"AuthToken": ["one", "two"]},
    }

    assert masked(data) == {
        "Engine": "postgres",
        "MasterUserPassword": MASK,
        "Port": 5432,
        "Nested": [{"ApiKey": MASK}, "text", None],
        "Tokens": {"AuthToken": [MASK, MASK]},
    }


@pytest.mark.parametrize(
    ("pair", "hidden"),
    [
        ({"Name": "DB_PASSWORD", "Value": "hunter22"}, "Value"),
        ({"Key": "ApiKey", "Value": "hunter22"}, "Value"),
        ({"ParameterKey": "Password", "ParameterValue": "hunter22"}, "ParameterValue"),
    ],
)
def test_a_pair_of_name_and_value_is_named_by_its_name(pair: dict[str, str], hidden: str) -> None:
    assert masked(pair) == {**pair, hidden: MASK}
    assert masked({**pair, next(iter(pair)): "Stage"})[hidden] == "hunter22"


def test_a_value_without_a_name_is_named_by_its_key() -> None:
    assert masked({"Value": "text", "Password": "no"}) == {"Value": "text", "Password": MASK}
    assert masked("hunter22", "Password") == MASK
    assert masked({"Name": {"Ref": "A"}, "Value": "text"}) == {"Name": {"Ref": "A"}, "Value": "text"}


def test_the_texts_that_are_hidden_can_be_learned() -> None:
    data = {
        "MasterUserPassword": "hunter22",
        "Other": {"Ref": "Password"},
        "ApiKey": {"Fn::Join": ["", ["joined-text", {"Ref": "AWS::Region"}]]},
        "AuthToken": {"Fn::Sub": "sub-text"},
        "DbPassword": {"Ref": "Parameter"},
        "Pairs": [{"Name": "TOKEN", "Value": "pair-text"}],
        "SecretString": "{{resolve:secretsmanager:a}}",
        "Passphrase": "abc",
        "Password": 5,
    }

    assert set(secret_texts(data)) == {"hunter22", "joined-text", "sub-text", "pair-text"}
    assert masked(data["ApiKey"], "ApiKey") == {"Fn::Join": [MASK, [MASK, {"Ref": "AWS::Region"}]]}


def test_known_values_go_wherever_they_stand() -> None:
    redact = Redactor(["hunter22"])
    redact.learn(["other-one", ""])

    assert redact("login with hunter22 or other-one!") == f"login with {MASK} or {MASK}!"
    assert redact("nothing here") == "nothing here"


def test_short_values_go_only_where_they_stand_alone() -> None:
    redact = Redactor(["abc"])

    assert redact("abc") == MASK
    assert redact("abcd abc") == "abcd abc"


def test_a_value_that_is_part_of_another_does_not_leave_the_rest() -> None:
    redact = Redactor(["secret", "secret-and-more"])

    assert redact("is secret-and-more") == f"is {MASK}"


def test_a_value_inside_json_is_found_by_its_name() -> None:
    redact = Redactor(["hunter22"])
    value = redact.value("Properties.Environment", json.dumps({"Password": "unknown", "Other": "hunter22", "Size": 3}))

    assert json.loads(value) == {"Password": MASK, "Other": MASK, "Size": 3}
    assert redact.value("Items", '[{"Name": "TOKEN", "Value": "x1y2"}]') == f'[{{"Name": "TOKEN", "Value": "{MASK}"}}]'
    assert redact.value("Text", "{hunter22 is no JSON") == f"{{{MASK} is no JSON"
    assert redact.value("MasterUserPassword", "anything") == MASK
    assert redact.value("Name", "ümlaut") == "ümlaut"


@given(
    secrets=st.lists(st.text("ABCDEFabcdef", min_size=4), min_size=1, max_size=4),
    around=st.lists(st.text("xyz ", max_size=5), min_size=5, max_size=5),
)
def test_no_known_value_is_left_in_any_text(secrets: list[str], around: list[str]) -> None:
    text = "".join(piece for pair in zip(around, secrets, strict=False) for piece in pair)

    shown = Redactor(secrets)(text)

    assert not any(secret in shown for secret in secrets)
