"""Grants collected for one role, rendered as one sorted, merged policy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from awacs.aws import Action
from troposphere import iam

from archlib.core.artifact import Permission
from archlib.core.origin import here
from archlib.core.suppression import suppress, suppressions
from archlib.core.values import Deferred, encode
from archlib.errors import WiringError
from archlib.wiring.binding import Grant


class Permissions:
    """The rights of one role, and why it has each.

    Args:
        policy: the managed policy that will hold them; its document is rendered when the template is.
        reasons: filled with why each permission exists.
    """

    def __init__(self, policy: iam.ManagedPolicy, reasons: list[Permission]) -> None:
        self._policy = policy
        self._reasons = reasons
        self._grants: list[tuple[list[str], list[Any], dict[str, Any]]] = []
        policy.PolicyDocument = Deferred(self.document)

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add ``grant``.

        Raises:
            WiringError: an action has a wildcard, or is granted on ``*`` although AWS can name its resources.
        """
        actions = sorted({action_name(action) for action in grant.actions})
        resources = [encode(resource) for resource in grant.resources]
        if wild := [action for action in actions if set(action) & {"*", "?"}]:
            raise WiringError(f"grant for {why}: actions must be exact, got {', '.join(wild)}; name each action")
        if "*" in resources:
            listed = suppressions()["action-has-no-resource"]["star_actions"]
            named = [action for action in actions if not any(fnmatchcase(action, pattern) for pattern in listed)]
            if named or len(resources) > 1:
                raise WiringError(
                    f"grant for {why}: resources must be ARNs for {', '.join(named or actions)}, got '*'; "
                    "only actions without resource-level permissions may have it, in a grant of their own"
                )
            suppress(self._policy, "action-has-no-resource")
        elif any(_is_prefix(resource) for resource in resources):
            suppress(self._policy, "objects-under-own-prefix")
        self._grants.append((actions, resources, encode(grant.conditions)))
        self._reasons.append(Permission(tuple(actions), why, here()))

    def document(self) -> dict[str, Any]:
        """Return the policy document: statements with the same resources or actions merged, everything sorted."""
        # What AWS has no resources for stays apart from what names them.
        star = [grant for grant in self._grants if grant[1] == ["*"]]
        named = [grant for grant in self._grants if grant[1] != ["*"]]
        return {"Version": "2012-10-17", "Statement": sorted([*_statements(star), *_statements(named)], key=_key)}


def _statements(grants: Iterable[tuple[list[str], list[Any], dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    by_resources = _merge((_key(resources), _key(conditions), actions) for actions, resources, conditions in grants)
    by_actions = _merge(
        (_key(actions), conditions, json.loads(resources)) for (resources, conditions), actions in by_resources.items()
    )
    for (actions, conditions), resources in by_actions.items():
        statement = {"Effect": "Allow", "Action": json.loads(actions), "Resource": resources}
        if conditions != "{}":
            statement["Condition"] = json.loads(conditions)
        yield statement


def action_name(action: Any) -> str:
    """Return ``action`` as IAM spells it, from an awacs action or from text."""
    return str(action.JSONrepr()) if isinstance(action, Action) else str(action)


def _merge(rows: Iterable[tuple[str, str, list[Any]]]) -> dict[tuple[str, str], list[Any]]:
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for first, second, values in rows:
        merged.setdefault((first, second), {}).update({_key(value): value for value in values})
    return {key: [value for _, value in sorted(values.items())] for key, values in merged.items()}


def _key(value: Any) -> str:
    if isinstance(value, list):
        value = sorted(value, key=lambda item: json.dumps(item, sort_keys=True))
    return json.dumps(value, sort_keys=True)


def _is_prefix(resource: Any) -> bool:
    return "*" in json.dumps(resource)
