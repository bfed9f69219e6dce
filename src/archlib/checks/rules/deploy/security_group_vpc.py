"""E9106: security groups belong to the VPC of the subnets they are used with."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Resource, named, resources

# type: where it lists its security groups, and where the subnets
_USERS = {
    "AWS::EC2::Instance": (("SecurityGroupIds",), ("SubnetId",)),
    "AWS::EC2::NetworkInterface": (("GroupSet",), ("SubnetId",)),
    "AWS::EC2::VPCEndpoint": (("SecurityGroupIds",), ("SubnetIds",)),
    "AWS::ECS::Service": (
        ("NetworkConfiguration", "AwsvpcConfiguration", "SecurityGroups"),
        ("NetworkConfiguration", "AwsvpcConfiguration", "Subnets"),
    ),
    "AWS::EFS::MountTarget": (("SecurityGroups",), ("SubnetId",)),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (("SecurityGroups",), ("Subnets",)),
    "AWS::Lambda::Function": (("VpcConfig", "SecurityGroupIds"), ("VpcConfig", "SubnetIds")),
}


class SecurityGroupVpc(Rule):
    """A security group is in another VPC than the subnets next to it."""

    id = "E9106"
    shortdesc = "Security groups and subnets of a resource are in the same VPC"
    description = "Use a security group whose VpcId is the VPC of the subnets."
    source_url = "https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html"

    def find(self, cfn: Template) -> Found:
        """Yield each security group of another VPC."""
        vpcs = resources(cfn, "AWS::EC2::VPC")
        groups, subnets = resources(cfn, "AWS::EC2::SecurityGroup"), resources(cfn, "AWS::EC2::Subnet")
        for user in resources(cfn, *_USERS).values():
            at_groups, at_subnets = _USERS[user.type]
            networks = {vpc for vpc, _, _ in _used(user, at_subnets, subnets, vpcs)}
            for vpc, group, path in _used(user, at_groups, groups, vpcs):
                if networks and vpc not in networks:
                    message = f"{group} is in {vpc}, the subnets are in {min(networks)}; use a group of that VPC"
                    yield path, message


def _used(
    user: Resource, keys: tuple[str, ...], known: dict[str, Resource], vpcs: dict[str, Resource]
) -> list[tuple[str, str, tuple[str | int, ...]]]:
    """Return VPC, name and path of each of ``known`` that ``user`` lists under ``keys``."""
    found = []
    for path, value in (*user.find(*keys), *user.find(*keys, "*")):
        member = named(value, known)
        vpc = named(member.get("VpcId"), vpcs) if member else None
        if member and vpc:
            found.append((vpc.name, member.name, path))
    return found
