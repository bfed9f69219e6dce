"""E9209: administration is not open to the internet."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.security._ingress import open_ports

_ADMINISTRATION = {22: "SSH", 3389: "RDP"}


class OpenAdministration(Rule):
    """SSH or RDP can be reached by everyone."""

    id = "E9209"
    shortdesc = "SSH and RDP are not open to the world"
    description = "Remove the rule and use Session Manager, which needs no open port."
    source_url = "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager.html"

    def find(self, cfn: Template) -> Found:
        """Yield each such rule."""
        for path, name, first, last in open_ports(cfn):
            names = [service for port, service in _ADMINISTRATION.items() if first <= port <= last]
            if names:
                yield path, f"{name} opens {' and '.join(names)} to the world; remove it and use Session Manager"
