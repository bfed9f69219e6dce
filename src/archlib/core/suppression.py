"""Scanner findings that are explained instead of fixed: a closed list, written where each scanner reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from troposphere import AWSObject


@cache
def suppressions() -> dict[str, dict[str, Any]]:
    """Return the closed list by key."""
    text = resources.files("archlib.core").joinpath("suppressions.json").read_text(encoding="utf-8")
    return {row["key"]: row for row in json.loads(text)}


def suppress(resource: AWSObject, *keys: str) -> None:
    """Write the suppressions ``keys`` into the metadata of ``resource``.

    Raises:
        ValueError: a key is not in the list, or its row is not for this type of resource.
    """
    metadata: dict[str, Any] = resource.resource.setdefault("Metadata", {})
    for key in keys:
        row = suppressions().get(key)
        if row is None:
            raise ValueError(f"no suppression {key!r} in the closed list")
        if resource.resource_type not in row["types"]:
            raise ValueError(f"suppression {key!r} is for {', '.join(row['types'])}, not {resource.resource_type}")
        for dialect, rules in row["rules"].items():
            write_suppression(metadata, dialect, rules, row["reason"])


def withdraw(resource: AWSObject, key: str) -> None:
    """Take the suppression ``key`` back, as the decision it explains was changed; all other metadata stays."""
    row = suppressions()[key]
    metadata: dict[str, Any] = resource.resource["Metadata"]
    for dialect, rules in row["rules"].items():
        written: dict[str, Any] = {}
        write_suppression(written, dialect, rules, row["reason"])
        block = metadata[dialect]
        for name, entries in written[dialect].items():
            known = block[name]
            block[name] = (
                {rule: why for rule, why in known.items() if rule not in entries}
                if isinstance(known, dict)
                else [entry for entry in known if entry not in entries]
            )
        if not any(block.values()):
            del metadata[dialect]


def write_suppression(metadata: dict[str, Any], dialect: str, rules: Iterable[str], reason: str) -> None:
    """Add ``rules`` with ``reason`` to ``metadata`` in the form that scanner ``dialect`` reads."""
    match dialect:
        case "checkov":
            _extend(metadata.setdefault("checkov", {}), "skip", ({"id": rule, "comment": reason} for rule in rules))
        case "cdk_nag":
            _extend(metadata.setdefault("cdk_nag", {}), "rules_to_suppress", (_cdk_nag(rule, reason) for rule in rules))
        case "guard":
            block = metadata.setdefault("guard", {})
            _extend(block, "SuppressedRules", rules)
            block.setdefault("Reasons", {}).update(dict.fromkeys(rules, reason))
        case "cfn-lint":
            _extend(metadata.setdefault("cfn-lint", {}).setdefault("config", {}), "ignore_checks", rules)
        case _:
            entries = ({"id": rule, "reason": reason} for rule in rules)
            _extend(metadata.setdefault(dialect, {}), "rules_to_suppress", entries)


def _extend(block: dict[str, Any], key: str, entries: Iterable[Any]) -> None:
    known = block.setdefault(key, [])
    known.extend(entry for entry in entries if entry not in known)


def _cdk_nag(rule: str, reason: str) -> dict[str, Any]:
    # A row names one finding of a granular rule as "Rule[Finding]", or as a pattern behind "~".
    pattern = re.fullmatch(r"~([\w.-]+?)\\\[(.+)\\\]", rule)
    if pattern:
        return {"id": pattern[1], "reason": reason, "applies_to": [{"regex": f"/^{pattern[2]}$/"}]}
    exact = re.fullmatch(r"([\w.-]+)\[(.+)\]", rule)
    if exact:
        return {"id": exact[1], "reason": reason, "applies_to": [exact[2]]}
    return {"id": rule, "reason": reason}
