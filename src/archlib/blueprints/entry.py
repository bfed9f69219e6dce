"""The public entry of an architecture: load balancers that share the routes, TLS, names, a firewall."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archlib.components.balancing.application import ApplicationLoadBalancer
from archlib.components.edge.certificate import Certificate
from archlib.components.edge.distribution import Distribution
from archlib.components.edge.firewall import Firewall
from archlib.components.edge.health_check import PATH_MAX, HealthCheck
from archlib.components.edge.origins import Behavior, BucketOrigin, InternalOrigin
from archlib.components.edge.record import Record
from archlib.components.edge.zone import ExistingZone, Zone
from archlib.components.network.vpc import Vpc
from archlib.components.observability.access_logs import AccessLogs
from archlib.components.storage.bucket import Bucket
from archlib.core.component import checking
from archlib.core.formats import check_certificate, check_path
from archlib.core.naming import in_region
from archlib.core.regions import GLOBAL_REGION
from archlib.core.stack import Stack
from archlib.core.values import Value, join
from archlib.errors import WiringError
from archlib.wiring.watch import Watched

if TYPE_CHECKING:
    from archlib.blueprints.base import Blueprint
    from archlib.blueprints.entry_settings import EntrySettings, RouteSettings

# A listener takes 100 rules, but a security group by default only 60 ways out.
_ROUTES_MOST = 50
_NO_CHOICE = """\
the public entry must use TLS, and nothing says how; choose one of
  domain: {name: shop.example.com, zone_id: Z0123456789ABCDEFGHIJ}  # certificate and record are made
  certificate: arn:aws:acm:...  # your own, for a name whose record you make
  entry: cloudfront             # no domain yet: a name and a certificate of CloudFront"""
_PRIVATE_HOP = "CloudFront ends TLS and reaches this internal load balancer by a VPC origin: no domain to certify."
_WILDCARD_RULE = "CKV2_AWS_71"
_ALL_NAMES = "One certificate for the names of all services, so that another name changes nothing but its own stack."


class Entry:
    """What stands between the internet and the code of a blueprint.

    With over 50 routes there are several load balancers. Which one a target is behind depends on its own name, so that
    adding or removing others moves it only when a load balancer is full and hands half of its targets to a new one.
    Each has its name: ``shop.example.com``, ``n1.shop.example.com`` and so on. If routes have hosts, all other names
    below the domain lead to the first one, but for the hosts of targets behind another.

    Args:
        blueprint: whose entry it is; errors are collected there.
        settings: what was chosen.
        network: where the load balancers are.
        routes: name of a target -> its routes.
        files: files that answer everything but the routes; CloudFront is the entry then.
        delivery: the settings of the distribution.

    Attributes:
        balancers: the load balancers by number.
        firewalls: the firewalls.
        certificates: the certificates, in each region that needs one.
        distribution: the :class:`Distribution`, or None.
        health_check: the :class:`HealthCheck`, or None.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        settings: EntrySettings,
        network: Vpc,
        routes: Mapping[str, Sequence[RouteSettings]],
        *,
        files: Bucket | None = None,
        delivery: Any = None,
    ) -> None:
        self._blueprint, self._app = blueprint, blueprint.app
        self._settings, self._network = settings, network
        self._shards = shards({name: len(those) for name, those in routes.items()}, _ROUTES_MOST)
        self._files = files
        self._hidden = settings.entry == "cloudfront" or files is not None
        self.balancers: dict[int, ApplicationLoadBalancer] = {}
        self.firewalls: list[Firewall] = []
        self.certificates: dict[str | None, Certificate] = {}
        self.distribution: Distribution | None = None
        self.health_check: HealthCheck | None = None
        numbers = sorted({0, *self._shards.values()})
        self._several = len(numbers) > 1
        self._named = any(route.hosts for those in routes.values() for route in those)
        self._owners: dict[str, str] = {}
        self._refuse()
        self._zone: ExistingZone | None = None
        with blueprint.at("domain"):
            if settings.domain:
                domain = settings.domain
                self._zone = Zone.lookup(zone_id=domain.zone_id, domain=domain.zone or domain.name)
            self._prove()
        blueprint.settle()
        for number in numbers:
            with blueprint.at("load_balancer"):
                self.balancers[number] = self._balancer(number)
            with blueprint.at("firewall"):
                self._protect(number)
        blueprint.settle()
        if self._hidden:
            with blueprint.at("presentation" if files else "entry"):
                paths = [path for those in routes.values() for route in those for path in route.paths]
                self._deliver(paths, delivery.arguments() if delivery else {"root": ""})
        else:
            with blueprint.at("domain"):
                self._lead()
        with blueprint.at("health_path"):
            self._ask()
        blueprint.settle()

    def _refuse(self) -> None:
        """Refuse settings that contradict each other, before anything is made of them."""
        settings, blueprint = self._settings, self._blueprint
        with blueprint.at("entry"):
            if not (settings.domain or settings.certificate or self._hidden):
                raise WiringError(_NO_CHOICE)
            if self._hidden and self._several:
                raise WiringError(
                    f"entry: must be 'load-balancer' for over {_ROUTES_MOST} routes, got 'cloudfront', which has one "
                    "load balancer behind it; choose a domain"
                )
        with blueprint.at("certificate"):
            if self._hidden and settings.certificate:
                raise WiringError(
                    "certificate: must be left out where CloudFront is the entry, got one; choose a domain, for which "
                    "one is made in each region that needs one"
                )
            with checking("entry") as check:
                check_certificate(check, "certificate", settings.certificate)
        with blueprint.at("health_path"):
            if settings.health_path and not settings.domain:
                raise WiringError("health_path: must be left out without a domain, got one; choose a domain")
            with checking("entry") as check:
                check_path(check, "health_path", settings.health_path, most=PATH_MAX)
        blueprint.settle()

    def route(self, target: Any, label: str, chosen: RouteSettings) -> None:
        """Send the requests of one route to ``target``."""
        given = chosen.arguments()
        hosts = [self._host(host) for host in given.pop("hosts")]
        self._check(hosts, given["paths"])
        number = self._shards[target.name]
        new = self._owned(target.name, hosts)
        self.balancers[number].route(target, **{**given, "hosts": hosts, "label": given["label"] or label})
        if number and self._zone:
            # All other names lead to the first load balancer.
            for place, host in enumerate(new, start=1):
                name = f"{target.name}-{label}-host{place}" if label else f"{target.name}-host{place}"
                Record(
                    target.stack, name, zone=self._zone, host=host, alias=self.balancers[number], ipv6=self._dual_stack
                )

    def _owned(self, target: str, hosts: Sequence[str]) -> list[str]:
        """Return the names among ``hosts`` that are below the domain and come up for the first time."""
        domain = self._settings.domain.name if self._settings.domain else ""
        names = [host for host in hosts if host.endswith(f".{domain}") and not {"*", "?"} & set(host)]
        new = [host for host in names if host not in self._owners]
        for host in hosts:
            owner = self._owners.setdefault(host, target)
            if self._several and owner != target:
                raise WiringError(
                    f"hosts: must be of one service where there are several load balancers, got {host!r}, which "
                    f"{owner!r} has too; give each its own"
                )
        return new

    def _check(self, hosts: Sequence[str], paths: Sequence[str]) -> None:
        """Refuse a route that no request would take."""
        domain = self._settings.domain
        if self._files and not paths:
            raise WiringError("paths: must be given beside files, which get all else, got none; name the paths")
        if self._hidden and domain is None and hosts:
            raise WiringError(
                f"hosts: must be left out without a domain, got {hosts[0]!r}; choose a domain, or paths to tell the "
                "requests apart"
            )
        for host in hosts if domain and self.certificates else ():
            if domain and domain.name not in {host, host.partition(".")[2]}:
                raise WiringError(
                    f"hosts: must be {domain.name!r} or names right below it, which the certificate is for, got "
                    f"{host!r}; write 'orders' for 'orders.{domain.name}'"
                )

    def parts(self) -> list[Watched]:
        """Return all that is worth watching."""
        found = (*self.balancers.values(), self.distribution, *self.firewalls, self.health_check)
        return [part for part in (*found, *self.certificates.values()) if part is not None]

    @property
    def _dual_stack(self) -> bool:
        return bool(self._settings.load_balancer.dual_stack)

    def _names(self, domain: str) -> tuple[str, ...]:
        """Return the names that are certified; one name for all below only where there are such names."""
        return (domain, f"*.{domain}") if self._several or self._named else (domain,)

    def _host(self, host: str) -> str:
        """Let ``orders`` stand for ``orders.<domain>``."""
        return f"{host}.{self._settings.domain.name}" if self._settings.domain and "." not in host else host

    def _name(self, number: int) -> str:
        assert self._settings.domain  # noqa: S101  (who asks has one)
        return self._settings.domain.name if number == 0 else f"n{number}.{self._settings.domain.name}"

    def _stack(self, number: int) -> Stack:
        where = f"{self._app.name} ({self._app.environment})"
        return self._app.stack(numbered("ingress", number), description=f"Public entry of {where}")

    def _prove(self) -> None:
        domain = self._settings.domain
        if domain is None or self._settings.certificate is not None:
            return
        # Between CloudFront and the load balancer there is TLS too, by a certificate of that region.
        for stack in (self._stack(0), *((self._edge(),) if self._hidden else ())):
            _, *more = self._names(domain.name)
            certificate = self.certificates[stack.region] = Certificate(
                stack,
                in_region("public", stack.region),
                domain=domain.name,
                more_domains=more,
                zone_id=domain.zone_id,
            )
            if more:
                self._app.waive(certificate.id(), _WILDCARD_RULE, reason=_ALL_NAMES)

    def _balancer(self, number: int) -> ApplicationLoadBalancer:
        chosen, stack, name = self._settings, self._stack(number), numbered("public", number)
        certificate = chosen.certificate or (self.certificates[None].arn if self.certificates else None)
        return ApplicationLoadBalancer(
            stack,
            name,
            network=self._network,
            certificate=certificate,
            plain_http=None if certificate else _PRIVATE_HOP,
            internal=self._hidden,
            redirect_http=chosen.redirect_http and not self._hidden,
            **chosen.load_balancer.arguments(),
        )

    def _protect(self, number: int) -> None:
        chosen = self._settings.firewall
        if chosen and not self._hidden:
            firewall = Firewall(self._stack(number), numbered("public", number), **chosen.arguments())
            self.firewalls.append(firewall)
            if number in self.balancers:
                firewall.protect(self.balancers[number].arn, label="entry")

    def _lead(self) -> None:
        for number, balancer in self.balancers.items():
            url: Value = join("https://", balancer.dns_name)
            if self._zone:
                host = self._name(number)
                url = f"https://{host}"
                Record(balancer.stack, balancer.name, zone=self._zone, host=host, alias=balancer, ipv6=self._dual_stack)
                # Ready for the record of the first target with a host of its own.
                balancer.stack.publish(balancer.dns_name, balancer.hosted_zone_id)
                if self._named and number == 0:
                    names = f"*.{host}"
                    Record(
                        balancer.stack,
                        "public-names",
                        zone=self._zone,
                        host=names,
                        alias=balancer,
                        ipv6=self._dual_stack,
                    )
            balancer.stack.output(f"{balancer.name}-url", url, "Public address")

    def _ask(self) -> None:
        chosen = self._settings
        if chosen.health_path and chosen.domain:
            self.health_check = HealthCheck(self._edge(), "public", host=chosen.domain.name, path=chosen.health_path)

    def _edge(self) -> Stack:
        where = f"{self._app.name} ({self._app.environment})"
        return self._app.stack("edge", description=f"What the world sees of {where}", region=GLOBAL_REGION)

    def _deliver(self, paths: Sequence[str], given: Mapping[str, Any]) -> None:
        chosen, stack, files = self._settings, self._edge(), self._files
        AccessLogs.of(self._app, stack=stack)
        firewall = None
        with self._blueprint.at("firewall"):
            if chosen.firewall:
                firewall = Firewall(stack, "public", scope="cloudfront", **chosen.firewall.arguments())
                self.firewalls.append(firewall)
        inside = InternalOrigin(self.balancers[0])
        self.distribution = Distribution(
            stack,
            "public",
            origin=BucketOrigin(files) if files else inside,
            behaviors={path: Behavior(inside) for path in paths} if files else {},
            domains=self._names(chosen.domain.name) if chosen.domain else (),
            certificate=self.certificates.get(stack.region),
            firewall=firewall,
            **given,
        )
        with self._blueprint.at("domain"):
            if self._zone and chosen.domain:
                for label, host in zip(("public", "public-names"), self._names(chosen.domain.name), strict=False):
                    Record(stack, label, zone=self._zone, host=host, alias=self.distribution)
        stack.output("public-url", self.distribution.url, "Public address")


def shards(sizes: Mapping[str, int], most: int) -> dict[str, int]:
    """Spread names over numbers so that none gets over ``most`` of their sizes.

    Where a name goes depends on the name alone, as long as its number is not full: then half of its names, by the next
    bit of a hash, go to a new number, and the others stay.
    """
    placed: dict[str, int] = {}

    def place(names: list[str], number: int, depth: int) -> None:
        if len(names) < 2 or sum(sizes[name] for name in names) <= most:  # noqa: PLR2004
            placed.update(dict.fromkeys(names, number))
            return
        moved = [name for name in names if _hash(name) >> depth & 1]
        place([name for name in names if name not in set(moved)], number, depth + 1)
        place(moved, number | 1 << depth, depth + 1)

    place(list(sizes), 0, 0)
    return placed


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest())


def numbered(name: str, number: int) -> str:
    """Return ``name`` of the part ``number`` of what :func:`shards` spread: the first has no number."""
    return f"{name}-n{number}" if number else name
