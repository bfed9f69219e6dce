"""Which ports security groups open to the world."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.read import Path, Place, number, resources
from archlib.checks.rules.security._values import is_everywhere

_ALL_PORTS = (0, 65_535)
_WITH_PORTS = ("tcp", "udp", "6", "17")


def open_ports(cfn: Template) -> Iterator[tuple[Path, str, int, int]]:
    """Yield path, resource, first and last port of each rule that admits the internet, or a large part of it."""
    for path, rule in _rules(cfn):
        for key in ("CidrIp", "CidrIpv6"):
            ports = _ports(rule) if isinstance(rule, dict) and is_everywhere(rule.get(key)) else None
            if ports:
                yield (*path, key), str(path[1]), *ports


def _rules(cfn: Template) -> Iterator[Place]:
    for group in resources(cfn, "AWS::EC2::SecurityGroup").values():
        yield from group.find("SecurityGroupIngress", "*")
    for rule in resources(cfn, "AWS::EC2::SecurityGroupIngress").values():
        yield from rule.find()


def _ports(rule: dict[str, Any]) -> tuple[int, int] | None:
    protocol = str(rule.get("IpProtocol")).lower()
    if protocol in ("-1", "all"):
        return _ALL_PORTS
    first, last = number(rule.get("FromPort")), number(rule.get("ToPort"))
    if protocol not in _WITH_PORTS or first is None or last is None:
        return None
    return _ALL_PORTS if first == -1 else (first, last)
