"""Microservices: containers behind a shared entry, each deployed alone, and the serverless parts beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any, ClassVar

from archlib.blueprints.entry import Entry
from archlib.blueprints.entry_settings import EntrySettings
from archlib.blueprints.microservices_settings import MicroservicesSettings
from archlib.blueprints.serverless import SERVICES, VERBS
from archlib.blueprints.serverless_settings import ServerlessSettings
from archlib.blueprints.services import CONSUMED, Services
from archlib.components.containers.kubernetes import NEEDS_ENDPOINTS as KUBERNETES_ENDPOINTS
from archlib.components.containers.kubernetes import KubernetesCluster
from archlib.components.containers.kubernetes_workload import Workload
from archlib.components.containers.service import FargateService
from archlib.components.observability.alarm import Alarm
from archlib.core.app import App
from archlib.core.naming import check_name
from archlib.core.source import Source
from archlib.errors import WiringError
from archlib.wiring.binding import Binding
from archlib.wiring.watch import Watched

__all__ = ["Microservices", "MicroservicesSettings"]


_SERVICES_MOST = 100
# What belongs to one is called after it.
_NAMES_MOST = {"services": 40, "workloads": 55}


class Microservices(Services):
    """Services in containers behind a shared entry, each deployed alone, and the data they use.

    All of the ``serverless`` blueprint can be used beside them. Stacks, each depending on those above it::

        foundation        the key
        network           the VPC
        data              what holds state, and the topic that alarms tell
        images            repositories of container images; images-n1 ... beyond 75
        cluster           the cluster of the services
        kubernetes        an EKS cluster instead, or beside it
        ingress           the entry: load balancer, certificate, records, firewall; ingress-n1 ... beyond 50 routes
        edge              with ``entry: cloudfront``, in us-east-1: the distribution and its firewall
        app               functions, state machines, APIs, rules and schedules, if there are any
        <name>-service    one for each service: tasks, scaling, its part of the entry, alarms
        <name>-workload   one for each workload of the EKS cluster: rights
        monitoring        alarms of all else, and the dashboard

    Adding or removing a service changes no other stack: what services may refer to is published beforehand, and the
    dashboard looks for the services there are. Only the first or last one with a host of its own changes the
    certificate, and with tracing or shells the network and the cluster.

    Attributes:
        services, repositories: the components by name.
        cluster: the :class:`Cluster`.
        entry: the :class:`Entry`; None if no service has a route.
    """

    name: ClassVar[str] = "microservices"
    Settings: ClassVar[type[ServerlessSettings]] = MicroservicesSettings
    starter: ClassVar[Mapping[str, Any]] = {
        "entry": "cloudfront",
        "services": {"hello": {"image": "hello:v1", "routes": ["/*"], "reads": ["greetings"]}},
        "repositories": {"hello": {"keep": 50}},
        "tables": {"greetings": {"partition_key": "language"}},
    }
    examples: ClassVar[Mapping[str, Any]] = {"kubernetes": {"admins": {"platform": "platform-team"}}}

    def __init__(self, app: App, settings: MicroservicesSettings, *, source: Source | None = None) -> None:
        self.settings: MicroservicesSettings
        super().__init__(app, settings, source=source)

    def choose(self) -> None:
        """Refuse settings that contradict each other, before anything is made of them."""
        chosen = self.settings
        routed = any(service.routes for service in chosen.services.values())
        fields = EntrySettings.model_fields.items()
        given = [field for field, known in fields if getattr(chosen, field) != known.get_default()]
        for field in () if routed else given:
            with self.at(field):
                raise WiringError(
                    f"{field}: must be left out while no service has routes, got one; give a service routes, such as "
                    "['/*'], or remove it"
                )
        if routed:
            with self.at("entry"):
                self.alone("entry")
        with self.at("services"):
            if self.app.layout == "single" and len(chosen.services) > _SERVICES_MOST:
                raise WiringError(
                    f"services: must be at most {_SERVICES_MOST} with layout 'single', got {len(chosen.services)}, as "
                    "one template has room for 500 resources; set layout to 'layered'"
                )
        for kind, most in _NAMES_MOST.items():
            for name in getattr(chosen, kind):
                with self.at(kind, name):
                    check_name(name, kind.removesuffix("s"), most=most)
        if self.app.layout == "layered":
            self._refuse_circle()

    def _refuse_circle(self) -> None:
        """Refuse services that call each other: neither of their stacks could be made first."""
        calls = {
            name: [called for called in (each.rpartition("/")[2] for each in service.calls) if called != name]
            for name, service in self.settings.services.items()
        }
        try:
            TopologicalSorter(calls).prepare()
        except CycleError as error:
            # graphlib lists each node behind the one it is needed by.
            circle = list(reversed(error.args[1]))
            with self.at("services", circle[0], "calls"):
                raise WiringError(
                    f"service {circle[0]!r}: calls must not lead back to itself, got {' -> '.join(circle)}; let one of "
                    "them send messages to a queue instead, or set layout to 'single'"
                ) from None

    @property
    def needs_network(self) -> bool:
        """Whether something has to be inside a network: services and pods are."""
        return True

    def inside(self) -> Iterator[tuple[tuple[str, str], Any]]:
        """Yield the place in the settings, and the settings there, of all code that runs in the network."""
        yield from super().inside()
        for kind in ("services", "workloads"):
            for name, chosen in getattr(self.settings, kind).items():
                yield (kind, name), chosen

    @property
    def something_to_watch(self) -> bool:
        """Whether there is something that alarms can tell of."""
        return bool(self.settings.services or self.settings.kubernetes) or super().something_to_watch

    def network_defaults(self) -> dict[str, Any]:
        """Return what the network has unless its settings say otherwise."""
        return {"public": self.settings.entry == "load-balancer"}

    def endpoints(self) -> set[str]:
        """Return the services that code in the network can call: all there are, so that a new user changes nothing."""
        kept = {service for kind, service in SERVICES.items() if getattr(self.settings, kind)}
        own = (self.endpoints_of(service) for service in self.settings.services.values())
        pods = KUBERNETES_ENDPOINTS if self.settings.kubernetes else ()
        return {*(kept - {"s3", "dynamodb"}), *pods, *super().endpoints()}.union(*own)

    def run(self) -> None:
        """Make what runs."""
        super().run()
        if self.settings.services or self.settings.repositories:
            self.make_cluster(self.settings)
        self._kubernetes()
        chosen, where = self.settings, f"{self.app.name} ({self.app.environment})"
        routes = {name: service.routes for name, service in chosen.services.items() if service.routes}
        self.entry = Entry(self, chosen, self.network, routes) if routes else None
        self.services: dict[str, FargateService] = {}
        for name, service in chosen.services.items():
            with self.at("services", name):
                stack = self.app.stack(f"{name}-service", description=f"Service {name} of {where}")
                self.services[name] = self.make_service(stack, name, service)
                stack.publish(self.services[name].security_group)

    def _kubernetes(self) -> None:
        chosen, where = self.settings.kubernetes, f"{self.app.name} ({self.app.environment})"
        self.kubernetes: KubernetesCluster | None = None
        self.workloads: dict[str, Workload] = {}
        if chosen is not None:
            with self.at("kubernetes"):
                stack = self.app.stack("kubernetes", description=f"Kubernetes cluster of {where}")
                self.kubernetes = KubernetesCluster(stack, self.app.name, network=self.network, **chosen.arguments())
            self.settle()
        for name, workload in self.settings.workloads.items():
            with self.at("workloads", name):
                if self.kubernetes is None:
                    raise WiringError(f"workload {name!r}: kubernetes must be given, got none; add the cluster")
                stack = self.app.stack(f"{name}-workload", description=f"Workload {name} of {where}")
                self.workloads[name] = Workload(stack, name, cluster=self.kubernetes, **workload.arguments())

    def wire(self) -> None:
        """Connect everything by name."""
        super().wire()
        for name, pods in self.settings.workloads.items():
            self.connect(("workloads", name), pods)
            self.take(("workloads", name), pods)
        for name, chosen in self.settings.services.items():
            self.connect(("services", name), chosen)
            self.take(("services", name), chosen)
            self.inject(("services", name), chosen)
            for number, route in enumerate(chosen.routes):
                with self.at("services", name, "routes", number):
                    assert self.entry is not None  # noqa: S101  (there is a route)
                    self.entry.route(self.services[name], f"route{number + 1}" if number else "", route)
        self._publish()

    def _publish(self) -> None:
        """Have ready whatever a service may refer to, before one does."""
        for verbs in (*VERBS.values(), CONSUMED):
            for kind, method in verbs.items():
                for component in getattr(self, kind, {}).values() if kind != "services" else ():
                    with suppress(WiringError):  # such as a delivery of a stream, which nobody else can write to
                        component.stack.publish(*_values(getattr(component, method)()))
        for name, system in self.file_systems.items():
            for point in self.settings.file_systems[name].access_points or (None,):
                mount = system.mount(point)
                system.stack.publish(mount.access_point_arn, *_values(mount.for_mounting()))

    def tiers(self) -> dict[str, Sequence[Watched]]:
        """Return the components to watch by heading; services watch themselves, beside their own alarms."""
        services: list[Watched] = [self.cluster] if self.services else []
        if self.kubernetes is not None:
            services.append(self.kubernetes)
        return {"Entry": self.entry.parts() if self.entry else [], "Services": services, **super().tiers()}

    def observe(self) -> None:
        """Make alarms, the dashboard and tracing."""
        super().observe()
        if self.alarm_topic is not None:
            for name, service in self.services.items():
                with self.at("services", name):
                    self.alarms += Alarm.each(service.stack, [service], notify=self.alarm_topic)


def _values(binding: Binding) -> Iterator[Any]:
    for grant in binding.grants:
        yield from grant.resources
    yield from binding.environment.values()
    yield from binding.secrets.values()
    if binding.security_group is not None:
        yield binding.security_group
