"""E9122: the gateway of a route is attached to a VPC."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.deploy._attachments import GATEWAYS, attachments
from archlib.checks.rules.read import complete, named, resources


class RouteGateway(Rule):
    """A route leads to a gateway that no VPC has, and EC2 refuses it."""

    id = "E9122"
    shortdesc = "Routes lead to gateways that are attached"
    description = "Attach the gateway to the VPC with AWS::EC2::VPCGatewayAttachment."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcgatewayattachment.html"

    def find(self, cfn: Template) -> Found:
        """Yield each route to a gateway of this template that nothing attaches."""
        gateways, attached = resources(cfn, *GATEWAYS), attachments(cfn)
        if attached is None or not complete(cfn):
            return
        for route in resources(cfn, "AWS::EC2::Route").values():
            for path, value in route.find("GatewayId"):
                gateway = named(value, gateways)
                if gateway and gateway.name not in attached:
                    yield path, f"{gateway.name} is attached to no VPC; add an AWS::EC2::VPCGatewayAttachment"
