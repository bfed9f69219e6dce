"""Gateway load balancers: traffic takes a detour through firewall appliances."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from troposphere import ec2
from troposphere import elasticloadbalancingv2 as elb

from archlib.components.balancing.target_groups import HealthCheck, add_balancer, attributes
from archlib.core.component import Component
from archlib.core.naming import check_name, pascal
from archlib.core.stack import Stack
from archlib.core.values import REGION, Value, join
from archlib.errors import WiringError
from archlib.units import seconds
from archlib.wiring.binding import TargetGroup
from archlib.wiring.roles import Backend, Network
from archlib.wiring.watch import Watch

_GENEVE = 6081
_DRAIN = (timedelta(0), timedelta(hours=1))


class GatewayLoadBalancer(Component):
    """A gateway load balancer with an endpoint service, before which traffic of other networks can be led.

    Creates ``<Name>LoadBalancer``, ``<Name>EndpointService`` and, for ``allowed``, ``<Name>EndpointPermissions``.
    :meth:`inspect` creates ``<Target><Name>TargetGroup``, ``<Target><Name>Listener`` and for each block of addresses
    ``<Target><Name>UdpIngressN`` and ``<Target><Name>TcpIngressN`` in the stack of the appliances; :meth:`endpoint`
    creates ``<Label><Name>Endpoint`` in the stack it is given.

    See https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/introduction.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        network: the VPC of the appliances; it is in the private subnets.
        cross_zone: spread traffic over the appliances of all zones.
        acceptance: somebody has to accept each endpoint that wants to connect.
        allowed: ARNs of accounts, users or roles that may make endpoints; those of this account always may.

    Attributes:
        resource: the ``AWS::ElasticLoadBalancingV2::LoadBalancer``.
    """

    kind = "LoadBalancer"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        cross_zone: bool = True,
        acceptance: bool = True,
        allowed: Sequence[str] = (),
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.that(
                len(network.private_subnets) > 1,
                "network", "one with private subnets in two zones", len(network.private_subnets),
            )  # fmt: skip
            check.that("*" not in allowed, "allowed", "named accounts, users or roles", allowed)
        self.network = network
        self._group: tuple[str, TargetGroup] | None = None
        self.resource = elb.LoadBalancer(
            self.id(),
            LoadBalancerAttributes=attributes(
                elb.LoadBalancerAttributes,
                {
                    "deletion_protection.enabled": "true" if stack.app.removal == "Retain" else "false",
                    "load_balancing.cross_zone.enabled": "true" if cross_zone else "false",
                },
            ),
            Subnets=list(network.private_subnets),
            Type="gateway",
        )
        add_balancer(self, self.resource)
        self.add(
            ec2.VPCEndpointService(
                self.id("EndpointService"), AcceptanceRequired=acceptance, GatewayLoadBalancerArns=[self.ref()]
            )
        )
        if allowed:
            self.add(
                ec2.VPCEndpointServicePermissions(
                    self.id("EndpointPermissions"),
                    AllowedPrincipals=list(allowed),
                    ServiceId=self.ref("EndpointService"),
                )
            )

    @property
    def service_name(self) -> Value:
        """Name of the endpoint service."""
        return join("com.amazonaws.vpce.", REGION, ".", self.ref("EndpointService"))

    def inspect(
        self,
        target: Backend,
        *,
        blocks: Sequence[Value],
        health: HealthCheck | None = None,
        drain: timedelta = timedelta(minutes=5),
    ) -> TargetGroup:
        """Send all traffic to the appliances ``target``, which must speak GENEVE.

        Args:
            target: the appliances; their port is that of the health check.
            blocks: the addresses (CIDR) of the load balancer's subnets, such as ``vpc.cidr``: it has no security group
                by which the appliances could let it in.
            health: asks by HTTP whether an appliance is well; by default it is as long as it takes connections.
            drain: how long an appliance that leaves goes on with its flows, 0 seconds to 1 hour.

        Raises:
            WiringError: there are appliances already.
        """
        with self.checking() as check:
            check.between("drain", drain, *_DRAIN)
            if health is not None:
                health.check(check)
        if self._group is not None:
            raise WiringError(f"{self}: there must be one group of appliances, got {target.name!r} too; remove one")
        pair = f"{pascal(target.name)}{pascal(self.name)}"
        group = elb.TargetGroup(
            f"{pair}TargetGroup",
            HealthCheckPort=str(target.port),
            Port=_GENEVE,
            Protocol="GENEVE",
            TargetGroupAttributes=attributes(
                elb.TargetGroupAttribute, {"deregistration_delay.timeout_seconds": str(seconds(drain))}
            ),
            TargetType=target.target_type,
            VpcId=target.network.vpc_id,
        )
        (health or HealthCheck()).apply(group, http=health is not None)
        target.stack.add(group)
        target.stack.add(
            elb.Listener(
                f"{pair}Listener",
                DefaultActions=[elb.Action(Type="forward", TargetGroupArn=group.ref())],
                LoadBalancerArn=self.ref(),
            )
        )
        made = TargetGroup(
            group.ref(), group.get_att("TargetGroupFullName"), None, f"{pair}Listener", drain, requests=False
        )
        for number, block in enumerate(blocks, 1):
            for protocol, port in (("udp", _GENEVE), ("tcp", target.port)):
                target.stack.add(
                    ec2.SecurityGroupIngress(
                        f"{pair}{protocol.capitalize()}Ingress{number}",
                        Description=f"{self.name} to {target.name} on {protocol} port {port}",
                        CidrIp=block,
                        GroupId=target.security_group,
                        IpProtocol=protocol,
                        FromPort=port,
                        ToPort=port,
                    )
                )
        self._group = (target.name, made)
        target.join(made)
        return made

    def endpoint(self, stack: Stack, label: str, *, vpc_id: Value, subnet: Value) -> ec2.VPCEndpoint:
        """Return an endpoint in ``subnet`` of a network, to which its route tables can lead traffic.

        Args:
            stack: where it goes, usually the stack of that network.
            label: kebab-case; tells it from the other endpoints.
            vpc_id: the network.
            subnet: id of the subnet, which should hold nothing else.
        """
        return stack.add(
            ec2.VPCEndpoint(
                f"{pascal(check_name(label, 'label'))}{pascal(self.name)}Endpoint",
                ServiceName=self.service_name,
                SubnetIds=[subnet],
                VpcEndpointType="GatewayLoadBalancer",
                VpcId=vpc_id,
            )
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that appliances are not well."""
        if self._group is None:
            return ()
        name, group = self._group
        dimensions = {"LoadBalancer": self.attribute("LoadBalancerFullName"), **group.dimensions}
        return (
            Watch("unhealthy", f"Appliances of {name!r} that are not well", "AWS/GatewayELB", "UnHealthyHostCount",
                  dimensions, "Maximum", 1, period=timedelta(minutes=1), periods=5),
        )  # fmt: skip
