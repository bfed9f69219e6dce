"""cfn-lint in this process: one runner, our rules beside its own, templates straight from memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.decode.mark import Mark
from cfnlint.decode.node import dict_node, list_node, str_node
from cfnlint.rules import Match
from cfnlint.runner import Runner

from archlib.checks.rules import RULES
from archlib.core.regions import check_regions
from archlib.errors import UsageError

_SEVERITIES = {"error": "error", "warning": "warning", "informational": "info"}
# Only this configuration counts, whatever .cfnlintrc lies around, so that results are the same everywhere.
_CONFIGURATION = Path(__file__).with_name("cfnlintrc.yaml")


def lint(template: dict[str, Any], regions: Sequence[str]) -> list[dict[str, Any]]:
    """Return what cfn-lint and our own rules find in ``template``, as plain rows.

    Each row has ``rule``, ``severity``, ``message``, ``path``, ``fix`` and ``url``.

    Raises:
        UsageError: CloudFormation is in no such region.
    """
    check_regions(regions)
    try:
        matches = list(_runner(tuple(regions)).validate_template(_positioned(template, count(1))))
    except Exception as error:  # noqa: BLE001  (cfn-lint fails in many ways on what is no template)
        message = f"cfn-lint cannot read this template ({error}); check that Metadata and resources are mappings"
        return [{"rule": "E9003", "severity": "error", "message": message, "path": [], "fix": "", "url": ""}]
    return [_row(match) for match in matches]


def get_ready(regions: Sequence[str]) -> None:
    """Load what linting in ``regions`` needs."""
    smallest = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    with suppress(UsageError):
        lint(smallest, regions)


@cache
def _runner(regions: tuple[str, ...]) -> Runner:
    config = ConfigMixIn(["--config-file", str(_CONFIGURATION)], regions=list(regions))
    runner = Runner(config)
    runner.rules.extend([rule() for rule in RULES])
    return runner


def _row(match: Match) -> dict[str, Any]:
    return {
        "rule": match.rule.id,
        "severity": _SEVERITIES[match.rule.severity],
        # cfn-lint's own kinds of text cannot go from process to process.
        "message": str(match.message),
        "path": [part if isinstance(part, int) else str(part) for part in getattr(match, "path", None) or ()],
        "fix": match.rule.description,
        "url": match.rule.source_url,
    }


def _positioned(node: Any, lines: Iterator[int]) -> Any:
    """Return ``node`` as cfn-lint's nodes, each on a line of its own.

    cfn-lint drops a finding that has the position of another; in plain data all have the same one, and some get lost.
    """
    mark = Mark(next(lines), 1)
    if isinstance(node, dict):
        items = {}
        for key, value in node.items():
            at = Mark(next(lines), 1)
            items[str_node(key, at, at)] = _positioned(value, lines)
        return dict_node(items, mark, mark)
    if isinstance(node, list):
        return list_node([_positioned(value, lines) for value in node], mark, mark)
    return str_node(node, mark, mark) if isinstance(node, str) else node
