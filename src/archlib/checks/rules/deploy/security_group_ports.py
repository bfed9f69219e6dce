"""E9105: security group rules have a valid port range."""

from __future__ import annotations

from collections.abc import Iterator

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Place, number, resources

_WITH_PORTS = ("tcp", "udp", "6", "17")
_HIGHEST = 65_535


class SecurityGroupPorts(Rule):
    """A TCP or UDP rule has ports that do not exist, or in the wrong order."""

    id = "E9105"
    shortdesc = "Security group ports are 0 to 65535, the lower one first"
    description = "Put the lower port in FromPort and the higher one in ToPort, both at most 65535."
    source_url = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"

    def find(self, cfn: Template) -> Found:
        """Yield each wrong range."""
        for path, rule in _rules(cfn):
            if not isinstance(rule, dict) or str(rule.get("IpProtocol")).lower() not in _WITH_PORTS:
                continue
            low, high = number(rule.get("FromPort")), number(rule.get("ToPort"))
            for key, port in (("FromPort", low), ("ToPort", high)):
                if port is not None and port > _HIGHEST:
                    yield (*path, key), f"{key} is {port}, ports end at {_HIGHEST}; choose a lower one"
            if low is not None and high is not None and low > high:
                yield (*path, "FromPort"), f"FromPort {low} is above ToPort {high}; swap them"


def _rules(cfn: Template) -> Iterator[Place]:
    for group in resources(cfn, "AWS::EC2::SecurityGroup").values():
        yield from group.find("SecurityGroupIngress", "*")
        yield from group.find("SecurityGroupEgress", "*")
    for rule in resources(cfn, "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress").values():
        yield from rule.find()
