"""Route 53 health checks: whether something answers, seen from around the world."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from troposphere import route53

from archlib.core.component import Component
from archlib.core.formats import check_domain, check_path
from archlib.core.regions import GLOBAL_REGION
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.units import seconds
from archlib.wiring.watch import Watch

_INTERVALS = (timedelta(seconds=10), timedelta(seconds=30))
_SEARCH_MAX = 255
PATH_MAX = 255


class HealthCheck(Component):
    """A Route 53 health check: HTTPS requests from around the world that must be answered with 2xx or 3xx.

    Creates ``<Name>HealthCheck``. Its metric is in us-east-1 only, so its alarm must be in a stack of that region.

    See https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-types.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        host: host name that is asked, also as the name of its certificate.
        path: path of the request, with a leading ``/``.
        port: TCP port.
        contains: text that must be in the first 5120 bytes of the answer, up to 255 characters.
        interval: ``30s``, or ``10s`` at a higher price.
        failures: requests in a row that must fail, or work again, to change its mind; 1 to 10.

    Attributes:
        resource: the ``AWS::Route53::HealthCheck``.

    Raises:
        SettingsError: a setting is outside its range.
    """

    kind = "HealthCheck"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        host: Value,
        path: str = "/",
        port: int = 443,
        contains: str | None = None,
        interval: timedelta = timedelta(seconds=30),
        failures: int = 3,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check_domain(check, "host", host, wildcard=False)
            check_path(check, "path", path, most=PATH_MAX)
            check.between("port", port, 1, 65_535)
            check.between("contains", None if contains is None else len(contains), 1, _SEARCH_MAX)
            check.that(interval in _INTERVALS, "interval", "10s or 30s", interval)
            check.between("failures", failures, 1, 10)
        config = route53.HealthCheckConfig(
            EnableSNI=True,
            FailureThreshold=failures,
            FullyQualifiedDomainName=host,
            Port=port,
            RequestInterval=seconds(interval),
            ResourcePath=path,
            Type="HTTPS",
        )
        if contains is not None:
            config.Type, config.SearchString = "HTTPS_STR_MATCH", contains
        self.resource = route53.HealthCheck(self.id(), HealthCheckConfig=config)
        self.add(self.resource)

    @property
    def health_check_id(self) -> Value:
        """Id of the health check, which records name."""
        return self.attribute("HealthCheckId")

    def watches(self) -> Sequence[Watch]:
        """Return what shows that it is not answered."""
        return (
            Watch("healthy", f"Whether {self} is answered", "AWS/Route53", "HealthCheckStatus",
                  {"HealthCheckId": self.health_check_id}, "Minimum", 1, "<", period=timedelta(minutes=1), periods=2,
                  region=GLOBAL_REGION),
        )  # fmt: skip
