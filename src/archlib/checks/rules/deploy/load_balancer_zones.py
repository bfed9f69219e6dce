"""E9107: the subnets of a load balancer are in different availability zones."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import named, resources


class LoadBalancerZones(Rule):
    """Two subnets of a load balancer are in the same availability zone."""

    id = "E9107"
    shortdesc = "A load balancer has one subnet in each zone"
    description = "Give the load balancer one subnet for each availability zone."
    source_url = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-subnets.html"

    def find(self, cfn: Template) -> Found:
        """Yield each subnet whose zone is taken."""
        subnets = resources(cfn, "AWS::EC2::Subnet")
        for balancer in resources(cfn, "AWS::ElasticLoadBalancingV2::LoadBalancer").values():
            zones: dict[str, str] = {}
            for index, value in enumerate(balancer.plain("Subnets") or ()):
                subnet = named(value, subnets)
                zone = subnet.get("AvailabilityZone") if subnet else None
                if subnet is None or zone is None or subnet.condition is not None:
                    continue
                other = zones.setdefault(str(zone), subnet.name)
                if other != subnet.name:
                    message = f"{subnet.name} is in the same availability zone as {other}; use one subnet for each zone"
                    yield balancer.path("Subnets", index), message
