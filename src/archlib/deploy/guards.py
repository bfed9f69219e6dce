"""What is refused unless the user says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy.aws import Identity
from archlib.deploy.models import ResourceChange
from archlib.deploy.plan import Plan, StackPlan
from archlib.deploy.stateful import loses_data
from archlib.errors import GuardError, Problem, StaleError


def check_account(target: Target, identity: Identity, region: str) -> None:
    """Refuse credentials of another account, or another region, than the environment's.

    Raises:
        GuardError: they are.
    """
    problems = []
    if target.account and target.account != identity.account:
        message = f"account must be {target.account}, got {identity.account} ({identity.arn})"
        problems.append(Problem(f"{message}; log in to the right one, or correct account in the file's targets"))
    if target.region and target.region != region:
        problems.append(
            Problem(f"region must be {target.region}, got {region}; correct it, or region in the file's targets")
        )
    if problems:
        raise GuardError(problems)


def check_changes(
    stack: StackArtifact, changes: Iterable[ResourceChange], before: Mapping[str, Any], *, allow: frozenset[str]
) -> None:
    """Refuse to replace or delete what holds data, unless it is allowed by its logical id.

    Args:
        stack: the stack.
        changes: what would happen.
        before: resources of the template that the stack has now.
        allow: logical ids.

    Raises:
        GuardError: something would be lost.
    """
    problems = [
        # What is nested has the line of its stack.
        _loss(stack.name, replace(change, origin=stack.origins.get(change.resource.split("/")[0])))
        for change in changes
        if loses_data(change, before) and change.resource not in allow
    ]
    if problems:
        raise GuardError(problems)


def _loss(stack: str, change: ResourceChange) -> Problem:
    """Return what is lost, why, and how to allow it."""
    forced = [each.path for each in change.properties if each.recreates != "never"]
    sure, unsure = ("deletes", "may delete") if change.action == "remove" else ("replaces", "may replace")
    because = f" because {', '.join(forced)} {'changes' if len(forced) == 1 else 'change'}" if forced else ""
    verb = sure if change.certain else unsure
    message = f"stack {stack!r}: {verb} {change.resource} ({change.type}), which holds data{because}"
    return Problem(f"{message}; if that is right: --allow-replace {change.resource}", change.origin)


def check_approved(stack: str, changes: Iterable[ResourceChange], plan: StackPlan) -> None:
    """Refuse changes that were not in the approved plan.

    Raises:
        StaleError: there is one.
    """
    approved = {(change.resource, change.action) for change in plan.changes}
    new = [change for change in changes if (change.resource, change.action) not in approved]
    if plan.estimated:
        # From templates alone it is not known which references make a resource change.
        new = [change for change in new if change.action != "modify"]
    if new:
        named = ", ".join(f"{change.action} {change.resource}" for change in new)
        raise StaleError(
            f"stack {stack!r}: the approved plan does not have: {named}; plan again, and have it approved again"
        )


def check_losses(plan: Plan, *, allow: frozenset[str]) -> None:
    """Refuse a plan that loses data, before any of it is carried out.

    Args:
        plan: what would happen.
        allow: logical ids.

    Raises:
        GuardError: something would be lost.
    """
    problems = [
        _loss(stack.stack, change)
        for stack in plan.stacks
        for change in stack.changes
        if change.resource in stack.losses and change.resource not in allow
    ]
    if problems:
        raise GuardError(problems)
