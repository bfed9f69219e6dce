"""Reads IAM policy documents."""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.read import Path, Place, Resource, each, find, named, resources

_HOLDERS = ("AWS::IAM::Group", "AWS::IAM::Role", "AWS::IAM::User")
_DOCUMENTS = (
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::RolePolicy",
    "AWS::IAM::UserPolicy",
)
_ATTACHED = {
    "AWS::IAM::Policy": "Roles",
    "AWS::IAM::ManagedPolicy": "Roles",
    "AWS::IAM::RolePolicy": "RoleName",
}


def items(value: Any) -> list[Any]:
    """Return ``value`` as a list; policies write a list of one as the one."""
    return value if isinstance(value, list) else [value]


def statements(document: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each statement ``document`` can have, with its path."""
    for at, value in find(document, path, "Statement"):
        for place, statement in each(value, at):
            if isinstance(statement, dict) and "Effect" in statement:
                yield place, statement


def understood(document: Any) -> bool:
    """Return whether all statements of ``document`` are plainly there, functions only inside their elements."""
    if not isinstance(document, dict) or "Statement" not in document:
        return False
    return all(
        isinstance(item, dict) and item.get("Effect") in ("Allow", "Deny") for item in items(document["Statement"])
    )


def covers(statement: dict[str, Any], action: str) -> bool:
    """Return whether the statement's actions may include ``action``; those that are not plain text may."""
    if "NotAction" in statement or "Action" not in statement:
        return True
    return any(
        not isinstance(pattern, str) or fnmatch.fnmatchcase(action.lower(), pattern.lower())
        for pattern in items(statement["Action"])
    )


def identity_statements(cfn: Template) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each statement of the policies of roles, users and groups, with its path."""
    for policy in resources(cfn, *_DOCUMENTS, *_HOLDERS).values():
        for path, document in inline(policy) if policy.type in _HOLDERS else policy.find("PolicyDocument"):
            yield from statements(document, path)


def inline(role: Resource) -> Iterator[Place]:
    """Yield each document among the role's own ``Policies``."""
    return role.find("Policies", "*", "PolicyDocument")


def attached(cfn: Template, *types: str) -> dict[str, list[Resource]]:
    """Return the policies of these types (all, without types) that are attached to each role of the template.

    Those attached to what cannot be told are under the empty name.
    """
    roles = resources(cfn, "AWS::IAM::Role")
    found = defaultdict(list)
    for policy in resources(cfn, *(types or _ATTACHED)).values():
        for path, value in policy.find(_ATTACHED[policy.type]):
            for _, item in each(value, path):
                role = named(item, roles)
                found[role.name if role else ""].append(policy)
    return found
