"""What can be chosen about a website of files."""

from __future__ import annotations

from archlib.blueprints.base import Settings
from archlib.blueprints.derive import settings_of
from archlib.components.edge.certificate import Certificate
from archlib.components.edge.distribution import Distribution
from archlib.components.edge.firewall import Firewall
from archlib.components.observability.canary import Canary
from archlib.components.storage.bucket import Bucket


class DomainSettings(settings_of(Certificate, without=("domain", "more_domains", "zone_id"))):
    """The host names of the site; their records and certificate are made."""

    name: str
    """Host name of the site, such as ``www.example.com``."""

    more_names: tuple[str, ...] = ()
    """Further host names of the same site, in the same zone."""

    zone: str | None = None
    """Domain of the hosted zone; by default the name itself, or what is after its first dot if that is ``www``."""

    zone_id: str
    """Id of the hosted zone, such as ``Z0123456789ABCDEFGHIJ``."""

    certificate: str | None = None
    """ARN of a certificate in us-east-1 for all the names; by default one is made."""


class DeliverySettings(
    settings_of(Distribution, without=("origin", "behaviors", "domains", "certificate", "firewall"))
):
    """How CloudFront delivers the files."""


class FilesSettings(settings_of(Bucket)):
    """The bucket that holds the files."""


class SiteFirewallSettings(settings_of(Firewall, without=("scope",))):
    """The web application firewall before the site."""


class VisitSettings(settings_of(Canary, without=("url", "artifacts"))):
    """A browser that visits the site again and again."""

    path: str = "/"
    """Path of the page it visits."""


class SiteMonitoringSettings(Settings):
    """Who hears of problems, and where they are seen."""

    alarms: bool = True
    """An alarm for everything worth watching."""

    emails: tuple[str, ...] = ()
    """Addresses that are told; each has to confirm once."""

    dashboard: bool = True
    """A dashboard of the whole site."""


class StaticSiteSettings(Settings):
    """Everything that can be chosen about a website of files."""

    domain: DomainSettings | None = None
    """The host names of the site; by default it has only the one that CloudFront gives it."""

    delivery: DeliverySettings = DeliverySettings()
    """How CloudFront delivers the files."""

    files: FilesSettings = FilesSettings()
    """The bucket that holds the files."""

    firewall: SiteFirewallSettings | None = SiteFirewallSettings()
    """The web application firewall before the site; null for none."""

    canary: VisitSettings | None = VisitSettings()
    """A browser that visits the site again and again; null for none."""

    monitoring: SiteMonitoringSettings = SiteMonitoringSettings()
    """Alarms and dashboard."""
