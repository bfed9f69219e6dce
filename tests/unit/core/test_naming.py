from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlib.core.naming import (
    check_name,
    environment_key,
    fixed_name,
    link_name,
    logical_id,
    pascal,
    stack_name,
)
from archlib.errors import SettingsError

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z][a-z0-9]{0,8}){0,3}", fullmatch=True)


@given(NAMES, NAMES)
def test_different_names_never_give_the_same_logical_id(one: str, other: str) -> None:
    assert (logical_id(one, "Queue") == logical_id(other, "Queue")) == (one == other)


@given(NAMES)
def test_every_name_gives_a_valid_logical_id_and_variable(name: str) -> None:
    check_name(name, "queue")

    assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", pascal(name))
    assert re.fullmatch(r"[A-Z][A-Z0-9_]*_URL", environment_key(name, "URL"))


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("OrderEvents", "order-events"),
        ("order_events", "order-events"),
        ("order events", "order-events"),
        ("api-2", "api2"),
        ("2fa", "n2fa"),
        ("-x-", "x"),
        ("", "name"),
        ("ordér", "ord-r"),
    ],
)
def test_refuses_other_names_and_suggests_one_that_works(name: str, suggestion: str) -> None:
    with pytest.raises(SettingsError, match="must be kebab-case") as caught:
        check_name(name, "queue")

    assert f"write {suggestion!r}" in str(caught.value)
    assert check_name(suggestion, "queue") == suggestion


def test_refuses_names_over_64_characters() -> None:
    with pytest.raises(SettingsError, match="at most 64 characters, got 65"):
        check_name("a" * 65, "queue")


def test_refuses_stack_names_over_128_characters() -> None:
    with pytest.raises(SettingsError, match="at most 128 characters"):
        stack_name("a" * 60, "b" * 60, "c" * 60)


def test_an_arn_is_no_secret_by_name() -> None:
    assert link_name("ApiSecret", "") == "ApiCredentials"
    assert link_name("MainDatabase", "MasterUserSecret.SecretArn") == "MainDatabaseMasterUserCredentialsCredentialsArn"
    assert link_name("OrdersTable", "") == "OrdersTable"
    assert link_name("OrdersTable", "StreamArn") == "OrdersTableStreamArn"


def test_what_is_reworded_stays_apart() -> None:
    names = {link_name(name, "") for name in ("ApiTokenSecret", "ApiSecretSecret", "ApiPasswordSecret")}

    assert len(names) == 3
    assert not any(word in name.lower() for name in names for word in ("password", "secret", "token"))


@given(NAMES, NAMES, st.integers(12, 40))
def test_a_fixed_name_fits_and_stays_different(one: str, other: str, most: int) -> None:
    names = [fixed_name("shop", "prod", name, most=most) for name in (one, other)]

    assert all(len(name) <= most and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)
    assert (names[0] == names[1]) == (one == other)


def test_a_fixed_name_is_cut_only_if_it_must() -> None:
    assert fixed_name("shop", "prod", "site", most=14) == "shop-prod-site"
    assert re.fullmatch(r"shop-p-[0-9a-f]{6}", fixed_name("shop", "prod", "site", most=13))
