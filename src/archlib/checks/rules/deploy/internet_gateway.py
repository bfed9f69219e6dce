"""E9110: what faces the internet is in a VPC with an internet gateway."""

from __future__ import annotations

from collections.abc import Iterator

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, Resource, complete, named, resources


class InternetGateway(Rule):
    """An internet-facing load balancer or a public NAT gateway is in a VPC without internet gateway."""

    id = "E9110"
    shortdesc = "Public load balancers and NAT gateways need an internet gateway"
    description = "Attach an AWS::EC2::InternetGateway to the VPC, or make the load balancer or NAT gateway private."
    source_url = "https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html"

    def find(self, cfn: Template) -> Found:
        """Yield each public resource in a VPC of this template that nothing connects to the internet."""
        if not complete(cfn):
            return
        vpcs, subnets = resources(cfn, "AWS::EC2::VPC"), resources(cfn, "AWS::EC2::Subnet")
        attachments = [
            attachment
            for attachment in resources(cfn, "AWS::EC2::VPCGatewayAttachment").values()
            if "InternetGatewayId" in attachment.properties
        ]
        homes = [named(attachment.get("VpcId"), vpcs) for attachment in attachments]
        if None in homes:  # attached to what cannot be told
            return
        closed = set(vpcs) - {vpc.name for vpc in homes if vpc}
        for public, path, value in _public(cfn):
            subnet = named(value, subnets)
            vpc = named(subnet.get("VpcId"), vpcs) if subnet else None
            if vpc and vpc.name in closed:
                closed_to = f"{public.name} faces the internet, but {vpc.name} has no internet gateway"
                yield path, f"{closed_to}; attach one, or make {public.name} private"


def _public(cfn: Template) -> Iterator[tuple[Resource, Path, object]]:
    """Yield each public resource with one of its subnets."""
    for balancer in resources(cfn, "AWS::ElasticLoadBalancingV2::LoadBalancer").values():
        hidden = balancer.properties.get("Type") == "gateway"
        if not hidden and balancer.properties.get("Scheme", "internet-facing") == "internet-facing":
            for path, value in list(balancer.find("Subnets", "*"))[:1]:
                yield balancer, path, value
    for nat in resources(cfn, "AWS::EC2::NatGateway").values():
        if nat.properties.get("ConnectivityType", "public") == "public":
            for path, value in nat.find("SubnetId"):
                yield nat, path, value
