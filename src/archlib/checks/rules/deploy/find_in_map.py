"""E9104: mappings have what Fn::FindInMap looks for."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import walk


class FindInMap(Rule):
    """``Fn::FindInMap`` names a mapping or a key that does not exist."""

    id = "E9104"
    shortdesc = "Fn::FindInMap finds its mapping and keys"
    description = "Add the mapping or key, or correct its name."
    source_url = (
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-findinmap.html"
    )

    def find(self, cfn: Template) -> Found:
        """Yield each lookup that cannot succeed."""
        mappings = cfn.template.get("Mappings", {})
        if not isinstance(mappings, dict) or "Transform" in cfn.template or "Fn::Transform" in mappings:
            return  # there may be more mappings
        for section in ("Conditions", "Resources", "Outputs"):
            for path, node in walk(cfn.template.get(section), (section,)):
                match node:
                    case {"Fn::FindInMap": [name, first, second]}:  # four items have a default
                        problem = _problem(mappings, name, first, second)
                        if problem:
                            yield (*path, "Fn::FindInMap"), f"{problem}; add it or correct the name"


def _problem(mappings: dict[str, Any], name: Any, first: Any, second: Any) -> str:
    """Return what is missing, or nothing."""
    if not isinstance(name, str):
        return ""
    if name not in mappings:
        return f"there is no mapping {name}"
    entries = mappings[name]
    if not isinstance(entries, dict) or "Fn::Transform" in entries:
        return ""
    if isinstance(first, str) and first not in entries:
        return f"mapping {name} has no key {first}"
    rows = [entries[first]] if isinstance(first, str) else list(entries.values())
    if isinstance(second, str) and not any(not isinstance(row, dict) or second in row for row in rows):
        return f"mapping {name} has no key {second}" + (f" under {first}" if isinstance(first, str) else "")
    return ""
