"""E9101: networks have a size AWS accepts."""

from __future__ import annotations

import ipaddress

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources

_LARGEST, _SMALLEST = 16, 28


class CidrSize(Rule):
    """A VPC or subnet is larger or smaller than AWS accepts."""

    id = "E9101"
    shortdesc = "VPCs and subnets are /16 to /28"
    description = "Choose an IPv4 range with a prefix from /16 (65,536 addresses) to /28 (16 addresses)."
    source_url = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"

    def find(self, cfn: Template) -> Found:
        """Yield each IPv4 range outside the limits."""
        for resource in resources(cfn, "AWS::EC2::VPC", "AWS::EC2::VPCCidrBlock", "AWS::EC2::Subnet").values():
            for path, value in resource.find("CidrBlock"):
                try:
                    prefix = ipaddress.IPv4Network(value, strict=False).prefixlen if isinstance(value, str) else None
                except ValueError:
                    continue
                if prefix is not None and not _LARGEST <= prefix <= _SMALLEST:
                    message = (
                        f"{value} has prefix /{prefix}, AWS accepts /{_LARGEST} to /{_SMALLEST}; choose another range"
                    )
                    yield path, message
