from __future__ import annotations

import json
import re
from typing import Any

import pytest
from troposphere import AWSObject, iam, s3, sqs

from archlib.core.suppression import suppress, suppressions, withdraw, write_suppression

DIALECTS = {"checkov", "cdk_nag", "guard", "cfn_nag", "cfripper", "parliament", "cloudsplaining"}
CLASSES = {"by-design", "conflict", "costs", "scanner-bug", "silly"}
REASON = "The reason why this is right here, in a sentence."


def metadata(resource: Any) -> dict[str, Any]:
    found: dict[str, Any] = resource.resource["Metadata"]
    return found


@pytest.mark.parametrize(
    ("dialect", "written"),
    [
        ("checkov", {"checkov": {"skip": [{"id": "X1", "comment": REASON}, {"id": "X2", "comment": REASON}]}}),
        (
            "cdk_nag",
            {"cdk_nag": {"rules_to_suppress": [{"id": "X1", "reason": REASON}, {"id": "X2", "reason": REASON}]}},
        ),
        ("guard", {"guard": {"SuppressedRules": ["X1", "X2"], "Reasons": {"X1": REASON, "X2": REASON}}}),
        (
            "cfn_nag",
            {"cfn_nag": {"rules_to_suppress": [{"id": "X1", "reason": REASON}, {"id": "X2", "reason": REASON}]}},
        ),
        (
            "parliament",
            {"parliament": {"rules_to_suppress": [{"id": "X1", "reason": REASON}, {"id": "X2", "reason": REASON}]}},
        ),
        ("cfn-lint", {"cfn-lint": {"config": {"ignore_checks": ["X1", "X2"]}}}),
    ],
)
def test_each_scanner_is_told_in_its_own_form(dialect: str, written: dict[str, Any]) -> None:
    found: dict[str, Any] = {}

    write_suppression(found, dialect, ["X1", "X2"], REASON)

    assert found == written


@pytest.mark.parametrize(
    ("rule", "entry"),
    [
        ("AwsSolutions-IAM5[Resource::*]", {"id": "AwsSolutions-IAM5", "applies_to": ["Resource::*"]}),
        (
            r"~AwsSolutions-IAM5\[Resource::.+\*\]",
            {"id": "AwsSolutions-IAM5", "applies_to": [{"regex": r"/^Resource::.+\*$/"}]},
        ),
        ("AwsSolutions-IAM4", {"id": "AwsSolutions-IAM4"}),
    ],
)
def test_one_finding_of_a_granular_rule_can_be_named(rule: str, entry: dict[str, Any]) -> None:
    found: dict[str, Any] = {}

    write_suppression(found, "cdk_nag", [rule], REASON)

    assert found["cdk_nag"]["rules_to_suppress"] == [{**entry, "reason": REASON}]


@pytest.mark.parametrize("dialect", sorted({*DIALECTS, "cfn-lint"}))
def test_saying_it_again_adds_nothing_and_other_metadata_stays(dialect: str) -> None:
    found: dict[str, Any] = {"Owner": "orders"}
    write_suppression(found, dialect, ["X1"], REASON)
    once = json.dumps(found)

    write_suppression(found, dialect, ["X1"], REASON)
    write_suppression(found, dialect, ["X2"], "Another reason, for another rule.")

    assert json.dumps({**found, dialect: json.loads(once)[dialect]}) == once
    assert "X2" in json.dumps(found)
    assert found["Owner"] == "orders"


@pytest.mark.parametrize("key", suppressions())
def test_every_row_can_be_written_and_taken_back(key: str) -> None:
    row = suppressions()[key]
    kind = type("Kind", (AWSObject,), {"resource_type": row["types"][0], "props": {}})
    resource = kind("Thing", Metadata={"Owner": "orders"})

    suppress(resource, key)

    assert set(metadata(resource)) == {"Owner", *row["rules"]}
    text = json.dumps(metadata(resource))
    assert json.dumps(row["reason"]) in text
    for rules in row["rules"].values():
        for rule in rules:
            assert re.sub(r"^~|\\?\[.*", "", rule) in text

    withdraw(resource, key)

    assert metadata(resource) == {"Owner": "orders"}


def test_taking_one_back_leaves_the_others() -> None:
    both, one = s3.Bucket("Both"), s3.Bucket("One")
    suppress(both, "log-bucket-sse-s3", "replication-not-required", "object-lock-not-required")
    suppress(one, "log-bucket-sse-s3", "object-lock-not-required")

    withdraw(both, "replication-not-required")

    assert metadata(both) == metadata(one)


def test_a_key_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(ValueError, match="no suppression 'i-say-so' in the closed list"):
        suppress(sqs.Queue("Jobs"), "i-say-so")


def test_a_row_for_another_type_is_refused() -> None:
    with pytest.raises(
        ValueError, match="suppression 'log-bucket-sse-s3' is for AWS::S3::Bucket, not AWS::IAM::ManagedPolicy"
    ):
        suppress(iam.ManagedPolicy("Policy"), "log-bucket-sse-s3")


@pytest.mark.parametrize("row", suppressions().values(), ids=suppressions())
def test_every_row_says_for_what_it_is_and_why(row: dict[str, Any]) -> None:
    assert set(row) <= {"key", "class", "types", "reason", "rules", "only_if", "star_actions"}
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row["key"])
    assert row["class"] in CLASSES
    assert len(row["reason"]) >= 30
    assert all(re.fullmatch(r"AWS::\w+::\w+", kind) for kind in row["types"])
    assert row["types"]
    assert row["rules"]
    assert set(row["rules"]) <= DIALECTS, "errors and warnings of cfn-lint are never suppressed"
    assert all(rules and len(set(rules)) == len(rules) for rules in row["rules"].values())
    for path, values in row.get("only_if", {}).items():
        assert path
        assert isinstance(values, list)


def test_only_one_row_lists_actions_that_may_stand_with_a_star() -> None:
    (row,) = [row for row in suppressions().values() if "star_actions" in row]

    assert row["key"] == "action-has-no-resource"
    assert row["types"] == ["AWS::IAM::ManagedPolicy"]
    for pattern in row["star_actions"]:
        service, _, action = pattern.partition(":")
        assert service.strip("*") == service, "one service each"
        assert action


def test_reasons_are_told_apart() -> None:
    reasons = [row["reason"] for row in suppressions().values()]

    assert len(set(reasons)) == len(reasons)
