"""E9131: exports have different names."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule


class ExportName(Rule):
    """Two outputs are exported under the same name."""

    id = "E9131"
    shortdesc = "Export names are unique"
    description = "Give each export a name of its own; it must be unique in the account and region."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html"

    def find(self, cfn: Template) -> Found:
        """Yield each name that is taken."""
        outputs = cfn.template.get("Outputs")
        taken: dict[tuple[str, str], str] = {}
        for name, output in outputs.items() if isinstance(outputs, dict) else ():
            export = output.get("Export") if isinstance(output, dict) else None
            if not isinstance(export, dict) or "Name" not in export:
                continue
            # outputs with different conditions may never exist at the same time
            key = str(export["Name"]), str(output.get("Condition"))
            other = taken.setdefault(key, name)
            if other != name:
                message = f"{other} has the same export name; choose another one"
                yield ["Outputs", name, "Export", "Name"], message
