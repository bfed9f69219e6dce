"""Where load balancers send requests, and how they find out who is well."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from troposphere import AWSObject
from troposphere import elasticloadbalancingv2 as elb

from archlib.core.component import Check, Component
from archlib.core.formats import check_path
from archlib.core.values import Value
from archlib.units import seconds
from archlib.wiring.roles import Network

Algorithm = Literal["least_outstanding_requests", "round_robin", "weighted_random"]
HttpVersion = Literal["HTTP1", "HTTP2", "GRPC"]

_ALGORITHMS = ("least_outstanding_requests", "round_robin", "weighted_random")
_VERSIONS = ("HTTP1", "HTTP2", "GRPC")
_CODES = re.compile(r"\d{1,3}([,-]\d{1,3})*")
_PATH_MAX = 1024
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_DRAIN = (timedelta(0), timedelta(hours=1))
_SLOW_START = (timedelta(seconds=30), timedelta(minutes=15))
_STICKY = (_SECOND, timedelta(days=7))


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How a load balancer finds out whether a target is well.

    Attributes:
        path: what is asked for; a plain answer that needs no other system is best.
        codes: the status codes that mean well: ``200``, ``200-299`` or ``200,204``; for gRPC ``0``.
        interval: time between two questions, 5 seconds to 5 minutes.
        timeout: how long to wait for the answer, 2 seconds or more, and less than ``interval``.
        healthy: good answers in a row after which a target is well, 2 to 10.
        unhealthy: missing or bad answers in a row after which it is not, 2 to 10.
    """

    SHORT = "path"

    path: str = "/"
    codes: str = "200"
    interval: timedelta = timedelta(seconds=15)
    timeout: timedelta = timedelta(seconds=5)
    healthy: int = 2
    unhealthy: int = 3

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check_path(check, "health.path", self.path, most=_PATH_MAX)
        check.that(_CODES.fullmatch(self.codes), "health.codes", "like '200', '200-299' or '200,204'", self.codes)
        check.between("health.interval", self.interval, timedelta(seconds=5), timedelta(seconds=300))
        check.between("health.timeout", self.timeout, timedelta(seconds=2), self.interval - _SECOND)
        check.between("health.healthy", self.healthy, 2, 10)
        check.between("health.unhealthy", self.unhealthy, 2, 10)

    def apply(self, group: elb.TargetGroup, *, http: bool) -> None:
        """Set it on ``group``; without ``http`` a target is well as long as it takes connections."""
        group.HealthCheckIntervalSeconds = seconds(self.interval)
        group.HealthCheckTimeoutSeconds = seconds(self.timeout)
        group.HealthyThresholdCount = self.healthy
        group.UnhealthyThresholdCount = self.unhealthy
        group.HealthCheckProtocol = "HTTP" if http else "TCP"
        if http:
            group.HealthCheckPath = self.path
            code = "GrpcCode" if group.properties.get("ProtocolVersion") == "GRPC" else "HttpCode"
            group.Matcher = elb.Matcher(**{code: self.codes})


@dataclass(frozen=True, slots=True)
class Spread:
    """How requests are spread over the targets of one route.

    Attributes:
        algorithm: ``least_outstanding_requests`` suits answers that take unequal time, ``round_robin`` equal ones.
        sticky: how long one client stays with one target, 1 second to 7 days; None: requests go to any.
        slow_start: time in which a new target gets its full share, 30 seconds to 15 minutes; only for
            ``round_robin``.
        drain: how long a target that leaves may finish what it has begun, 0 seconds to 1 hour.
        version: what the targets speak: ``HTTP1``, ``HTTP2`` or ``GRPC``.
    """

    algorithm: Algorithm = "least_outstanding_requests"
    sticky: timedelta | None = None
    slow_start: timedelta | None = None
    drain: timedelta = timedelta(seconds=30)
    version: HttpVersion = "HTTP1"

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.one_of("spread.algorithm", self.algorithm, _ALGORITHMS)
        check.one_of("spread.version", self.version, _VERSIONS)
        check.between("spread.drain", self.drain, *_DRAIN)
        check.between("spread.sticky", self.sticky, *_STICKY)
        check.between("spread.slow_start", self.slow_start, *_SLOW_START)
        check.that(
            self.slow_start is None or self.algorithm == "round_robin",
            "spread.slow_start", "left out unless algorithm is 'round_robin'", self.slow_start,
        )  # fmt: skip

    def attributes(self) -> dict[str, str]:
        """Return it as attributes of a target group."""
        found = {
            "deregistration_delay.timeout_seconds": str(seconds(self.drain)),
            "load_balancing.algorithm.type": self.algorithm,
        }
        if self.sticky is not None:
            found["stickiness.enabled"] = "true"
            found["stickiness.type"] = "lb_cookie"
            found["stickiness.lb_cookie.duration_seconds"] = str(seconds(self.sticky))
        if self.slow_start is not None:
            found["slow_start.duration_seconds"] = str(seconds(self.slow_start))
        return found


def attributes(kind: type, found: dict[str, Value]) -> list[object]:
    """Return ``found`` as the list of keys and values that load balancers and target groups take."""
    return [kind(Key=key, Value=value) for key, value in sorted(found.items())]


class Balancer:
    """What load balancers for requests and for connections offer alike."""

    resource: AWSObject

    @property
    def arn(self) -> Value:
        """ARN of the load balancer."""
        return self.resource.ref()

    @property
    def dns_name(self) -> Value:
        """Its own host name; a certificate is for that of an alias record."""
        return self.resource.get_att("DNSName")

    @property
    def hosted_zone_id(self) -> Value:
        """Id of the zone its host name is in, which alias records name."""
        return self.resource.get_att("CanonicalHostedZoneID")

    @property
    def full_name(self) -> Value:
        """Its name in metrics: ``app/...`` or ``net/...``."""
        return self.resource.get_att("LoadBalancerFullName")


def public_way(network: Network, *, internal: bool) -> list[str]:
    """Return what a load balancer waits for: one with public addresses for the way to the internet."""
    gateway = None if internal else network.attach()
    return [gateway] if gateway else []


def add_balancer(component: Component, resource: elb.LoadBalancer) -> None:
    """Add the load balancer ``resource``; one of a throw-away environment says so, as it is not protected."""
    if component.stack.app.removal == "Delete":
        resource.DeletionPolicy = resource.UpdateReplacePolicy = "Delete"
    component.add(resource)
