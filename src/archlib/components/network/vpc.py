"""Virtual private clouds: new ones, and those that exist already."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Literal

from troposphere import Cidr, GetAZs, Ref, Select, Tags, ec2

from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.network.endpoints import GATEWAY_SERVICES, Endpoints, calling, check_services, service_name
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Check, Component, checking
from archlib.core.origin import here
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value
from archlib.errors import Problem, WiringError
from archlib.wiring.binding import Binding, Grant, PrefixList

Nat = Literal["none", "one", "per-zone"]
Tier = Literal["private", "isolated", "public"]

_TIERS: tuple[Tier, ...] = ("private", "isolated", "public")
_NATS = ("none", "one", "per-zone")
_RANGES = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
_PREFIX_LARGEST = 16
# The smallest blocks that leave each subnet the /28 EC2 asks for, and a public one the /27 load balancers ask for.
_PREFIX_SMALLEST, _PREFIX_SMALLEST_PUBLIC = 24, 23
_ZONES = (2, 4)
_ANYWHERE, _ANYWHERE_V6 = "0.0.0.0/0", "::/0"
_PREFIX_LIST = re.compile(r"pl-[0-9a-f]{8,17}")


def split(cidr: str) -> dict[Tier, tuple[str, ...]]:
    """Return the subnets of ``cidr`` for up to four zones: half of it private, a quarter isolated, a quarter public.

    The plan always holds every tier and zone, so that adding one later moves no subnet that exists.
    """
    private, rest = IPv4Network(cidr).subnets()
    isolated, public = rest.subnets()
    blocks = zip(_TIERS, (private, isolated, public), strict=True)
    return {tier: tuple(map(str, block.subnets(prefixlen_diff=2))) for tier, block in blocks}


class Vpc(Component):
    """A VPC with private and isolated subnets in several zones; public ones and NAT only when asked for.

    Creates ``<Name>Vpc`` and, for each zone ``N``, ``<Name>PrivateSubnetN`` with ``<Name>PrivateRouteTableN`` and
    ``<Name>IsolatedSubnetN``, which share ``<Name>IsolatedRouteTable``; a ``<Name><Tier>SubnetNAssociation`` joins
    each subnet with its table. ``<Name>S3Endpoint`` and ``<Name>DynamodbEndpoint`` are the free gateway endpoints;
    ``<Name>FlowLog`` with ``<Name>VpcLogGroup``, ``<Name>VpcRole`` and ``<Name>VpcPolicy`` records all traffic.

    With public subnets, and behind CloudFront, also ``<Name>InternetGateway`` and ``<Name>InternetGatewayAttachment``;
    with public subnets ``<Name>PublicSubnetN``,
    ``<Name>PublicRouteTable`` and ``<Name>PublicRoute``; with NAT ``<Name>NatGatewayN``, ``<Name>NatAddressN`` and
    ``<Name>PrivateRouteN``; with IPv6 ``<Name>Ipv6Block``, ``<Name>EgressGateway``, ``<Name>PublicRouteIpv6`` and
    ``<Name>PrivateRouteIpv6N``; with endpoints the parts of :class:`Endpoints`.

    Security groups in it open nothing by themselves. A function joins with the way to AWS APIs that
    :meth:`for_aws_apis` describes: the interface endpoints, and S3 and DynamoDB only if ``prefix_lists`` says where
    they are. CloudFormation cannot tell the prefix lists of gateway endpoints, and they differ from region to region:
    ``aws ec2 describe-managed-prefix-lists`` lists them.

    See https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-best-practices.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        cidr: the private IPv4 block, /16 to /24; /23 or larger with public subnets.
        zones: availability zones, 2 to 4; the region must have as many.
        nat: NAT gateways for the private subnets: ``none``, ``one`` (its zone can fail for all), or ``per-zone``; each
            about 33 USD a month and traffic.
        public: public subnets for load balancers; NAT brings them anyway.
        ipv6: an IPv6 block of AWS for all subnets, from which interfaces must ask for their address; private subnets
            get a way out that nobody can come in by.
        endpoints: services to reach by interface endpoints, such as ``sqs`` and ``secretsmanager``.
        prefix_lists: ``s3`` and ``dynamodb`` -> id of the region's prefix list (``pl-...``), for functions and
            services in the VPC to reach them by the gateway endpoints.
        log_retention_days: days a flow log record is kept.
        key: the KMS key of the flow logs; the app's by default.

    Attributes:
        resource: the ``AWS::EC2::VPC``.
        private_subnets: ids of the subnets for code.
        isolated_subnets: ids of the subnets for data, from which no route leads out of the VPC.
        public_subnets: ids of the subnets for load balancers; empty unless asked for.
        endpoints: its :class:`Endpoints`, None without.

    Raises:
        SettingsError: a setting is outside its range, or the block cannot be split.
    """

    kind = "Vpc"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        cidr: str = "10.0.0.0/16",
        zones: int = 2,
        nat: Nat = "none",
        public: bool = False,
        ipv6: bool = False,
        endpoints: Sequence[str] = (),
        prefix_lists: Mapping[str, str] | None = None,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        public = public or nat != "none"
        with self.checking() as check:
            smallest = _PREFIX_SMALLEST_PUBLIC if public else _PREFIX_SMALLEST
            check.that(
                _fits(cidr, smallest),
                "cidr", f"a private IPv4 block of /{_PREFIX_LARGEST} to /{smallest} without host bits", cidr,
                "take 10.0.0.0/16 or a part of it",
            )  # fmt: skip
            check.between("zones", zones, *_ZONES)
            check.one_of("nat", nat, _NATS)
            check_services(check, "endpoints", endpoints)
            check_retention(check, log_retention_days)
            _check_prefix_lists(check, prefix_lists or {})
        self._plan, self._zones, self._ipv6 = split(cidr), range(1, zones + 1), ipv6
        self._prefix_lists = dict(prefix_lists or {})
        self._nat = nat
        self._asked: Problem | None = None
        self.endpoints: Endpoints | None = None

        self.resource = ec2.VPC(
            self.id(), CidrBlock=cidr, EnableDnsHostnames=True, EnableDnsSupport=True, Tags=self._named("vpc")
        )
        suppress(self.resource, "default-sg-unused")
        self.add(self.resource)
        if ipv6:
            self.add(ec2.VPCCidrBlock(self.id("Ipv6Block"), AmazonProvidedIpv6CidrBlock=True, VpcId=self.vpc_id))
        self.public_subnets = self._public() if public else ()
        self.isolated_subnets = self._subnets("isolated", [self._table("IsolatedRouteTable")] * zones)
        self.private_subnets = self._private({"none": 0, "one": 1, "per-zone": zones}[nat])
        self._log_flows(log_retention_days, key or Key.of(stack))
        if endpoints:
            self.add_endpoints(*endpoints)

    @classmethod
    def lookup(
        cls,
        *,
        vpc_id: Value,
        private_subnets: Sequence[Value],
        isolated_subnets: Sequence[Value] = (),
        public_subnets: Sequence[Value] = (),
        endpoints_group: Value | None = None,
        prefix_lists: Mapping[str, str] | None = None,
        internet: bool = False,
    ) -> ExistingVpc:
        """Return a VPC that exists already, as components see it.

        Args:
            vpc_id: its id, ``vpc-...``.
            private_subnets: ids of the subnets for code.
            isolated_subnets: ids of the subnets for data; databases need two.
            public_subnets: ids of the subnets for load balancers.
            endpoints_group: id of the security group of its interface endpoints. To add endpoints, make
                :class:`Endpoints` in it and take :meth:`ExistingVpc.with_endpoints`.
            prefix_lists: as for a new VPC.
            internet: a route leads from the private subnets to the internet, through NAT.

        Raises:
            SettingsError: an id is malformed, or there is no private subnet.
        """
        with checking(f"vpc {vpc_id!r}") as check:
            _check_id(check, "vpc_id", vpc_id, "vpc")
            check.that(bool(private_subnets), "private_subnets", "one or more subnet ids", private_subnets)
            for role, subnets in (
                ("private_subnets", private_subnets),
                ("isolated_subnets", isolated_subnets),
                ("public_subnets", public_subnets),
            ):
                for subnet in subnets:
                    _check_id(check, role, subnet, "subnet")
            if endpoints_group is not None:
                _check_id(check, "endpoints_group", endpoints_group, "sg")
            _check_prefix_lists(check, prefix_lists or {})
        return ExistingVpc(
            vpc_id, private_subnets, isolated_subnets, public_subnets, endpoints_group, prefix_lists or {}, internet
        )

    @property
    def vpc_id(self) -> Value:
        """Id of the VPC."""
        return self.ref()

    @property
    def cidr(self) -> Value:
        """Its block of addresses."""
        return self.attribute("CidrBlock")

    def add_endpoints(self, *services: str) -> None:
        """Reach ``services`` by interface endpoints, see :class:`Endpoints`.

        Raises:
            WiringError: these are the first, and a component joined the network without them before.
        """
        if self.endpoints is not None:
            self.endpoints.include(*services)
        elif self._asked:
            raise WiringError(self._asked)
        else:
            self.endpoints = Endpoints(self.stack, self.name, network=self, services=services)

    def for_aws_apis(self) -> Binding | None:
        """Return what a caller inside needs to reach AWS APIs privately; None if there is no way."""
        if self.endpoints is None and self._asked is None:
            self._asked = Problem(
                f"{self}: endpoints must exist before a component joins the network, but one joined already; "
                "name them in the endpoints of the network",
                here(),
            )
        group = self.endpoints.group_id if self.endpoints else None
        return _apis(self.name, group, self._prefix_lists)

    def for_gateway(self, service: Literal["s3", "dynamodb"]) -> Binding:
        """Return what a caller inside needs to reach ``service`` by its gateway endpoint."""
        return _gateway(self.name, service, self._prefix_lists)

    def for_internet(self) -> Binding:
        """Return what a caller inside needs to open HTTPS connections to the internet, through NAT.

        This opens port 443 to every address, which scanners report on the caller's rule.

        Raises:
            WiringError: no route leads from the private subnets to the internet.
        """
        ranges = {"Anywhere": _ANYWHERE} if self._nat != "none" else {}
        if self._ipv6:
            ranges["AnywhereIpv6"] = _ANYWHERE_V6
        if not ranges:
            raise WiringError(f"{self}: nat must be 'one' or 'per-zone' to reach the internet, got 'none'; choose one")
        return _internet(self.name, ranges)

    def _subnets(self, tier: Tier, tables: Sequence[Ref]) -> tuple[Ref, ...]:
        role = f"{tier.capitalize()}Subnet"
        # Every tier and zone has its place in the IPv6 block too.
        first = _TIERS.index(tier) * _ZONES[1]
        for zone, cidr, table in zip(self._zones, self._plan[tier], tables, strict=False):
            subnet = ec2.Subnet(
                self.id(f"{role}{zone}"),
                AvailabilityZone=Select(str(zone - 1), GetAZs("")),
                CidrBlock=cidr,
                MapPublicIpOnLaunch=False,
                Tags=self._named(f"{tier}-{zone}"),
                VpcId=self.vpc_id,
            )
            if self._ipv6:
                blocks = Cidr(Select("0", self.attribute("Ipv6CidrBlocks")), str(len(_TIERS) * _ZONES[1]), "64")
                subnet.Ipv6CidrBlock = Select(str(first + zone - 1), blocks)
                subnet.DependsOn = self.id("Ipv6Block")
            self.add(subnet)
            self.add(
                ec2.SubnetRouteTableAssociation(
                    self.id(f"{role}{zone}Association"), RouteTableId=table, SubnetId=subnet.ref()
                )
            )
        return tuple(self.ref(f"{role}{zone}") for zone in self._zones)

    def attach(self) -> str:
        """Attach an internet gateway, and return the logical id to wait for; by itself it leads nowhere.

        Load balancers that face the internet and VPC origins of CloudFront need one.
        """
        title = self.id("InternetGatewayAttachment")
        if title not in self.stack.template.resources:
            self.add(ec2.InternetGateway(self.id("InternetGateway")))
            self.add(ec2.VPCGatewayAttachment(title, InternetGatewayId=self.ref("InternetGateway"), VpcId=self.vpc_id))
        return title

    def _public(self) -> tuple[Ref, ...]:
        self.attach()
        table = self._table("PublicRouteTable")
        routes = [self._route("PublicRoute", table, _ANYWHERE)]
        if self._ipv6:
            routes.append(self._route("PublicRouteIpv6", table, _ANYWHERE_V6))
        for route in routes:
            route.GatewayId = self.ref("InternetGateway")
            route.DependsOn = self.id("InternetGatewayAttachment")
            suppress(route, "public-subnet-route")
        return self._subnets("public", [table] * len(self._zones))

    def _private(self, gateways: int) -> tuple[Ref, ...]:
        tables = [self._table(f"PrivateRouteTable{zone}") for zone in self._zones]
        for zone in range(1, gateways + 1):
            # Made after the VPC is attached to the internet, and removed before it is detached.
            self.add(
                ec2.EIP(self.id(f"NatAddress{zone}"), Domain="vpc", DependsOn=self.id("InternetGatewayAttachment"))
            )
            self.add(
                ec2.NatGateway(
                    self.id(f"NatGateway{zone}"),
                    AllocationId=self.attribute("AllocationId", f"NatAddress{zone}"),
                    SubnetId=self.public_subnets[zone - 1],
                    DependsOn=self.id("PublicRoute"),
                )
            )
        if self._ipv6:
            self.add(ec2.EgressOnlyInternetGateway(self.id("EgressGateway"), VpcId=self.vpc_id))
        for zone, table in zip(self._zones, tables, strict=True):
            if gateways:
                route = self._route(f"PrivateRoute{zone}", table, _ANYWHERE)
                route.NatGatewayId = self.ref(f"NatGateway{min(zone, gateways)}")
            if self._ipv6:
                route = self._route(f"PrivateRouteIpv6{zone}", table, _ANYWHERE_V6)
                route.EgressOnlyInternetGatewayId = self.ref("EgressGateway")
        for service in GATEWAY_SERVICES:
            self.add(
                ec2.VPCEndpoint(
                    self.id(f"{service.capitalize()}Endpoint"),
                    RouteTableIds=tables,
                    ServiceName=service_name(service),
                    VpcEndpointType="Gateway",
                    VpcId=self.vpc_id,
                )
            )
        return self._subnets("private", tables)

    def _table(self, role: str) -> Ref:
        return self.add(ec2.RouteTable(self.id(role), VpcId=self.vpc_id)).ref()

    def _route(self, role: str, table: Ref, destination: str) -> ec2.Route:
        route = ec2.Route(self.id(role), RouteTableId=table)
        if destination == _ANYWHERE_V6:
            route.DestinationIpv6CidrBlock = destination
        else:
            route.DestinationCidrBlock = destination
        return self.add(route)

    def _named(self, part: str) -> Tags:
        app = self.stack.app
        return Tags(Name=f"{app.name}-{app.environment}-{self.name}-{part}")

    def _log_flows(self, retention_days: int, key: Key) -> None:
        part = f"{self.name}-vpc"
        group = LogGroup(self.stack, part, retention_days=retention_days, key=key)
        role = Role(self.stack, part, service="vpc-flow-logs", description=f"Writes the flow logs of {self}")
        role.connect(group.for_writing())
        role.allow(Grant(("logs:DescribeLogStreams",), (group.attribute("Arn"),)), why=f"flow logs of {self}")
        self.add(
            ec2.FlowLog(
                self.id("FlowLog"),
                DeliverLogsPermissionArn=role.arn,
                LogDestinationType="cloud-watch-logs",
                LogGroupName=group.group_name,
                ResourceId=self.vpc_id,
                ResourceType="VPC",
                TrafficType="ALL",
                DependsOn=role.policy,
            )
        )


@dataclass(frozen=True, slots=True)
class ExistingVpc:
    """A VPC that exists already; see :meth:`Vpc.lookup`.

    Attributes:
        vpc_id: id of the VPC.
        private_subnets: ids of the subnets for code.
        isolated_subnets: ids of the subnets for data.
        public_subnets: ids of the subnets for load balancers.
        endpoints_group: id of the security group of its interface endpoints.
        prefix_lists: ``s3`` and ``dynamodb`` -> id of the region's prefix list.
        internet: the private subnets have a way to the internet, through NAT.
    """

    vpc_id: Value
    private_subnets: Sequence[Value]
    isolated_subnets: Sequence[Value] = ()
    public_subnets: Sequence[Value] = ()
    endpoints_group: Value | None = None
    prefix_lists: Mapping[str, str] = field(default_factory=dict)
    internet: bool = False

    def with_endpoints(self, endpoints: Endpoints) -> ExistingVpc:
        """Return the same VPC, whose components reach AWS APIs by ``endpoints``."""
        return replace(self, endpoints_group=endpoints.group_id)

    def for_aws_apis(self) -> Binding | None:
        """Return what a caller inside needs to reach AWS APIs privately; None if there is no way."""
        return _apis("vpc", self.endpoints_group, self.prefix_lists)

    def attach(self) -> None:
        """Do nothing: a VPC that holds what faces the internet must have its internet gateway already."""

    def for_gateway(self, service: Literal["s3", "dynamodb"]) -> Binding:
        """Return what a caller inside needs to reach ``service`` by a gateway endpoint, which the VPC must have."""
        return _gateway("vpc", service, self.prefix_lists)

    def for_internet(self) -> Binding:
        """Return what a caller inside needs to open HTTPS connections to the internet, through NAT.

        Raises:
            WiringError: no route leads from the private subnets to the internet.
        """
        if not self.internet:
            raise WiringError(f"vpc {self.vpc_id!r}: internet must be true to reach the internet, got false; set it")
        return _internet("vpc", {"Anywhere": _ANYWHERE})


def _apis(name: str, group_id: Value | None, prefix_lists: Mapping[str, str]) -> Binding | None:
    if group_id is None and not prefix_lists:
        return None
    return replace(
        calling(name, group_id), ranges={key.capitalize(): PrefixList(key, prefix_lists[key]) for key in prefix_lists}
    )


def _gateway(name: str, service: str, prefix_lists: Mapping[str, str]) -> Binding:
    target = f"{name}-{service}"
    return Binding(
        target,
        f"calling {service} from {name!r}",
        ports=(443,),
        ranges={service.capitalize(): PrefixList(service, prefix_lists.get(service))},
    )


def _internet(name: str, ranges: Mapping[str, str]) -> Binding:
    return Binding(f"{name}-internet", f"the internet from {name!r}", ports=(443,), ranges=ranges)


def _fits(cidr: str, smallest: int) -> bool:
    try:
        block = IPv4Network(cidr)
    except ValueError:
        return False
    return _PREFIX_LARGEST <= block.prefixlen <= smallest and any(map(block.subnet_of, _RANGES))


def _check_prefix_lists(check: Check, prefix_lists: Mapping[str, str]) -> None:
    for service, prefix_list in prefix_lists.items():
        check.one_of("prefix_lists", service, GATEWAY_SERVICES)
        check.that(
            _PREFIX_LIST.fullmatch(prefix_list) is not None,
            f"prefix_lists.{service}", "the id of a prefix list, pl-...", prefix_list,
            f"aws ec2 describe-managed-prefix-lists shows that of com.amazonaws.<region>.{service}",
        )  # fmt: skip


def _check_id(check: Check, role: str, value: Value, prefix: str) -> None:
    ok = not isinstance(value, str) or re.fullmatch(rf"{prefix}-[0-9a-f]{{8,17}}", value) is not None
    check.that(ok, role, f"an id, {prefix}-...", value)
