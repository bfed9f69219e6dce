"""Network load balancers: TCP, TLS and UDP, at addresses that stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from troposphere import ec2
from troposphere import elasticloadbalancingv2 as elb

from archlib.components.balancing.application import TLS_POLICY
from archlib.components.balancing.target_groups import Balancer, HealthCheck, add_balancer, attributes, public_way
from archlib.components.network.security_group import SecurityGroup
from archlib.components.observability.access_logs import AccessLogs
from archlib.core.component import Component
from archlib.core.formats import check_certificate
from archlib.core.naming import pascal
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value
from archlib.errors import WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding, TargetGroup
from archlib.wiring.connect import open_ports
from archlib.wiring.roles import Backend, Network
from archlib.wiring.watch import Watch

Protocol = Literal["TCP", "TLS", "UDP", "TCP_UDP"]

_PROTOCOLS = ("TCP", "TLS", "UDP", "TCP_UDP")
_PORTS = (1, 65_535)
_DRAIN = (timedelta(0), timedelta(hours=1))


class NetworkLoadBalancer(Balancer, Component):
    """A network load balancer, which passes connections on without looking into them.

    Creates ``<Name>LoadBalancer`` and ``<Name>LoadBalancerSecurityGroup``; with ``fixed_addresses`` ``<Name>AddressN``
    for each zone.

    :meth:`forward` creates ``<Target><Name>TargetGroup`` and ``<Target><Name>Listener`` in the stack of the target.

    See https://docs.aws.amazon.com/elasticloadbalancing/latest/network/introduction.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        network: the VPC; in its public subnets if it faces the internet, else in the private ones.
        internal: it is reached from inside the network only, by those who are connected to it.
        fixed_addresses: one elastic IP address in each zone, for those who must write addresses into a firewall.
        cross_zone: spread connections over the targets of all zones; traffic between zones costs.

    Attributes:
        resource: the ``AWS::ElasticLoadBalancingV2::LoadBalancer``.
        security_group: id of its security group.

    Raises:
        SettingsError: the network has too few subnets, or an internal one would have fixed addresses.
    """

    kind = "LoadBalancer"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        internal: bool = False,
        fixed_addresses: bool = False,
        cross_zone: bool = True,
    ) -> None:
        super().__init__(stack, name)
        subnets = network.private_subnets if internal else network.public_subnets
        with self.checking() as check:
            check.that(
                len(subnets) > 1,
                "network", f"one with {'private' if internal else 'public'} subnets in two zones", len(subnets),
            )  # fmt: skip
            check.that(not (internal and fixed_addresses), "fixed_addresses", "false for an internal one", True)
        self.internal = internal
        self.network = network
        self._forwarded: dict[int, tuple[str, TargetGroup]] = {}
        logs = AccessLogs.of(stack.app)
        logs.admit_network_load_balancer(name)
        group = SecurityGroup(stack, f"{name}-load-balancer", vpc_id=network.vpc_id, description=f"Traffic to {name}")
        self._own_group = group
        self.security_group = group.group_id
        self.resource = elb.LoadBalancer(
            self.id(),
            LoadBalancerAttributes=attributes(
                elb.LoadBalancerAttributes,
                {
                    "access_logs.s3.bucket": logs.bucket_name,
                    "access_logs.s3.enabled": "true",
                    "access_logs.s3.prefix": name,
                    "deletion_protection.enabled": "true" if stack.app.removal == "Retain" else "false",
                    "load_balancing.cross_zone.enabled": "true" if cross_zone else "false",
                },
            ),
            Scheme="internal" if internal else "internet-facing",
            SecurityGroups=[group.group_id],
            Type="network",
            DependsOn=[logs.policy, *public_way(network, internal=internal)],
        )
        if fixed_addresses:
            for zone in range(1, len(subnets) + 1):
                self.add(ec2.EIP(self.id(f"Address{zone}"), Domain="vpc"))
            self.resource.SubnetMappings = [
                elb.SubnetMapping(AllocationId=self.attribute("AllocationId", f"Address{zone}"), SubnetId=subnet)
                for zone, subnet in enumerate(subnets, 1)
            ]
        else:
            self.resource.Subnets = list(subnets)
        if not internal:
            suppress(self.resource, "public-entry-point")
        add_balancer(self, self.resource)

    def for_calling(self, port: int) -> Binding:
        """Return what a caller inside the network needs to connect to ``port``, and ``<NAME>_HOST``.

        Raises:
            WiringError: nothing is forwarded from that port.
        """
        if port not in self._forwarded:
            raise WiringError(f"{self}: port must be one that is forwarded, got {port}; call forward() first")
        return Binding(
            self.name,
            f"connecting to {self}",
            environment={"HOST": self.dns_name},
            ports=(port,),
            security_group=self.security_group,
        )

    def forward(
        self,
        target: Backend,
        *,
        port: int,
        protocol: Protocol = "TCP",
        certificate: Value | None = None,
        health: HealthCheck | None = None,
        drain: timedelta = timedelta(seconds=60),
        keep_client_address: bool = False,
    ) -> TargetGroup:
        """Pass what arrives at ``port`` on to ``target``; everything but the way in is in the stack of the target.

        Args:
            target: a service or a group of instances.
            port: TCP or UDP port to listen on, 1 to 65535.
            protocol: ``TCP``, ``TLS`` (which ends here), ``UDP`` or ``TCP_UDP``.
            certificate: ARN of the certificate, for ``TLS`` and only there.
            health: asks by HTTP whether a target is well; by default it is as long as it takes connections.
            drain: how long a target that leaves may finish what it has begun, 0 seconds to 1 hour.
            keep_client_address: targets see the client's address as the sender's.

        Raises:
            SettingsError: a setting is outside its range.
            WiringError: the port is forwarded already.
        """
        with self.checking() as check:
            check.between("port", port, *_PORTS)
            check.one_of("protocol", protocol, _PROTOCOLS)
            check.between("drain", drain, *_DRAIN)
            check.that(
                (protocol == "TLS") == (certificate is not None),
                "certificate", "given for TLS, and only for TLS", certificate,
            )  # fmt: skip
            check_certificate(check, "certificate", certificate, region=self.stack.region)
            if health is not None:
                health.check(check)
        if port in self._forwarded:
            raise WiringError(f"{self}: port must be forwarded once, got {port} for {target.name!r} too; take another")
        pair = f"{pascal(target.name)}{pascal(self.name)}"
        group = elb.TargetGroup(
            f"{pair}TargetGroup",
            Port=target.port,
            Protocol="TCP" if protocol == "TLS" else protocol,
            TargetGroupAttributes=attributes(
                elb.TargetGroupAttribute,
                {
                    "deregistration_delay.timeout_seconds": str(seconds(drain)),
                    "preserve_client_ip.enabled": "true" if keep_client_address or "UDP" in protocol else "false",
                },
            ),
            TargetType=target.target_type,
            VpcId=target.network.vpc_id,
        )
        (health or HealthCheck()).apply(group, http=health is not None)
        target.stack.add(group)
        listener = elb.Listener(
            f"{pair}Listener",
            DefaultActions=[elb.Action(Type="forward", TargetGroupArn=group.ref())],
            LoadBalancerArn=self.arn,
            Port=port,
            Protocol=protocol,
        )
        if certificate is not None:
            listener.Certificates = [elb.Certificate(CertificateArn=certificate)]
            listener.SslPolicy = TLS_POLICY
        target.stack.add(listener)
        if not self.internal:
            for transport in ("udp",) if protocol == "UDP" else ("tcp", "udp") if protocol == "TCP_UDP" else ("tcp",):
                self._own_group.admit_everyone(port, protocol=transport)
        way = Binding(
            target.name, f"traffic to {target.name!r}", ports=(target.port,), security_group=target.security_group
        )
        open_ports(self.name, self.security_group, way, stack=target.stack)
        made = TargetGroup(
            group.ref(), group.get_att("TargetGroupFullName"), self.full_name, f"{pair}Listener", drain, requests=False
        )
        self._forwarded[port] = (target.name, made)
        target.join(made)
        return made

    def watches(self) -> Sequence[Watch]:
        """Return what shows that nobody is well, or that ports run out."""
        namespace, dimensions = "AWS/NetworkELB", {"LoadBalancer": self.full_name}
        return [
            Watch("ports", f"Connections of {self} without a free port", namespace, "PortAllocationErrorCount",
                  dimensions, "Sum", 1),
            *(
                Watch(f"{name}-unhealthy", f"Targets of {name!r} that are not well", namespace, "UnHealthyHostCount",
                      group.dimensions, "Maximum", 1, period=timedelta(minutes=1), periods=5)
                for name, group in self._forwarded.values()
            ),
        ]  # fmt: skip
