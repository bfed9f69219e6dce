"""Stack policies."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

from fakes.cfn.state import Resource


def denial(policy: str | None, action: str, resource: Resource) -> str | None:
    """Return why the policy forbids an action on a resource, ``None`` if it does not."""
    if policy is None:
        return None
    allowed = False
    for number, statement in enumerate(json.loads(policy)["Statement"], 1):
        if not _applies(statement, action, resource):
            continue
        if statement["Effect"] == "Deny":
            return (
                f"Action denied by stack policy: Statement [#{number}] does not allow [{action}]"
                f" for resource [LogicalResourceId/{resource.logical_id}]"
            )
        allowed = True
    return None if allowed else f"Action denied by stack policy: no statement allows [{action}]"


def _applies(statement: dict[str, Any], action: str, resource: Resource) -> bool:
    name = f"LogicalResourceId/{resource.logical_id}"
    actions = _matches(statement.get("Action"), action) or (
        "NotAction" in statement and not _matches(statement["NotAction"], action)
    )
    things = _matches(statement.get("Resource"), name) or (
        "NotResource" in statement and not _matches(statement["NotResource"], name)
    )
    condition = statement.get("Condition", {})
    types = [item for test in condition.values() for item in _listed(test.get("ResourceType", []))]
    return actions and things and (not condition or any(fnmatchcase(resource.type, kind) for kind in types))


def _matches(patterns: Any, value: str) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in _listed(patterns or []))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
