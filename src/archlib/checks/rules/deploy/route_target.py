"""E9121: a route leads somewhere."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources

_NOT_TARGETS = {"RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"}


class RouteTarget(Rule):
    """A route has no target."""

    id = "E9121"
    shortdesc = "Routes have a target"
    description = "Add where the traffic goes: GatewayId, NatGatewayId, TransitGatewayId or another target."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-route.html"

    def find(self, cfn: Template) -> Found:
        """Yield each route without target."""
        for route in resources(cfn, "AWS::EC2::Route").values():
            keys = set(route.properties) - _NOT_TARGETS
            if not any(str(key).startswith("Fn::") or list(route.find(key)) for key in keys):
                yield route.path(), f"route {route.name} leads nowhere; add GatewayId, NatGatewayId or another target"
