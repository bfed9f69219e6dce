"""Records: what a name in a hosted zone stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from troposphere import route53

from archlib.components.edge.health_check import HealthCheck
from archlib.components.edge.zone import CLOUDFRONT_ZONE, ExistingZone, Zone
from archlib.core.component import Check, Component
from archlib.core.formats import check_domain
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.units import seconds
from archlib.wiring.roles import Addressed

RecordType = Literal["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"]

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_TTL = (timedelta(0), timedelta(days=7))
_WEIGHT_MAX = 255


@dataclass(frozen=True, slots=True)
class Alias:
    """What an alias record stands for, where it is not a component: the custom domain of an API.

    Attributes:
        dns_name: its own host name.
        hosted_zone_id: id of the zone that host name is in.
    """

    dns_name: Value
    hosted_zone_id: Value


@dataclass(frozen=True, slots=True)
class Failover:
    """Answer with this record while it is healthy, and with the secondary one otherwise.

    Attributes:
        role: ``primary``, which needs a health check unless it is an alias of a load balancer or an API, or
            ``secondary``.
    """

    role: Literal["primary", "secondary"]

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.one_of("routing.role", self.role, ("primary", "secondary"))

    def apply(self, record: route53.RecordSetType) -> None:
        """Set it on ``record``."""
        record.Failover = self.role.upper()


@dataclass(frozen=True, slots=True)
class Weighted:
    """Answer with this record for its share of the requests.

    Attributes:
        weight: its share in relation to the weights of the others, 0 to 255.
    """

    weight: int

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.between("routing.weight", self.weight, 0, _WEIGHT_MAX)

    def apply(self, record: route53.RecordSetType) -> None:
        """Set it on ``record``."""
        record.Weight = self.weight


@dataclass(frozen=True, slots=True)
class Latency:
    """Answer with the record whose region is the fastest to reach.

    Attributes:
        region: region of what this record stands for, such as ``eu-west-1``.
    """

    region: str

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(_REGION.fullmatch(self.region), "routing.region", "a region such as eu-west-1", self.region)

    def apply(self, record: route53.RecordSetType) -> None:
        """Set it on ``record``."""
        record.Region = self.region


class Record(Component):
    """A record in a Route 53 hosted zone: an alias of a load balancer, a distribution or an API, or plain values.

    Creates ``<Name>Record`` and, for an alias, ``<Name>Ipv6Record`` for IPv6 addresses.

    See https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-choosing-alias-non-alias.html

    Args:
        stack: where the resources go.
        name: kebab-case; it also tells records of the same host and routing apart.
        zone: the zone: a :class:`Zone`, or ``Zone.lookup(...)``.
        host: the host name, in the zone's domain.
        alias: what it stands for, or else ``values``.
        values: values of a plain record, such as addresses or ``10 mail.example.com``.
        type: type of a plain record.
        ttl: how long resolvers may remember a plain record, up to 7 days.
        ipv6: an alias also answers with IPv6 addresses; what it stands for must have them.
        routing: how one of several records of the same host is chosen: :class:`Failover`, :class:`Weighted` or
            :class:`Latency`.
        health_check: a record that it finds unwell is not answered with.

    Attributes:
        resource: the ``AWS::Route53::RecordSet``.

    Raises:
        SettingsError: the host is not in the zone, or there is not exactly one of ``alias`` and ``values``.
    """

    kind = "Record"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        zone: Zone | ExistingZone,
        host: str,
        alias: Addressed | None = None,
        values: Sequence[Value] = (),
        type: RecordType = "A",  # noqa: A002  (what everybody calls it)
        ttl: timedelta = timedelta(minutes=5),
        ipv6: bool = True,
        routing: Failover | Weighted | Latency | None = None,
        health_check: HealthCheck | None = None,
    ) -> None:
        super().__init__(stack, name)
        evaluated = alias is not None and alias.hosted_zone_id != CLOUDFRONT_ZONE
        with self.checking() as check:
            check_domain(check, "host", host)
            check.that(f".{host}".endswith(f".{zone.domain}"), "host", f"a name in the zone {zone.domain}", host)
            check.that((alias is None) == bool(values), "alias", "given, or else values", alias and "both")
            check.one_of("type", type, get_args(RecordType))
            check.that(
                not (type == "CNAME" and host == zone.domain), "type", "not CNAME for the domain itself", type,
                "use an alias",
            )  # fmt: skip
            check.between("ttl", ttl, *_TTL)
            if routing is not None:
                routing.check(check)
            check.that(
                not isinstance(routing, Failover) or routing.role == "secondary" or evaluated or health_check,
                "health_check", "given for a primary record", health_check,
            )  # fmt: skip
        self._host, self._zone, self._routing, self._health = host, zone, routing, health_check
        if alias is None:
            self.resource = self._record(self.id(), type)
            self.resource.ResourceRecords, self.resource.TTL = list(values), str(seconds(ttl))
            return
        self.resource = self._record(self.id(), "A")
        records = [self.resource, self._record(self.id("Ipv6Record"), "AAAA")] if ipv6 else [self.resource]
        for record in records:
            record.AliasTarget = route53.AliasTarget(  # type: ignore[no-untyped-call]  # its own constructor has no types
                DNSName=alias.dns_name, EvaluateTargetHealth=evaluated, HostedZoneId=alias.hosted_zone_id
            )

    def _record(self, title: str, kind: str) -> route53.RecordSetType:
        record = route53.RecordSetType(title, HostedZoneId=self._zone.zone_id, Name=self._host, Type=kind)
        if self._routing is not None:
            record.SetIdentifier = self.name
            self._routing.apply(record)
        if self._health is not None:
            record.HealthCheckId = self._health.health_check_id
        return self.add(record)
