"""Hosted zones: a domain whose names Route 53 answers for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from troposphere import logs, route53

from archlib.components.identity.key import Key
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Component, checking
from archlib.core.formats import check_domain
from archlib.core.regions import GLOBAL_REGION
from archlib.core.stack import Stack
from archlib.core.values import ACCOUNT, REGION, Deferred, Value, arn, encode
from archlib.wiring.policies import VERSION, service_principal
from archlib.wiring.roles import Network

_ID = re.compile("Z[A-Z0-9]{1,31}")

CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"
"""Zone that the host names of all distributions are in."""


@dataclass(frozen=True, slots=True)
class ExistingZone:
    """A hosted zone that exists already; see :meth:`Zone.lookup`.

    Attributes:
        zone_id: id of the zone.
        domain: the domain it answers for.
    """

    zone_id: Value
    domain: str


class Zone(Component):
    """A Route 53 hosted zone: public, or private to networks.

    Creates ``<Name>Zone``; with ``log_queries`` also ``<Name>ZoneLogGroup`` and ``<Name>ZoneLogPolicy``. A public zone
    answers when the registrar of the domain names its :attr:`name_servers`.

    See https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-working-with.html

    Args:
        stack: where the resources go; with ``log_queries`` that is one with ``region="us-east-1"``.
        name: kebab-case.
        domain: the domain it answers for, such as ``example.com``.
        networks: VPCs that alone can ask it; by default everybody can.
        log_queries: write down what is asked; for public zones.
        log_retention_days: days a log event is kept.
        key: the KMS key of the log; the app's by default.

    Attributes:
        resource: the ``AWS::Route53::HostedZone``.
        domain: the domain it answers for.

    Raises:
        SettingsError: the domain is malformed, or queries cannot be logged.
    """

    kind = "Zone"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        domain: str,
        networks: Sequence[Network] = (),
        log_queries: bool = False,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check_domain(check, "domain", domain, wildcard=False)
            check_retention(check, log_retention_days)
            if log_queries:
                check.that(not networks, "log_queries", "false for a private zone", log_queries)
                check.that(
                    stack.region == GLOBAL_REGION, "stack", f"one of region {GLOBAL_REGION}, for log_queries",
                    stack.region, f"make it with Stack(app, name, region={GLOBAL_REGION!r})",
                )  # fmt: skip
        self.domain = domain
        self.resource = route53.HostedZone(
            self.id(), HostedZoneConfig=route53.HostedZoneConfiguration(Comment=f"{stack.app.name}"), Name=domain
        )
        if networks:
            self.resource.VPCs = [
                route53.HostedZoneVPCs(VPCId=network.vpc_id, VPCRegion=REGION) for network in networks
            ]
        if log_queries:
            self._log(log_retention_days, key)
        self.add(self.resource, stateful=True)

    def _log(self, retention_days: int, key: Key | None) -> None:
        # Route 53 delivers only to groups with this prefix.
        group = LogGroup(
            self.stack, f"{self.name}-zone", physical_name=f"/aws/route53/{self.domain}",
            retention_days=retention_days, key=key,
        )  # fmt: skip
        policy = self.add(
            logs.ResourcePolicy(
                self.id("ZoneLogPolicy"),
                PolicyName=f"{self.stack.app.name}-{self.stack.app.environment}-{self.name}-zone",
                PolicyDocument=Deferred(lambda: _delivery(group)),
            )
        )
        self.resource.QueryLoggingConfig = route53.QueryLoggingConfigProperty(CloudWatchLogsLogGroupArn=group.arn)
        self.resource.DependsOn = policy.title

    @classmethod
    def lookup(cls, *, zone_id: Value, domain: str) -> ExistingZone:
        """Return a zone that exists already, for records in it.

        Args:
            zone_id: its id, such as ``Z0123456789ABCDEFGHIJ``.
            domain: the domain it answers for.

        Raises:
            SettingsError: the id or the domain is malformed.
        """
        with checking(f"zone {domain!r}") as check:
            check.that(
                not isinstance(zone_id, str) or _ID.fullmatch(zone_id),
                "zone_id", "an id such as Z0123456789ABCDEFGHIJ", zone_id, "copy it from Route 53",
            )  # fmt: skip
            check_domain(check, "domain", domain, wildcard=False)
        return ExistingZone(zone_id, domain)

    @property
    def zone_id(self) -> Value:
        """Id of the zone."""
        return self.ref()

    @property
    def name_servers(self) -> Value:
        """Host names of the servers that answer for a public zone, a list."""
        return self.attribute("NameServers")


def _delivery(group: LogGroup) -> dict[str, object]:
    """Return the policy that lets Route 53 write to ``group``."""
    statement = {
        "Effect": "Allow",
        "Principal": service_principal("route53"),
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": group.attribute("Arn"),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": arn("route53", "hostedzone/*", region="", account="")},
        },
    }
    return {"Version": VERSION, "Statement": [encode(statement)]}
