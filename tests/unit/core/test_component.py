from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from troposphere import sqs

from archlib import App, Component, Stack
from archlib.core.component import Check
from archlib.core.values import encode
from archlib.errors import SettingsError
from archlib.units import show


class StateKeeper(Component):
    """Keeps."""

    kind = "StateKeeper"

    def __init__(
        self, stack: Stack, name: str, *, size: int = 1, age: timedelta | None = None, color: str = "red"
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.between("size", size, 1, 10, "split it")
            check.between("age", age, timedelta(minutes=1), timedelta(days=14))
            check.one_of("color", color, ("red", "green"))
            check.that(size != 7 or color == "green", "size", "anything but 7 unless green", size, "choose 6")
        self.resource = self.add(sqs.Queue(self.id()), stateful=True)


def problems(stack: Stack, size: int = 1, age: timedelta | None = None, color: str = "red") -> list[str]:
    with pytest.raises(SettingsError) as caught:
        StateKeeper(stack, "orders", size=size, age=age, color=color)
    assert all(each.origin and each.origin.file == __file__ for each in caught.value.problems)
    return [each.message for each in caught.value.problems]


def test_names_its_resources_after_itself(stack: Stack) -> None:
    keeper = StateKeeper(stack, "order-events")

    assert keeper.id() == "OrderEventsStateKeeper"
    assert keeper.id("Policy") == "OrderEventsPolicy"
    assert encode(keeper.ref()) == {"Ref": "OrderEventsStateKeeper"}
    assert encode(keeper.ref("Policy")) == {"Ref": "OrderEventsPolicy"}
    assert encode(keeper.attribute("Arn")) == {"Fn::GetAtt": ["OrderEventsStateKeeper", "Arn"]}
    assert encode(keeper.attribute("Arn", "Policy")) == {"Fn::GetAtt": ["OrderEventsPolicy", "Arn"]}


def test_reads_in_words(stack: Stack) -> None:
    keeper = StateKeeper(stack, "order-events")

    assert keeper.label == "state keeper"
    assert str(keeper) == "state keeper 'order-events'"


def test_adds_to_its_own_stack(app: App) -> None:
    one, other = Stack(app, "one"), Stack(app, "other")
    keeper = StateKeeper(one, "orders")

    assert one.template.resources == {"OrdersStateKeeper": keeper.resource}
    assert other.template.resources == {}
    assert keeper.resource.resource["DeletionPolicy"] == "Retain"


@pytest.mark.parametrize("name", ["Orders", "orders_1", "1orders", "orders-", "", "x" * 65])
def test_a_malformed_name_is_refused_in_the_components_words(stack: Stack, name: str) -> None:
    with pytest.raises(SettingsError, match="state keeper '"):
        StateKeeper(stack, name)


def test_good_settings_are_no_problem(stack: Stack) -> None:
    StateKeeper(stack, "one", size=1, age=timedelta(minutes=1))
    StateKeeper(stack, "two", size=10, age=timedelta(days=14), color="green")
    StateKeeper(stack, "three", age=None)


def test_everything_that_is_wrong_comes_at_once(stack: Stack) -> None:
    assert problems(stack, size=0, age=timedelta(seconds=59), color="blue") == [
        "state keeper 'orders': size must be 1 to 10, got 0; split it",
        "state keeper 'orders': age must be 1m to 14d, got 59s",
        "state keeper 'orders': color must be one of red, green, got 'blue'",
    ]


def test_nothing_is_added_when_something_is_wrong(stack: Stack) -> None:
    problems(stack, size=11)

    assert stack.template.resources == {}


def test_any_condition_can_be_checked(stack: Stack) -> None:
    assert problems(stack, size=7) == [
        "state keeper 'orders': size must be anything but 7 unless green, got 7; choose 6"
    ]


def test_an_error_inside_the_checks_is_not_hidden(stack: Stack) -> None:
    keeper = StateKeeper(stack, "orders")

    def fail() -> None:
        with keeper.checking() as check:
            check.that(False, "size", "right", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_a_duration_is_whole_seconds_unless_its_range_is_not(stack: Stack) -> None:
    assert problems(stack, age=timedelta(minutes=1, milliseconds=500)) == [
        "state keeper 'orders': age must be 1m to 14d in whole seconds, got 60.5s"
    ]
    check = Check("x")
    check.between("wait", timedelta(milliseconds=1500), timedelta(milliseconds=50), timedelta(seconds=29))
    assert check.problems == []


@pytest.mark.parametrize("size", [True, False, math.nan, math.inf, "5"])
def test_what_is_no_number_is_outside_of_every_range(stack: Stack, size: Any) -> None:
    assert problems(stack, size=size) == [f"state keeper 'orders': size must be 1 to 10, got {show(size)}; split it"]
