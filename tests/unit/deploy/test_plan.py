"""A plan as data, as text and as a comment."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from archlib.core.artifact import Asset, ParameterSource, Permission, Waiver
from archlib.core.origin import Origin
from archlib.core.target import Target
from archlib.deploy.models import OUTSIDE, PropertyChange, ResourceChange
from archlib.deploy.plan import Plan, StackPlan, cell, describe, from_data, short, summary
from archlib.errors import SourceError
from deploying import artifact

QUEUE = "AWS::SQS::Queue"
CHANGES = (
    ResourceChange("add", "New", QUEUE),
    ResourceChange(
        "replace",
        "Orders",
        "AWS::DynamoDB::Table",
        "orders-1",
        certain=False,
        policy="Retain",
        properties=(
            PropertyChange("TableName", "a|b", "<c>\nd", "always"),
            PropertyChange("KeySchema", None, None, "maybe", "Key"),
            PropertyChange("Mode", "x", "y", cause=OUTSIDE),
            PropertyChange("Bare"),
        ),
        origin=Origin("shop.yaml", 3),
    ),
    ResourceChange("remove", "Old", QUEUE),
    ResourceChange("import", "Found", QUEUE),
    ResourceChange("sync", "Back", QUEUE),
    ResourceChange("unknown", "What", QUEUE),
    ResourceChange("modify", "Jobs", QUEUE),
)
ARTIFACT = replace(
    artifact("shop-dev-data", needs={"Url": ("other", "Url")}),
    assets=(Asset("/code", "ab" * 32, "assets/ab.zip"),),
    origins={"Jobs": Origin("shop.yaml", 5)},
    places={("Resources", "Jobs", 0): Origin("shop.yaml", 6)},
    permissions={"P": (Permission(("sqs:SendMessage",), "why", None),)},
    waivers=(Waiver("Jobs", "E1", "right here"),),
    region="us-east-1",
)
TARGET = Target(
    account="123456789012",
    region="eu-west-1",
    protected=True,
    service_role="arn:aws:iam::123456789012:role/cfn",
    rollback_alarms=("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a",),
    rollback_minutes=5,
    parameters={"Size": "3"},
)
BUSY = StackPlan(
    "shop-dev-data", "eu-west-1", "update", CHANGES, estimated=True, change_set="arn:cs", stack_id="arn:stack",
    changed="2026-01-01", content="abc", losses=("Orders",), widening=("rights: Role modify",), notes=("<note>",),
)  # fmt: skip
IDLE = StackPlan("shop-dev-code", "eu-west-1", "none", content="def")
PLAN = Plan("shop", "dev", "123456789012", "eu-west-1", (BUSY, IDLE), (ARTIFACT,), TARGET)


def test_a_plan_that_is_kept_comes_back_as_it_was() -> None:
    data = json.loads(json.dumps(PLAN.to_data(artifacts=True)))

    back = from_data(data)

    # Lines inside templates, reasons and waivers have had their use.
    kept = replace(ARTIFACT, places={}, permissions={}, waivers=())
    assert back == replace(PLAN, artifacts=(kept,))
    assert back.artifacts[0].parameters == {"Url": ParameterSource("output", "other", "Url")}
    assert back.artifacts[0].depends_on == frozenset({"other"})
    assert back.target == TARGET
    assert from_data(json.loads(json.dumps(back.to_data(artifacts=True)))) == back


def test_what_is_printed_has_no_artifacts_and_says_its_version() -> None:
    data = json.loads(PLAN.to_json())

    assert data == PLAN.to_data()
    assert "artifacts" not in data
    assert "target" not in data
    assert (data["schema_version"], data["changes"], data["losses"]) == (1, 7, ["Orders"])
    assert data["stacks"][0]["changes"][1]["properties"][0] == {
        "path": "TableName", "before": "a|b", "after": "<c>\nd", "recreates": "always", "cause": "",
    }  # fmt: skip
    assert (PLAN.changes, PLAN.empty, PLAN.losses) == (7, False, ("Orders",))


@pytest.mark.parametrize("data", [None, [], {}, {"schema_version": 2, "artifacts": []}, PLAN.to_data()])
def test_what_is_no_kept_plan_is_refused(data: Any) -> None:
    with pytest.raises(SourceError, match="must be a plan that archlib plan --save wrote"):
        from_data(data)


@pytest.mark.parametrize(
    "damage",
    [
        {"stacks": None},
        {"stacks": [{"stack": "x"}]},
        {"stacks": [{"stack": "x", "region": "r", "action": "explode"}]},
        {"artifacts": [{"name": 1}]},
        {"artifacts": 3},
        {"target": None},
        {"target": 3, "artifacts": 3},
        {"target": {"rollback_minutes": "many"}},
    ],
)
def test_a_damaged_plan_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"plan: is damaged \(.*\); plan again$") as caught:
        from_data({**PLAN.to_data(artifacts=True), **damage})

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["app", "environment", "account", "region", "stacks", "target"])
def test_a_plan_that_misses_something_is_refused(missing: str) -> None:
    data = PLAN.to_data(artifacts=True)
    del data[missing]

    with pytest.raises(SourceError, match=missing):
        from_data(data)


def test_as_text() -> None:
    assert PLAN.to_text().splitlines() == [
        "shop dev in 123456789012, eu-west-1",
        "  shop-dev-data: update (estimated from the templates)",
        "      + New  AWS::SQS::Queue",
        "    -/+ Orders  AWS::DynamoDB::Table  (perhaps)",
        "          TableName: a|b -> <c>",
        "d  (replaces)",
        "          KeySchema: follows Key  (may replace)",
        "          Mode: x -> y  (changed outside of CloudFormation)",
        "          Bare",
        "      - Old  AWS::SQS::Queue",
        "      < Found  AWS::SQS::Queue",
        "      = Back  AWS::SQS::Queue",
        "      ? What  AWS::SQS::Queue",
        "      ~ Jobs  AWS::SQS::Queue",
        "      ! data: Orders",
        "      ! rights: Role modify",
        "      <note>",
        "  shop-dev-code: unchanged",
        "1 of 2 stacks change: 1 to add, 1 to change, 1 to replace, 1 to remove, 1 to import, 1 to bring back",
    ]


def test_as_a_comment_nothing_breaks_out_of_its_place() -> None:
    text = PLAN.to_markdown()
    lines = text.splitlines()

    assert lines[0] == "### Plan for shop dev (123456789012, eu-west-1)"
    assert "> **Data is lost or left behind:** `Orders`" in lines
    assert "<details open><summary><b>shop-dev-data</b>: update, 7 changes</summary>" in lines
    assert (
        "| `-/+` | Orders | AWS::DynamoDB::Table | TableName: a\\|b -> &lt;c> d  (replaces)<br>"
        "KeySchema: follows Key  (may replace)<br>Mode: x -> y  (changed outside of CloudFormation)<br>Bare |"
    ) in lines
    assert "- &lt;note>" in lines
    assert "- rights: Role modify" in lines
    assert "shop-dev-code" not in text
    assert text.count("<details") == text.count("</details>") == 1


def test_an_empty_plan_says_so() -> None:
    plan = replace(PLAN, stacks=(IDLE,))

    assert plan.empty
    assert summary(plan) == "nothing to do: 1 stacks are as they should be"
    assert "<details" not in plan.to_markdown()
    assert "Data" not in plan.to_markdown()


def test_a_stack_may_change_without_its_resources() -> None:
    plan = replace(PLAN, stacks=(StackPlan("a", "eu-west-1", "update"),))

    assert summary(plan) == "1 of 1 stacks change: only outputs, tags or settings"
    assert not plan.empty


def test_long_and_unknown_values() -> None:
    assert short(None) == "(unknown)"
    assert short("x" * 60) == "x" * 60
    assert short("x" * 61) == "x" * 57 + "..."
    (told,) = describe(ResourceChange("modify", "A", QUEUE, properties=(PropertyChange("Size", "1", None),)))
    assert told == "Size: 1 -> (unknown)"


def test_cells_escape_each_other_only_once() -> None:
    assert cell("a & b < c | d\ne") == "a &amp; b &lt; c \\| d e"
