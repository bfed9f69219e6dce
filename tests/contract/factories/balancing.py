from dataclasses import dataclass
from typing import Literal

from archlib import Component, Stack
from archlib.components.balancing.application import ApplicationLoadBalancer
from archlib.components.balancing.gateway import GatewayLoadBalancer
from archlib.components.balancing.network import NetworkLoadBalancer
from archlib.components.balancing.target_groups import HealthCheck, Spread
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.security_group import SecurityGroup
from archlib.components.network.vpc import Vpc
from archlib.core.values import Value, arn
from archlib.units import parse_duration
from archlib.wiring.binding import TargetGroup
from archlib.wiring.roles import Network

CERTIFICATE = arn("acm", "certificate/00000000-0000-4000-8000-000000000000")


@dataclass(eq=False)
class Backend:
    """Something that answers on a port, as far as a load balancer sees it."""

    name: str
    stack: Stack
    network: Network
    security_group: Value
    port: int = 8080
    target_type: Literal["instance", "ip"] = "ip"
    moves: bool = False

    def join(self, group: TargetGroup) -> None:
        self.group = group


def backend(stack: Stack, name: str, network: Network) -> Backend:
    group = SecurityGroup(stack, name, vpc_id=network.vpc_id)
    return Backend(name, stack, network, group.group_id)


def application_load_balancer(stack: Stack) -> Component:
    return ApplicationLoadBalancer(stack, "public", network=Vpc(stack, "main", public=True), certificate=CERTIFICATE)


def application_load_balancer_with_everything(stack: Stack) -> Component:
    network = Vpc(stack, "main", public=True, ipv6=True)
    balancer = ApplicationLoadBalancer(
        stack, "public", network=network, certificate=CERTIFICATE, redirect_http=True, dual_stack=True
    )
    balancer.route(
        backend(stack, "orders", network),
        paths=["/orders/*"],
        hosts=["api.example.com"],
        methods=["GET", "POST"],
        headers={"X-Version": ["2"]},
        health=HealthCheck("/health"),
        spread=Spread("round_robin", parse_duration("1h"), parse_duration("30s")),
    )
    balancer.split({backend(stack, "blue", network): 90, backend(stack, "green", network): 10}, paths=["/shop/*"])
    balancer.route(Function(stack, "hello", code=Code(inline="def handler(e, c): pass")), paths=["/hello"])
    balancer.respond("robots", status=200, body="User-agent: *", paths=["/robots.txt"], priority=1)
    return balancer


def internal_load_balancer(stack: Stack) -> Component:
    return ApplicationLoadBalancer(stack, "inside", network=Vpc(stack, "main"), internal=True, certificate=CERTIFICATE)


def network_load_balancer(stack: Stack) -> Component:
    network = Vpc(stack, "main", public=True)
    balancer = NetworkLoadBalancer(stack, "public", network=network, fixed_addresses=True)
    balancer.forward(backend(stack, "game", network), port=443, protocol="TLS", certificate=CERTIFICATE)
    return balancer


def gateway_load_balancer(stack: Stack) -> Component:
    network = Vpc(stack, "main")
    balancer = GatewayLoadBalancer(stack, "inspection", network=network)
    balancer.inspect(backend(stack, "appliances", network), blocks=[network.cidr])
    balancer.endpoint(stack, "guarded", vpc_id=network.vpc_id, subnet=network.private_subnets[0])
    return balancer


FACTORIES = (
    application_load_balancer,
    application_load_balancer_with_everything,
    internal_load_balancer,
    network_load_balancer,
    gateway_load_balancer,
)
