from __future__ import annotations

import json
from typing import Any

import pytest

from archlib.checks.limits import INLINE_BYTES, TEMPLATE_BYTES, limits
from archlib.core.artifact import StackArtifact

QUEUE = {"Type": "AWS::SQS::Queue"}
RESOURCES: dict[str, Any] = {"Resources": {"Jobs": QUEUE}}


def found(template: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rule and the place of each finding."""
    return [(each.rule, ".".join(map(str, each.path))) for each in limits(StackArtifact("shop", template))]


def entries(section: str, count: int) -> dict[str, Any]:
    made = {f"Name{number}": QUEUE if section == "Resources" else {"Type": "String"} for number in range(count)}
    return {**RESOURCES, section: made}


def sized(size: int, filler: str = "x") -> dict[str, Any]:
    """Return a template of exactly ``size`` bytes."""
    template = {"Metadata": {"Filler": ""}, **RESOURCES}
    room = size - len(json.dumps(template, separators=(",", ":")).encode())
    count, rest = divmod(room, len(filler.encode()))
    template["Metadata"] = {"Filler": filler * count + "x" * rest}
    assert len(json.dumps(template, separators=(",", ":"), ensure_ascii=False).encode()) == size
    return template


def test_a_small_template_is_fine() -> None:
    assert found(RESOURCES) == []


@pytest.mark.parametrize(
    ("section", "most"), [("Resources", 500), ("Parameters", 200), ("Outputs", 200), ("Mappings", 200)]
)
def test_counts_warn_at_80_percent_and_refuse_above_the_limit(section: str, most: int) -> None:
    at_80 = most * 80 // 100

    assert found(entries(section, at_80 - 1)) == []
    assert found(entries(section, at_80)) == [("W9001", section)]
    assert found(entries(section, most)) == [("W9001", section)]
    assert found(entries(section, most + 1)) == [("E9001", section)]


@pytest.mark.parametrize("letter", ["x", "é", "€", "🚀"])
def test_the_description_is_measured_in_bytes(letter: str) -> None:
    width = len(letter.encode())

    assert found({**RESOURCES, "Description": letter * (819 // width)}) == []
    assert found({**RESOURCES, "Description": letter * (1024 // width)}) == [("W9001", "Description")]
    assert found({**RESOURCES, "Description": letter * (1024 // width + 1)}) == [("E9001", "Description")]


@pytest.mark.parametrize("letter", ["x", "é", "🚀"])
def test_defaults_of_parameters_are_measured_in_bytes(letter: str) -> None:
    width = len(letter.encode())

    def default(count: int) -> dict[str, Any]:
        return {**RESOURCES, "Parameters": {"Text": {"Type": "String", "Default": letter * count}}}

    assert found(default(3276 // width)) == []
    assert found(default(4096 // width)) == [("W9001", "Parameters.Text.Default")]
    assert found(default(4096 // width + 1)) == [("E9001", "Parameters.Text.Default")]


@pytest.mark.parametrize("letter", ["x", "é", "🚀"])
def test_the_template_is_measured_in_bytes(letter: str) -> None:
    assert found(sized(INLINE_BYTES, letter)) == []
    assert found(sized(INLINE_BYTES + 1, letter)) == [("I9001", "")]
    assert found(sized(TEMPLATE_BYTES * 80 // 100 - 1, letter)) == [("I9001", "")]
    assert found(sized(TEMPLATE_BYTES * 80 // 100, letter)) == [("W9001", ""), ("I9001", "")]
    assert found(sized(TEMPLATE_BYTES, letter)) == [("W9001", ""), ("I9001", "")]
    assert found(sized(TEMPLATE_BYTES + 1, letter)) == [("E9001", ""), ("I9001", "")]


def test_a_finding_says_how_much_and_what_to_do() -> None:
    (finding,) = limits(StackArtifact("shop", entries("Outputs", 201)))

    assert finding.severity == "error"
    assert finding.stack == "shop"
    assert finding.message == "outputs has 201 of at most 200 entries; split the stack"
    assert finding.url.startswith("https://docs.aws.amazon.com/")
    assert finding.blocking


@pytest.mark.parametrize("section", ["Parameters", "Outputs", "Mappings", "Resources", "Description"])
@pytest.mark.parametrize("value", [None, [], "text", 7, {"Name": None}, {"Name": ["x"]}], ids=str)
def test_a_template_that_is_wrong_in_any_way_does_not_break_it(section: str, value: Any) -> None:
    assert found({**RESOURCES, section: value}) == []


def test_half_a_character_does_not_break_it() -> None:
    assert found({**RESOURCES, "Description": "\ud800"}) == []
