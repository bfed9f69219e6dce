"""Private ways from a VPC to the APIs of AWS services."""

from __future__ import annotations

import re
from collections.abc import Sequence

from troposphere import ec2

from archlib.components.network.security_group import SecurityGroup
from archlib.components.network.services import SERVICES
from archlib.core.assembly import nearest
from archlib.core.component import Check, Component
from archlib.core.naming import pascal
from archlib.core.stack import Stack
from archlib.core.values import REGION, Value, join
from archlib.wiring.binding import Binding
from archlib.wiring.roles import Network

GATEWAY_SERVICES = ("s3", "dynamodb")
_FULL_NAME = re.compile(r"[a-z]+(\.[a-z]+)+\.[a-z]+(-[a-z]+)+-\d(\.[a-z0-9-]+)+")


class Endpoints(Component):
    """Interface endpoints of AWS services in the private subnets of a VPC, behind one security group.

    Creates ``<Name>EndpointsSecurityGroup`` and one ``<Name><Service>Endpoint`` per service. Their private DNS names
    replace the public ones inside the VPC, so that code needs no setting. One endpoint costs about 7 USD a month in
    each zone.

    S3 and DynamoDB are not offered here: they are reached through the free gateway endpoints of the VPC, and
    DynamoDB's interface endpoint has no private DNS.

    See https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html

    Args:
        stack: where the resources go.
        name: kebab-case; usually the name of the VPC.
        network: the VPC they are in.
        services: last part of the endpoint service names: ``secretsmanager``, ``sqs``, ``ecr.api`` for
            ``com.amazonaws.<region>.ecr.api``; others with their whole name, as ``aws.sagemaker.eu-west-1.studio``.

    Attributes:
        resource: the ``AWS::EC2::SecurityGroup``.
        group_id: its id.

    Raises:
        SettingsError: a service is unknown, or one that has a gateway endpoint.
    """

    kind = "Endpoints"

    def __init__(
        self, stack: Stack, name: str, *, network: Network, services: Sequence[str] = ("secretsmanager",)
    ) -> None:
        super().__init__(stack, name)
        self._network = network
        self._check(services)
        group = SecurityGroup(
            stack, f"{name}-endpoints", vpc_id=network.vpc_id, description="Endpoints of AWS services"
        )
        self.resource = group.resource
        self.group_id = group.group_id
        self.include(*services)

    def include(self, *services: str) -> None:
        """Add endpoints of more ``services``; those that exist stay as they are.

        Raises:
            SettingsError: a service is unknown, or one that has a gateway endpoint.
        """
        self._check(services)
        for service in services:
            title = self.id(f"{pascal(service.replace('.', '-'))}Endpoint")
            if title not in self.stack.template.resources:
                self.add(
                    ec2.VPCEndpoint(
                        title,
                        PrivateDnsEnabled=True,
                        SecurityGroupIds=[self.group_id],
                        ServiceName=service_name(service),
                        SubnetIds=list(self._network.private_subnets),
                        VpcEndpointType="Interface",
                        VpcId=self._network.vpc_id,
                    )
                )

    def for_calling(self) -> Binding:
        """Return what a caller needs to reach the services: port 443 of the endpoints. It gives no rights there."""
        return calling(self.name, self.group_id)

    def _check(self, services: Sequence[str]) -> None:
        with self.checking() as check:
            check_services(check, "services", services)


def check_services(check: Check, field: str, services: Sequence[str]) -> None:
    """Note services that have no interface endpoint, or do not need one."""
    for service in services:
        if service in GATEWAY_SERVICES:
            advice = "leave it out: it is reached by the gateway endpoint that every network has"
            check.that(False, field, "services without a gateway endpoint", service, advice)
        elif service not in SERVICES:
            close = nearest(service, sorted(SERVICES)).removeprefix("; ")
            check.that(
                _FULL_NAME.fullmatch(service),
                field, "endpoint services such as 'sqs' or 'ecr.api'", service,
                close or "see aws ec2 describe-vpc-endpoint-services, and give a new one with its whole name",
            )  # fmt: skip


def calling(name: str, group_id: Value | None) -> Binding:
    """Return what a caller needs to reach AWS APIs through the endpoints ``name`` in the security group."""
    return Binding(f"{name}-endpoints", f"calling AWS APIs from {name!r}", ports=(443,), security_group=group_id)


def service_name(service: str) -> Value:
    """Return the full name of the endpoint service ``service`` in this region."""
    return service if _FULL_NAME.fullmatch(service) else join("com.amazonaws.", REGION, ".", service)
