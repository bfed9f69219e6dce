from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlib.units import format_duration, parse_duration, seconds, show


@given(st.integers(min_value=0, max_value=10**8))
def test_what_is_written_reads_back(count: int) -> None:
    duration = timedelta(seconds=count)

    assert parse_duration(format_duration(duration)) == duration
    assert seconds(duration) == count


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30), ("5m", 300), ("12h", 43_200), ("4d", 345_600), ("1h30m", 5_400), ("0s", 0)]
)
def test_reads_each_unit(text: str, expected: int) -> None:
    assert seconds(parse_duration(text)) == expected


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5w", "1.5h", "5m!"])
def test_refuses_anything_else(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration such as 30s"):
        parse_duration(text)


def test_shows_negative_durations() -> None:
    assert format_duration(timedelta(seconds=-90)) == "-1m30s"


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(milliseconds=50), "0.05s"),
        (timedelta(minutes=1, milliseconds=500), "60.5s"),
        (timedelta(milliseconds=-1500), "-1.5s"),
    ],
)
def test_parts_of_a_second_are_shown_and_never_lost(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text
    with pytest.raises(ValueError, match="must be whole seconds, got "):
        seconds(duration)


@dataclass(frozen=True)
class Pair:
    first: Any
    second: Any = None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        ("a'b", '"a\'b"'),
        (timedelta(minutes=5), "5m"),
        (Path("src/main.py"), "'src/main.py'"),
        ((), "[]"),
        (("a", None), "['a', nothing]"),
        (["a"], "['a']"),
        ({"a": True}, "{'a': true}"),
        (Pair("a", (Pair(1),)), "{first: 'a', second: [{first: 1, second: nothing}]}"),
        (Pair, repr(Pair)),
    ],
)
def test_values_are_shown_as_both_python_and_yaml_have_them(value: Any, text: str) -> None:
    assert show(value) == text
