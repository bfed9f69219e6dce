"""W9123: a public NAT gateway is in a public subnet."""

from __future__ import annotations

from collections import defaultdict

from cfnlint.template import Template

from archlib.checks.rules.deploy._read import Resource, complete, named, resources
from archlib.checks.rules.deploy._rule import Found, Rule


class NatSubnet(Rule):
    """A NAT gateway is in a subnet that has no route to an internet gateway."""

    id = "W9123"
    shortdesc = "Public NAT gateways are in public subnets"
    description = "Put the NAT gateway into a subnet whose route table leads to the internet gateway."
    source_url = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html"

    def find(self, cfn: Template) -> Found:
        """Yield each NAT gateway that cannot reach the internet."""
        if not complete(cfn):
            return
        subnets, tables = resources(cfn, "AWS::EC2::Subnet"), resources(cfn, "AWS::EC2::RouteTable")
        routes: dict[str, list[Resource]] = defaultdict(list)
        for route in resources(cfn, "AWS::EC2::Route").values():
            if table := named(route.get("RouteTableId"), tables):
                routes[table.name].append(route)
        table_of = {
            subnet.name: table.name
            for association in resources(cfn, "AWS::EC2::SubnetRouteTableAssociation").values()
            if (subnet := named(association.get("SubnetId"), subnets))
            if (table := named(association.get("RouteTableId"), tables))
        }
        for nat in resources(cfn, "AWS::EC2::NatGateway").values():
            subnet = named(nat.get("SubnetId"), subnets)
            if (
                nat.properties.get("ConnectivityType", "public") != "public"
                or not subnet
                or subnet.name not in table_of
            ):
                continue
            table_name = table_of[subnet.name]
            if not any("GatewayId" in route.properties for route in routes[table_name]):
                message = f"{table_name}, the route table of {subnet.name}, does not lead to an internet gateway"
                yield nat.path("SubnetId"), f"{message}; use a public subnet"
