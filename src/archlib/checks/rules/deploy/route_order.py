"""W9136: a route to a gateway is made after the gateway is attached."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.deploy._attachments import GATEWAYS, attachments
from archlib.checks.rules.read import dependencies, named, resources


class RouteOrder(Rule):
    """A route may be created while its gateway is not attached yet, and then EC2 refuses it."""

    id = "W9136"
    shortdesc = "Routes depend on the attachment of their gateway"
    description = "Name the AWS::EC2::VPCGatewayAttachment in DependsOn of the route."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-dependson.html"

    def find(self, cfn: Template) -> Found:
        """Yield each route that does not wait for the attachment of its gateway."""
        gateways, attached = resources(cfn, *GATEWAYS), attachments(cfn) or {}
        for route in resources(cfn, "AWS::EC2::Route").values():
            for path, value in route.find("GatewayId"):
                gateway = named(value, gateways)
                wanted = attached.get(gateway.name, set()) if gateway else set()
                before = dependencies(cfn, route.name) if wanted else None
                if before is not None and not wanted & before:
                    name = min(wanted)
                    yield path, f"{route.name} may be created before {name}; add DependsOn: {name}"
