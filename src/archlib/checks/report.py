"""Findings as people and machines read them: text, JSON, SARIF, GitHub annotations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from archlib.checks.finding import Finding

Format = Literal["text", "json", "sarif", "github"]

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def report(findings: Sequence[Finding], form: Format) -> str:
    """Return ``findings`` in the form ``form``; empty text for none, except for JSON and SARIF."""
    match form:
        case "json":
            return json.dumps([_plain(finding) for finding in findings], indent=2, ensure_ascii=False)
        case "sarif":
            return json.dumps(_sarif(findings), indent=2, ensure_ascii=False)
        case "github":
            return "\n".join(_annotation(finding) for finding in findings if not finding.waived)
        case _:
            return "\n".join(_text(finding) for finding in findings)


def _text(finding: Finding) -> str:
    waived = f" (waived: {finding.waived})" if finding.waived else ""
    url = f"\n    {finding.url}" if finding.url and not finding.waived else ""
    return f"{finding}{waived}{url}"


def _plain(finding: Finding) -> dict[str, Any]:
    row = asdict(finding)
    row["path"] = list(finding.path)
    row["origin"] = {"file": finding.origin.file, "line": finding.origin.line} if finding.origin else None
    return row


def _sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    rules = {finding.rule: finding for finding in findings}
    return {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "archlib",
                        "rules": [
                            {
                                "id": rule,
                                "shortDescription": {"text": finding.fix or finding.message},
                                **({"helpUri": finding.url} if finding.url else {}),
                            }
                            for rule, finding in sorted(rules.items())
                        ],
                    }
                },
                "results": [_sarif_result(finding) for finding in findings],
            }
        ],
    }


def _sarif_result(finding: Finding) -> dict[str, Any]:
    name = ".".join(map(str, finding.path)) or finding.stack
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": f"{finding.stack}/{name}"}]}
    if finding.origin and finding.origin.line:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": _uri(finding.origin.file)},
            "region": {"startLine": finding.origin.line},
        }
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [location],
    }
    if finding.waived:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.waived}]
    return result


def _annotation(finding: Finding) -> str:
    place = ""
    if finding.origin and finding.origin.line:
        file = _escaped(_relative(finding.origin.file)).replace(":", "%3A").replace(",", "%2C")
        place = f"file={file},line={finding.origin.line},"
    message = _escaped(f"{finding.stack}/{finding.resource or '-'}: {finding.message}")
    return f"::{_GITHUB_LEVELS[finding.severity]} {place}title={finding.rule}::{message}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _uri(file: str) -> str:
    path = Path(_relative(file))
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _relative(file: str) -> str:
    try:
        return Path(file).relative_to(Path.cwd()).as_posix()
    except ValueError:
        return Path(file).as_posix()
