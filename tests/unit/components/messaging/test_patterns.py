from typing import Any

import pytest

from archlib.components.messaging.patterns import EVENT_KEYS, pattern_problems


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["shop"], "detail-type": ["OrderPlaced"]},
        {"detail": {"total": [{"numeric": [">", 10]}], "items": {"kind": [{"prefix": "x"}, {"exists": False}]}}},
        {"detail": {"state": ["done", None, 1, 2.5, True]}},
        {"$or": [{"source": ["shop"]}, {"account": ["111122223333"]}]},
        {"detail": {"$or": [{"a": [1]}, {"b": [{"anything-but": {"prefix": "x"}}]}]}},
    ],
)
def test_accepts(pattern: dict[str, Any]) -> None:
    assert list(pattern_problems(pattern, EVENT_KEYS)) == []


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ({}, "it must be a mapping with at least one key, got {}"),
        ({"source": "shop"}, "source must be a list of values, got 'shop'"),
        ({"source": []}, "source must be a list of values, got []"),
        ({"Source": ["shop"]}, "it must have keys among account, detail,"),
        ({"detail": {}}, "detail must be a mapping with at least one key, got {}"),
        ({"detail": {"a": {"b": "x"}}}, "detail.a.b must be a list of values, got 'x'"),
        ({"detail": {"a": [{"starts": "x"}]}}, "detail.a must hold text, numbers or operators such as prefix"),
        ({"detail": {"a": [{}]}}, "detail.a must hold text, numbers or operators such as prefix, got {}"),
        ({"detail": {"a": [["x"]]}}, "detail.a must hold text, numbers or operators such as prefix, got ['x']"),
        ({"$or": {"source": ["shop"]}}, "$or must be a list of patterns"),
        ({"$or": [{"sources": ["shop"]}]}, "$or[0] must have keys among account"),
    ],
)
def test_names_the_place(pattern: dict[str, Any], problem: str) -> None:
    (found,) = pattern_problems(pattern, EVENT_KEYS)

    assert found.startswith(problem)


def test_a_filter_policy_may_have_any_key() -> None:
    assert list(pattern_problems({"kind": ["new"], "total": [{"numeric": ["=", 1]}]})) == []
