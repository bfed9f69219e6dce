from archlib import Component, Stack
from archlib.components.network.endpoints import Endpoints
from archlib.components.network.security_group import SecurityGroup
from archlib.components.network.vpc import Vpc


def vpc(stack: Stack) -> Component:
    return Vpc(stack, "main")


def vpc_with_everything(stack: Stack) -> Component:
    return Vpc(
        stack,
        "main",
        zones=3,
        nat="per-zone",
        ipv6=True,
        endpoints=("secretsmanager", "ecr.api"),
        prefix_lists={"s3": "pl-63a5400a", "dynamodb": "pl-02cd2c6b"},
    )


def endpoints(stack: Stack) -> Component:
    network = Vpc.lookup(vpc_id="vpc-0123456789abcdef0", private_subnets=["subnet-0123456789abcdef0"])
    return Endpoints(stack, "apis", network=network)


def security_group(stack: Stack) -> Component:
    return SecurityGroup(stack, "main", vpc_id="vpc-0123456789abcdef0")


FACTORIES = (vpc, vpc_with_everything, endpoints, security_group)
