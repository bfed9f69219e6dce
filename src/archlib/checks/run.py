"""Check stacks: cfn-lint, our own rules, CloudFormation's limits, waivers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from archlib.checks.cache import ResultCache, cache_folder
from archlib.checks.finding import Finding
from archlib.checks.limits import limits
from archlib.core.artifact import StackArtifact, Template

REGIONS = ("us-east-1", "eu-west-1", "sa-east-1")


def check(
    stacks: Iterable[StackArtifact],
    *,
    regions: Sequence[str] = REGIONS,
    today: date | None = None,
    cache: bool = True,
) -> tuple[Finding, ...]:
    """Return everything wrong with ``stacks``, worst first.

    Args:
        stacks: what :meth:`archlib.App.assemble` returned.
        regions: where the templates must work.
        today: the day that waivers are measured against; the current one (UTC) by default.
        cache: keep lint results in the user's cache folder, and use those of unchanged templates.
    """
    day = today or datetime.now(UTC).date()
    results = ResultCache(cache_folder(), today=day) if cache else None
    findings = [finding for stack in stacks for finding in _check(stack, regions, day, results)]
    return tuple(sorted(findings, key=Finding.order))


def _check(stack: StackArtifact, regions: Sequence[str], today: date, results: ResultCache | None) -> Iterator[Finding]:
    reasons = {
        (waiver.resource, waiver.rule): waiver.reason
        for waiver in stack.waivers
        if waiver.expires is None or waiver.expires >= today
    }
    for finding in (*limits(stack), *(_finding(stack, row) for row in _lint(_unwaived(stack), regions, results))):
        yield replace(finding, waived=reasons.get((finding.resource, finding.rule), ""))
    for waiver in stack.waivers:
        if waiver.expires is not None and waiver.expires < today:
            yield Finding(
                "error",
                stack.name,
                waiver.resource,
                "E9002",
                f"waiver of {waiver.rule} expired on {waiver.expires}: fix the finding, or decide again",
                path=("Resources", waiver.resource),
                origin=waiver.origin,
            )


def _unwaived(stack: StackArtifact) -> Template:
    """Return the template without what its waivers say to cfn-lint: what they accept must be seen, or seen again."""
    template = deepcopy(stack.template) if stack.waivers else stack.template
    for waiver in stack.waivers:
        metadata = template["Resources"][waiver.resource].get("Metadata", {})
        config = metadata.get("cfn-lint", {}).get("config", {})
        if waiver.rule in config.get("ignore_checks", ()):
            config["ignore_checks"].remove(waiver.rule)
    return template


def _lint(template: Template, regions: Sequence[str], results: ResultCache | None) -> list[dict[str, Any]]:
    key = results.key(template, regions) if results else ""
    rows = results.get(key) if results else None
    if rows is None:
        # Importing cfn-lint takes longer than all else together; unchanged templates do without.
        from archlib.checks.linter import lint  # noqa: PLC0415

        rows = lint(template, regions)
        if results:
            results.put(key, rows)
    return rows


def _finding(stack: StackArtifact, row: dict[str, Any]) -> Finding:
    path = tuple(row["path"])
    resource = str(path[1]) if len(path) > 1 and path[0] == "Resources" else ""
    named = str(path[1]) if len(path) > 1 else ""
    return Finding(
        severity=row["severity"],
        stack=stack.name,
        resource=resource,
        rule=row["rule"],
        message=row["message"],
        fix=row["fix"],
        url=row["url"],
        path=path,
        origin=stack.origins.get(named),
    )
