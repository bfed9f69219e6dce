"""W9123: a public NAT gateway is in a public subnet."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import complete, named, resources


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
        leads_out = {
            (named(route.get("RouteTableId"), tables) or route).name
            for route in resources(cfn, "AWS::EC2::Route").values()
            if "GatewayId" in route.properties
        }
        if leads_out - tables.keys():  # a route of a table that cannot be told
            return
        table_of = {
            subnet.name: table.name
            for association in resources(cfn, "AWS::EC2::SubnetRouteTableAssociation").values()
            if association.condition is None
            if (subnet := named(association.get("SubnetId"), subnets))
            if (table := named(association.get("RouteTableId"), tables))
        }
        for nat in resources(cfn, "AWS::EC2::NatGateway").values():
            if nat.properties.get("ConnectivityType", "public") != "public":
                continue
            subnet = named(nat.get("SubnetId"), subnets)
            table_name = table_of.get(subnet.name) if subnet else None
            if subnet and table_name and table_name not in leads_out:
                message = f"{table_name}, the route table of {subnet.name}, does not lead to an internet gateway"
                yield nat.path("SubnetId"), f"{message}; use a public subnet"
