"""VPC links: the way of HTTP APIs into a network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from troposphere import apigatewayv2

from archlib.components.apis.integrations import TIMEOUT
from archlib.components.network.security_group import SecurityGroup
from archlib.core.component import Check, Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import connect
from archlib.wiring.roles import Network


class VpcLink(Component):
    """The network interfaces through which an HTTP API reaches private load balancers.

    Creates ``<Name>VpcLink`` and ``<Name>VpcLinkSecurityGroup``, from which only what :meth:`connect` opens leads on.

    See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vpc-links.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        network: the VPC; the interfaces are in its private subnets.

    Attributes:
        resource: the ``AWS::ApiGatewayV2::VpcLink``.
        security_group: id of its security group.
    """

    kind = "VpcLink"

    def __init__(self, stack: Stack, name: str, *, network: Network) -> None:
        super().__init__(stack, name)
        group = SecurityGroup(
            stack, f"{name}-vpc-link", vpc_id=network.vpc_id, description=f"Requests of APIs through {name}"
        )
        self.security_group: Value | None = group.group_id
        self.resource = apigatewayv2.VpcLink(
            self.id(),
            Name=f"{stack.app.name}-{stack.app.environment}-{name}",
            SecurityGroupIds=[group.group_id],
            SubnetIds=list(network.private_subnets),
        )
        self.add(self.resource)

    def connect(self, *bindings: Binding) -> None:
        """Open the ports of ``bindings``, such as those of a load balancer."""
        connect(self, *bindings)

    def allow(self, grant: Grant, *, why: str) -> None:
        """Refuse: a link has no role.

        Raises:
            WiringError: always.
        """
        raise WiringError(f"{self}: has no role that could get rights for {why}, got {', '.join(grant.actions)}")

    def set_environment(self, key: str, value: Value) -> None:
        """Do nothing: a link runs no code that would need an address."""

    def set_secret(self, key: str, arn: Value) -> None:
        """Do nothing: a link runs no code that would need a secret."""


@dataclass(frozen=True, slots=True)
class PrivateListener:
    """Passes requests on to a listener of a private load balancer.

    Attributes:
        link: the link; its :meth:`VpcLink.connect` opens the way to the load balancer.
        listener: ARN of the listener, or of a Cloud Map service.
        server_name: for HTTPS listeners, the name that the certificate must have.
        timeout: how long to wait, 50 milliseconds to 29 seconds.
    """

    link: VpcLink
    listener: Value
    server_name: str | None = None
    timeout: timedelta = TIMEOUT[1]

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.between("target.timeout", self.timeout, *TIMEOUT)
