"""Static site: files in a bucket, delivered by CloudFront."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from archlib.blueprints.base import Blueprint
from archlib.blueprints.static_site_settings import StaticSiteSettings
from archlib.components.edge.certificate import Certificate
from archlib.components.edge.distribution import Distribution
from archlib.components.edge.firewall import Firewall
from archlib.components.edge.origins import BucketOrigin
from archlib.components.edge.record import Record
from archlib.components.edge.zone import Zone
from archlib.components.messaging.topic import Topic
from archlib.components.observability.access_logs import AccessLogs
from archlib.components.observability.alarm import Alarm
from archlib.components.observability.canary import Canary
from archlib.components.observability.dashboard import Dashboard
from archlib.components.storage.bucket import Bucket
from archlib.components.storage.lifecycle import Lifecycle
from archlib.core.app import App
from archlib.core.component import checking
from archlib.core.formats import check_certificate, check_domain, check_path
from archlib.core.regions import GLOBAL_REGION
from archlib.core.source import Source
from archlib.core.values import Value, join
from archlib.wiring.watch import Watched

__all__ = ["StaticSite", "StaticSiteSettings"]

_REPORT_DAYS = 30
_PATH_MAX = 1024


class StaticSite(Blueprint):
    """A website of files, delivered by CloudFront: with its own domain, firewall, canary and alarms.

    Stacks, each depending on those above it::

        foundation              the key
        data                    the bucket with the files, and the access logs of it
        foundation-us-east1     the key of that region
        edge                    in us-east-1: certificate, firewall, distribution, records, canary, and their logs
        monitoring              in us-east-1: alarms and the dashboard

    CloudFront keeps certificates, firewalls and metrics in us-east-1 only; the files are in the region of the
    deployment.

    Attributes:
        data, edge, monitoring: the stacks, to add more to.
        files: the :class:`Bucket` with the files.
        certificate: the :class:`Certificate`, or None.
        firewall: the :class:`Firewall`, or None.
        distribution: the :class:`Distribution`.
        records: the records of its host names.
        canary: the :class:`Canary`, or None.
        alarms: the alarms; ``alarm_topic`` is where they tell.
        dashboard: the :class:`Dashboard`, or None.
    """

    name: ClassVar[str] = "static-site"
    Settings = StaticSiteSettings
    starter: ClassVar[Mapping[str, Any]] = {"delivery": {"folders": True}}

    def __init__(self, app: App, settings: StaticSiteSettings, *, source: Source | None = None) -> None:
        super().__init__(app, settings, source=source)
        self.settings: StaticSiteSettings = settings
        where = f"{app.name} ({app.environment})"
        self.data = app.stack("data", description=f"Files of {where}")
        self.edge = app.stack("edge", description=f"Delivery of {where}", region=GLOBAL_REGION)
        self.monitoring = app.stack("monitoring", description=f"Alarms of {where}", region=GLOBAL_REGION)

        # Scanners accept a log bucket only beside a bucket that logs to it.
        AccessLogs.of(app, stack=self.data)
        AccessLogs.of(app, stack=self.edge)
        with self.at("files"):
            self.files = Bucket(self.data, "site", **settings.files.arguments())
        self.firewall: Firewall | None = None
        if settings.firewall is not None:
            with self.at("firewall"):
                self.firewall = Firewall(self.edge, "site", scope="cloudfront", **settings.firewall.arguments())
        self.certificate: Certificate | None = None
        with self.at("domain"):
            self._prove()
        self.settle()

        self.records: list[Record] = []
        with self.at("delivery"):
            self.distribution = Distribution(
                self.edge,
                "site",
                origin=BucketOrigin(self.files),
                domains=self._names(),
                certificate=self._certificate(),
                firewall=self.firewall,
                **settings.delivery.arguments(),
            )
        self.settle()
        with self.at("domain"):
            self._name()
        self.canary: Canary | None = None
        with self.at("canary"):
            self._visit()
        self.settle()

        self.alarm_topic: Topic | None = None
        self.alarms: list[Alarm] = []
        self.dashboard: Dashboard | None = None
        with self.at("monitoring"):
            self._watch()
        self.settle()
        self.data.output("site-bucket", self.files.bucket_name, "Bucket to put the files into")
        self.edge.output("site-distribution", self.distribution.distribution_id, "Distribution to invalidate")
        self.edge.output("site-url", self.distribution.url, "Address of the site")

    def _names(self) -> tuple[str, ...]:
        domain = self.settings.domain
        return (domain.name, *domain.more_names) if domain else ()

    def _certificate(self) -> Certificate | Value | None:
        return self.certificate or (self.settings.domain and self.settings.domain.certificate)

    def _prove(self) -> None:
        domain = self.settings.domain
        if domain is None:
            return
        with checking("domain") as check:
            check_certificate(check, "certificate", domain.certificate, region=GLOBAL_REGION)
            for field, names in (("name", (domain.name,)), ("more_names", domain.more_names)):
                for each in names:
                    check_domain(check, field, each, wildcard=field != "name")
        if domain.certificate is None:
            first, *more = self._names()
            self.certificate = Certificate(
                self.edge, "site", domain=first, more_domains=more, zone_id=domain.zone_id, **domain.arguments()
            )

    def _name(self) -> None:
        domain = self.settings.domain
        if domain is None:
            return
        zone = Zone.lookup(zone_id=domain.zone_id, domain=domain.zone or domain.name.removeprefix("www."))
        for number, host in enumerate(self._names(), start=1):
            name = "site" if number == 1 else f"site-name{number}"
            self.records.append(Record(self.edge, name, zone=zone, host=host, alias=self.distribution))

    def _visit(self) -> None:
        chosen = self.settings.canary
        if chosen is None:
            return
        with checking("canary") as check:
            check_path(check, "path", chosen.path, most=_PATH_MAX)
        reports = Bucket(self.edge, "site-visits", lifecycle=[Lifecycle(expire_days=_REPORT_DAYS)])
        self.canary = Canary(
            self.edge, "site", url=join(self.distribution.url, chosen.path), artifacts=reports, **chosen.arguments()
        )

    def _watch(self) -> None:
        chosen = self.settings.monitoring
        tiers: dict[str, list[Watched]] = {
            "Delivery": [part for part in (self.distribution, self.canary) if part],
            "Protection": [part for part in (self.firewall, self.certificate) if part],
        }
        if chosen.alarms:
            self.alarm_topic = Topic(self.edge, "alarms", display_name=f"{self.app.name} {self.app.environment}")
            for address in chosen.emails:
                self.alarm_topic.subscribe_email(address)
            watched = [part for parts in tiers.values() for part in parts]
            self.alarms = Alarm.each(self.monitoring, watched, notify=self.alarm_topic)
        if chosen.dashboard:
            self.dashboard = Dashboard(self.monitoring, self.app.name, tiers=tiers)
