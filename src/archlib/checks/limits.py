"""CloudFormation's limits, measured the way AWS measures them: in UTF-8 bytes and in counts.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from archlib.checks.finding import Finding, Severity
from archlib.core.artifact import StackArtifact, Template

URL = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"
INLINE_BYTES, TEMPLATE_BYTES = 51_200, 1_000_000
_COUNTS = {"Resources": 500, "Parameters": 200, "Outputs": 200, "Mappings": 200}
_DESCRIPTION_BYTES, _VALUE_BYTES = 1024, 4096
_WARN_PERCENT = 80


def limits(stack: StackArtifact) -> Iterator[Finding]:
    """Yield a finding for each limit that ``stack`` exceeds or uses to 80 % and more."""
    template = stack.template
    size = _bytes(json.dumps(template, separators=(",", ":"), ensure_ascii=False))
    yield from _limit(stack, (), "template", size, TEMPLATE_BYTES, unit="bytes", advice="split the stack")
    if size > INLINE_BYTES:
        message = f"template has {size:,} bytes; over {INLINE_BYTES:,} it is deployed through an S3 bucket"
        yield Finding("info", stack.name, "", "I9001", message, url=URL)
    for section, most in _COUNTS.items():
        count = len(_entries(template, section))
        yield from _limit(stack, (section,), section.lower(), count, most, unit="entries", advice="split the stack")
    description = str(template.get("Description", ""))
    yield from _limit(
        stack,
        ("Description",),
        "description",
        _bytes(description),
        _DESCRIPTION_BYTES,
        unit="bytes",
        advice="shorten it",
    )
    for name, parameter in _entries(template, "Parameters").items():
        value = str(parameter.get("Default", "")) if isinstance(parameter, dict) else ""
        path = ("Parameters", name, "Default")
        yield from _limit(
            stack, path, f"default of {name}", _bytes(value), _VALUE_BYTES, unit="bytes", advice="shorten it"
        )


def _entries(template: Template, section: str) -> Template:
    entries = template.get(section)
    return entries if isinstance(entries, dict) else {}


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _limit(
    stack: StackArtifact, path: tuple[str, ...], what: str, got: int, most: int, *, unit: str, advice: str
) -> Iterator[Finding]:
    if got * 100 < most * _WARN_PERCENT:
        return
    severity: Severity = "error" if got > most else "warning"
    rule = "E9001" if got > most else "W9001"
    message = f"{what} has {got:,} of at most {most:,} {unit}; {advice}"
    yield Finding(severity, stack.name, "", rule, message, url=URL, path=path)
