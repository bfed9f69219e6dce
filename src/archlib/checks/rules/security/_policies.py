"""Reads who may do what in IAM policy documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.policies import covers, inline, statements
from archlib.checks.rules.read import Path, resources
from archlib.checks.rules.security._values import UNKNOWN, entries, is_anything, reference, text, texts

HOLDERS = ("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group")
INLINE = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::UserPolicy", "AWS::IAM::GroupPolicy")

Statement = dict[str, Any]

# What these ask for says nothing about who asks.
_OF_EVERYONE = frozenset({"aws:securetransport", "s3:tlsversion"})


def allowed(document: Any, path: Path) -> Iterator[tuple[Path, Statement]]:
    """Yield the statements of ``document`` that allow something."""
    return (place for place in statements(document, path) if place[1]["Effect"] == "Allow")


def identity_statements(cfn: Template) -> Iterator[tuple[Path, Statement]]:
    """Yield what roles, users and groups may do; permission boundaries allow nothing by themselves."""
    holders = resources(cfn, *HOLDERS).values()
    boundaries = {reference(holder.get("PermissionsBoundary")) for holder in holders}
    for policy in resources(cfn, "AWS::IAM::ManagedPolicy", *INLINE).values():
        if policy.name not in boundaries:
            for path, document in policy.find("PolicyDocument"):
                yield from allowed(document, path)
    for holder in holders:
        for path, document in inline(holder):
            yield from allowed(document, path)


def actions(statement: Statement) -> list[str]:
    """Return the actions written out in ``statement``; IAM does not tell upper from lower case."""
    return texts(statement.get("Action"))


def on_everything(statement: Statement) -> bool:
    """Whether the resource is ``*``."""
    return "*" in texts(statement.get("Resource"))


def principals(statement: Statement, kind: str) -> list[Any]:
    """Return the principals of ``kind`` (``AWS``, ``Service``) as the statement names them."""
    principal = statement.get("Principal")
    return [value for _, value in entries(principal.get(kind))] if isinstance(principal, dict) else []


def to_everyone(statement: Statement) -> bool:
    """Whether the principal is ``*``: all of AWS and beyond."""
    return "*" in texts(statement.get("Principal")) or "*" in principals(statement, "AWS")


def is_narrowed(statement: Statement) -> bool:
    """Whether a condition leaves anybody out; one that cannot be told may."""
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict):
        return True
    return any(
        not isinstance(test, dict) or any(_leaves_out(str(key), value) for key, value in test.items())
        for test in condition.values()
    )


def _leaves_out(key: str, value: Any) -> bool:
    return key.lower() not in _OF_EVERYONE and not any(is_anything(item) for _, item in entries(value))


def lets_service(statement: Statement, service: str, needed: Iterable[str]) -> set[str]:
    """Return those of the actions ``needed`` that ``statement`` may let AWS service ``service`` perform."""
    named = any(_is_service(text(value), service) for value in principals(statement, "Service"))
    if not (named or to_everyone(statement) or _is_unknown(statement)):
        return set()
    return {action for action in needed if covers(statement, action)}


def _is_unknown(statement: Statement) -> bool:
    principal = statement.get("Principal")
    return not isinstance(principal, str | dict) or (
        isinstance(principal, dict) and any(str(key).startswith(("Fn::", "Ref")) for key in principal)
    )


def _is_service(principal: str, service: str) -> bool:
    # logs.eu-west-1.amazonaws.com is the same service as logs.amazonaws.com; a parameter may be any.
    return principal.startswith((f"{service}.", UNKNOWN)) or (principal.startswith("${") and principal.endswith("}"))
