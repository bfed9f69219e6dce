"""What can be chosen about the public entry of an architecture: a name, TLS, a firewall."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from archlib.blueprints.base import Settings
from archlib.blueprints.derive import settings_of
from archlib.components.balancing.application import ApplicationLoadBalancer
from archlib.components.edge.firewall import Firewall

_BLUEPRINT_DECIDES = ("network", "certificate", "more_certificates", "internal", "redirect_http", "plain_http")


class EntryDomainSettings(Settings):
    """A domain: a certificate for it and all names in it, and the record that leads to the entry."""

    name: str
    """The public name, such as ``shop.example.com``."""

    zone_id: str
    """Id of the hosted zone, such as ``Z0123456789ABCDEFGHIJ``."""

    zone: str | None = None
    """Domain of the hosted zone; by default the name itself."""


class LoadBalancerSettings(settings_of(ApplicationLoadBalancer, without=_BLUEPRINT_DECIDES)):
    """How the load balancer behaves."""


class EntryFirewallSettings(settings_of(Firewall, without=("scope",))):
    """The web application firewall before the entry."""


def _path(value: Any) -> Any:
    """Let a path stand for the whole route."""
    return {"paths": [value]} if isinstance(value, str) else value


class RouteSettings(settings_of(ApplicationLoadBalancer.route, without=("target",))):
    """Which requests come here; every condition that is given must hold."""


Route = Annotated[RouteSettings, BeforeValidator(_path, json_schema_input_type=RouteSettings | str)]
"""A route, or just its path: ``/orders/*``."""


class EntrySettings(Settings):
    """The public entry, which is TLS: by ``domain``, by ``certificate``, or by ``entry: cloudfront``."""

    domain: EntryDomainSettings | None = None
    """A domain in a hosted zone: its record is made, and its certificate unless ``certificate`` names one."""

    certificate: str | None = None
    """ARN of a certificate for the load balancer, not for CloudFront: with a domain, instead of one that is made;
    without one, for a name whose record is yours to make."""

    entry: Literal["load-balancer", "cloudfront"] = "load-balancer"
    """What faces the internet: the load balancer, or CloudFront before an internal one, which needs no domain."""

    redirect_http: bool = False
    """Also listen on port 80, to redirect to HTTPS and for nothing else; CloudFront always does."""

    health_path: str | None = None
    """Path that Route 53 asks for from all over the world, every 30 seconds; needs a domain."""

    firewall: EntryFirewallSettings | None = EntryFirewallSettings()
    """The web application firewall before the entry; null for none."""

    load_balancer: LoadBalancerSettings = LoadBalancerSettings()
    """How the load balancer behaves."""
