from __future__ import annotations

from typing import Any

import pytest

from archlib.core.forms import wrong_attributes, wrong_reference, wrong_references


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Ref", "Jobs"),
        ("Fn::GetAtt", "Jobs.Arn"),
        ("Fn::GetAtt", ["Jobs", "Arn"]),
        ("Fn::GetAtt", ["Jobs", {"Ref": "Which"}]),
        ("Fn::Sub", "text"),
        ("Fn::Sub", ["${A}", {"A": 1}]),
    ],
)
def test_a_reference_that_is_right(key: str, value: Any) -> None:
    assert wrong_reference(key, value) == ""


@pytest.mark.parametrize("value", [3, None, True, [], ["x"], ["x", 3], ["x", {}, 3], [{"Ref": "x"}, {}], {"a": "b"}])
@pytest.mark.parametrize("key", ["Ref", "Fn::GetAtt", "Fn::Sub"])
def test_a_reference_that_is_wrong_is_told_with_its_form(key: str, value: Any) -> None:
    assert wrong_reference(key, value).startswith(f"{key} must be ")
    assert wrong_reference(key, value).endswith(f", got {value!r}")


@pytest.mark.parametrize(
    ("key", "value"), [("Ref", ["a", "b"]), ("Ref", ["a", {}]), ("Fn::GetAtt", "Jobs"), ("Fn::Sub", ["a", "b"])]
)
def test_one_form_is_not_another(key: str, value: Any) -> None:
    assert wrong_reference(key, value)


def test_references_are_found_at_any_depth_and_only_where_they_are_some() -> None:
    node = {"a": [{"b": {"Ref": 3}}, {"Fn::Join": ["", [{"Fn::Sub": 4}]]}], "c": {"Ref": 5, "Other": 6}, "Ref": 7}

    assert [message.rpartition(" ")[2] for message in wrong_references(node)] == ["3", "4"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("Metadata", "text", "Metadata must be a mapping, got 'text'"),
        ("Properties", [1], "Properties must be a mapping, got [1]"),
        ("UpdatePolicy", 3, "UpdatePolicy must be a mapping, got 3"),
        ("DependsOn", 3, "DependsOn must be the name of a resource, or a list of them, got 3"),
        ("DependsOn", ["a", 3], "DependsOn must be the name of a resource, or a list of them, got ['a', 3]"),
        ("Condition", {"Ref": "x"}, "Condition must be text, got {'Ref': 'x'}"),
        ("DeletionPolicy", 3, "DeletionPolicy must be text, got 3"),
    ],
)
def test_attributes_have_their_forms(key: str, value: Any, message: str) -> None:
    assert list(wrong_attributes({"Type": "AWS::SQS::Queue", key: value})) == [message]


def test_attributes_that_are_right() -> None:
    resource = {
        "Type": "AWS::SQS::Queue",
        "Condition": "Big",
        "DependsOn": ["A", "B"],
        "DeletionPolicy": {"Fn::If": ["Big", "Retain", "Delete"]},
        "UpdateReplacePolicy": "Retain",
        "CreationPolicy": {},
        "Properties": {"A": 3},
        "Metadata": {},
    }

    assert list(wrong_attributes(resource)) == []
    assert list(wrong_attributes({"DependsOn": "A"})) == []
