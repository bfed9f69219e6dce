"""W9212: only HTTPS is open to the internet."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import number, resources
from archlib.checks.rules.security._ingress import open_ports

_HTTP, _SSH, _HTTPS, _RDP = 80, 22, 443, 3389


class OpenPort(Rule):
    """Another port than 443 is open to everyone; 80 counts too, unless all it does is redirect to HTTPS."""

    id = "W9212"
    shortdesc = "Only port 443 is open to the world"
    description = "Put the service behind a load balancer or CloudFront, or admit only the addresses that need it."
    source_url = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"

    def find(self, cfn: Template) -> Found:
        """Yield each such rule; those about SSH and RDP are errors of another rule."""
        fine = {(_HTTPS, _HTTPS)} | ({(_HTTP, _HTTP)} if _only_redirects(cfn) else set())
        for path, name, first, last in open_ports(cfn):
            if (first, last) in fine or any(first <= port <= last for port in (_SSH, _RDP)):
                continue
            ports = f"port {first}" if first == last else f"ports {first} to {last}"
            yield path, f"{name} opens {ports} to the world; open only 443, or name the addresses that need it"


def _only_redirects(cfn: Template) -> bool:
    listeners = [
        listener
        for listener in resources(cfn, "AWS::ElasticLoadBalancingV2::Listener").values()
        if number(listener.get("Port")) == _HTTP
    ]
    actions = [action for listener in listeners for _, action in listener.find("DefaultActions", "*")]
    return bool(actions) and all(isinstance(action, dict) and action.get("Type") == "redirect" for action in actions)
