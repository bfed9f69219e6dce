"""Check stacks: cfn-lint, our own rules, CloudFormation's limits, waivers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from archlib.cache import cache_folder
from archlib.checks.cache import ResultCache
from archlib.checks.finding import Finding
from archlib.checks.limits import limits
from archlib.checks.quotas import crowded_groups
from archlib.core.artifact import StackArtifact, Template

Rows = list[dict[str, Any]]
Lint = Callable[[Sequence[Template], Sequence[str]], Iterable[Rows]]
REGIONS = ("us-east-1", "eu-west-1", "sa-east-1")


def check(
    stacks: Iterable[StackArtifact],
    *,
    regions: Sequence[str] = REGIONS,
    today: date | None = None,
    cache: bool = True,
    lint: Lint | None = None,
) -> tuple[Finding, ...]:
    """Return everything wrong with ``stacks``, worst first.

    Args:
        stacks: what :meth:`archlib.App.assemble` returned.
        regions: where the templates must work; one of a stack that is for one region must work there only.
        today: the day that waivers are measured against; the current one (UTC) by default.
        cache: keep lint results in the user's cache folder, and use those of unchanged templates.
        lint: what lints templates: this process by default, or :class:`~archlib.checks.workers.Workers`.
    """
    stacks = tuple(stacks)
    day = today or datetime.now(UTC).date()
    results = ResultCache(cache_folder(), today=day) if cache else None
    findings: list[Finding] = []
    crowded: dict[str, list[Finding]] = {}
    for finding in crowded_groups(stacks):
        crowded.setdefault(finding.stack, []).append(finding)
    for region in dict.fromkeys(stack.region for stack in stacks):
        there = [stack for stack in stacks if stack.region == region]
        rows = _lint(
            [_unwaived(stack) for stack in there], (region,) if region else regions, results, lint or _lint_here
        )
        findings.extend(
            finding
            for stack, found in zip(there, rows, strict=True)
            for finding in _check(stack, [*crowded.get(stack.name, ()), *limits(stack)], found, day)
        )
    return tuple(sorted(findings, key=Finding.order))


def _check(stack: StackArtifact, known: Iterable[Finding], rows: Rows, today: date) -> Iterator[Finding]:
    reasons = {
        (waiver.resource, waiver.rule): waiver.reason
        for waiver in stack.waivers
        if waiver.expires is None or waiver.expires >= today
    }
    for finding in (*known, *(_finding(stack, row) for row in rows)):
        waived = reasons.get((finding.resource, finding.rule), "")
        yield replace(finding, origin=stack.origin(finding.path), waived=waived)
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


def _lint(
    templates: Sequence[Template], regions: Sequence[str], results: ResultCache | None, lint: Lint
) -> Sequence[Rows]:
    """Return the rows of each template: those kept for it, or else new ones, which are kept."""
    if results is None:
        return list(lint(templates, regions))
    keys = [results.key(template, regions) for template in templates]
    rows = {key: results.get(key) for key in keys}
    missing = {key: template for key, template in zip(keys, templates, strict=True) if rows[key] is None}
    for key, found in zip(missing, lint(list(missing.values()), regions) if missing else (), strict=True):
        results.put(key, found)
        rows[key] = found
    return [rows[key] or [] for key in keys]


def _lint_here(templates: Sequence[Template], regions: Sequence[str]) -> Iterator[Rows]:
    # Importing cfn-lint takes longer than all else together; unchanged templates do without.
    from archlib.checks.linter import lint  # noqa: PLC0415

    for template in templates:
        yield lint(template, regions)


def _finding(stack: StackArtifact, row: dict[str, Any]) -> Finding:
    path = tuple(row["path"])
    resource = str(path[1]) if len(path) > 1 and path[0] == "Resources" else ""
    return Finding(
        severity=row["severity"],
        stack=stack.name,
        resource=resource,
        rule=row["rule"],
        message=row["message"],
        fix=row["fix"],
        url=row["url"],
        path=path,
    )
