"""Tells which gateways are attached to a VPC."""

from __future__ import annotations

from collections import defaultdict

from cfnlint.template import Template

from archlib.checks.rules.read import named, resources

GATEWAYS = ("AWS::EC2::InternetGateway", "AWS::EC2::VPNGateway")


def attachments(cfn: Template) -> dict[str, set[str]] | None:
    """Return the attachments of each gateway of the template; None if one attaches what cannot be told."""
    gateways = resources(cfn, *GATEWAYS)
    found: dict[str, set[str]] = defaultdict(set)
    for attachment in resources(cfn, "AWS::EC2::VPCGatewayAttachment").values():
        for key in ("InternetGatewayId", "VpnGatewayId"):
            for _, value in attachment.find(key):
                gateway = named(value, gateways)
                if gateway is None:
                    return None
                found[gateway.name].add(attachment.name)
    return found
