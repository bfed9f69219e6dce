"""W9133: secret parameters have no default."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule


class SecretDefault(Rule):
    """A parameter is hidden with NoEcho, but its default is in the template for all to read."""

    id = "W9133"
    shortdesc = "NoEcho parameters have no default"
    description = "Remove Default, or read the value from Secrets Manager with a dynamic reference."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/security-best-practices.html"

    def find(self, cfn: Template) -> Found:
        """Yield each secret that is written down."""
        for name, parameter in cfn.get_parameters_valid().items():
            default = parameter.get("Default")
            if str(parameter.get("NoEcho")).lower() == "true" and default is not None and default != "":
                yield ("Parameters", name, "Default"), f"the default of secret {name} is not secret; remove it"
