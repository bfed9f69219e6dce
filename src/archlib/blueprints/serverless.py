"""Serverless: APIs, functions, data and messaging, wired by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, ClassVar

from archlib.blueprints.base import Blueprint
from archlib.blueprints.serverless_apis import http_api, rest_api
from archlib.blueprints.serverless_settings import ServerlessSettings, Uses, only_one
from archlib.components.apis.http_api import HttpApi
from archlib.components.apis.rest_api import RestApi
from archlib.components.caching.cache import Cache
from archlib.components.data.database import Database
from archlib.components.data.search import Search
from archlib.components.data.table import Table
from archlib.components.edge.firewall import Firewall
from archlib.components.functions.function import Function
from archlib.components.functions.schedule import Schedule
from archlib.components.functions.sources import Consumption
from archlib.components.functions.state_machine import StateMachine
from archlib.components.identity.identity_provider import (
    IdentityProvider,
    OidcProvider,
    SamlProvider,
    SocialProvider,
)
from archlib.components.identity.parameter import Parameter
from archlib.components.identity.secret import Secret
from archlib.components.identity.user_pool import UserPool
from archlib.components.messaging.bus import Bus
from archlib.components.messaging.delivery import Delivery
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.rule import DEFAULT_BUS, Rule
from archlib.components.messaging.stream import Stream
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.components.observability.access_logs import AccessLogs
from archlib.components.observability.alarm import Alarm
from archlib.components.observability.dashboard import Dashboard
from archlib.components.observability.tracing import Tracing
from archlib.components.storage.bucket import Bucket
from archlib.components.storage.file_system import FileSystem
from archlib.core.app import App
from archlib.core.assembly import nearest
from archlib.core.naming import in_region, pascal
from archlib.core.source import Source
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.errors import WiringError
from archlib.wiring.binding import Binding
from archlib.wiring.mount import FileSystemMount
from archlib.wiring.watch import Watched

__all__ = ["Serverless", "ServerlessSettings"]

# What each verb means for each kind of component: the method that returns the binding.
VERBS: dict[str, dict[str, str]] = {
    "reads": {
        "tables": "for_reading",
        "buckets": "for_reading",
        "parameters": "for_reading",
        "secrets": "for_reading",
        "search_domains": "for_searching",
    },
    "writes": {"tables": "for_writing", "buckets": "for_writing", "search_domains": "for_indexing"},
    "sends_to": {
        "queues": "for_sending",
        "topics": "for_publishing",
        "buses": "for_publishing",
        "streams": "for_writing",
        "deliveries": "for_writing",
    },
    "starts": {"state_machines": "for_starting"},
    "invokes": {"functions": "for_invoking"},
    "connects_to": {"databases": "for_connecting", "caches": "for_connecting"},
    "administers": {"search_domains": "for_administering"},
    "calls": {"services": "for_calling"},
}
# The AWS service that code calls to use each kind of component.
SERVICES = {
    "tables": "dynamodb",
    "buckets": "s3",
    "parameters": "ssm",
    "secrets": "secretsmanager",
    "queues": "sqs",
    "topics": "sns",
    "buses": "events",
    "streams": "kinesis-streams",
    "deliveries": "kinesis-firehose",
    "state_machines": "states",
    "functions": "lambda",
    "databases": "secretsmanager",
    "caches": "secretsmanager",
}
_GATEWAYS = frozenset({"dynamodb", "s3"})
_TARGETS = ("functions", "queues", "topics", "state_machines", "streams", "buses")
_SOURCES = ("queues", "streams", "tables")
_SUBSCRIBERS = ("queues", "functions")
_TIERS = {
    "APIs": ("rest_apis", "http_apis", "firewalls"),
    "Functions": ("functions", "state_machines", "schedules"),
    "Messaging": ("queues", "topics", "buses", "rules", "streams", "deliveries"),
    "Data": ("tables", "databases", "caches", "search_domains", "file_systems"),
}
_FILES = "arn:aws:elasticfilesystem:eu-west-1:111122223333"
_HELLO = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n"


class Serverless(Blueprint):
    """APIs, functions, data and messaging, wired by name.

    Stacks, each depending on those above it::

        foundation   the key
        network      the VPC, if something needs one
        data         what holds state: tables, buckets and their access logs, databases, queues, topics, user pools ...
                     and the topic that alarms tell
        app          what runs: functions, state machines, APIs, rules, schedules, the firewall
        monitoring   alarms and the dashboard

    Attributes:
        data, code, monitoring: the stacks, to add more to.
        network: the :class:`Vpc`, or None.
        clients: ids of the applications of each user pool.
        tables, buckets, databases, caches, search_domains, file_systems, queues, topics, buses, rules, streams,
            deliveries, user_pools, secrets, parameters, functions, state_machines, schedules, rest_apis, http_apis,
            firewalls: the components by name.
        alarms: the alarms; ``alarm_topic`` is where they tell.
        dashboards: the dashboards, one for each region.
    """

    name: ClassVar[str] = "serverless"
    Settings = ServerlessSettings
    starter: ClassVar[Mapping[str, Any]] = {
        "functions": {"hello": {"code": {"inline": _HELLO}, "reads": ["greetings"]}},
        "http_apis": {"public": {"routes": {"GET /hello": "hello"}}},
        "tables": {"greetings": {"partition_key": "language", "stream": "NEW_AND_OLD_IMAGES"}},
        "buckets": {"files": {"old_version_days": 30}},
    }
    examples: ClassVar[Mapping[str, Any]] = {
        "functions": {
            "hello": {
                "file_system": {
                    "access_point_arn": f"{_FILES}:access-point/fsap-0123456789abcdef0",
                    "file_system_arn": f"{_FILES}:file-system/fs-0123456789abcdef0",
                },
                "consumes": {"greetings": {}},
            },
        },
        "rest_apis": {"my-rest-api": {"routes": {"GET /hello": {"function": "hello"}}}},
        "rules": {"my-rule": {"pattern": {"source": ["shop.orders"]}, "targets": ["hello"]}},
        "deliveries": {"my-delivery": {"bucket": "files"}},
        "state_machines": {
            "my-state-machine": {"definition": {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}}
        },
        "schedules": {"my-schedule": {"expression": "rate(1 day)", "target": "hello"}},
        "parameters": {"my-parameter": {"value": "blue"}},
    }

    def __init__(self, app: App, settings: ServerlessSettings, *, source: Source | None = None) -> None:
        super().__init__(app, settings, source=source)
        self.settings: ServerlessSettings = settings
        self.choose()
        self.settle()
        # Whatever is inside one makes it needed.
        self.network: Any = self._shared_network() if self.needs_network else None
        self.data = app.stack("data", description=f"What {app.name} ({app.environment}) keeps")
        self.code = app.stack("app", description=f"What {app.name} ({app.environment}) runs")
        self.monitoring = app.stack("monitoring", description=f"Alarms and dashboard of {app.name} ({app.environment})")
        self.keep()
        self.run()
        self.settle()
        self.wire()
        self.settle()
        self.observe()
        self.settle()

    def choose(self) -> None:
        """Refuse settings that contradict each other, before anything is made of them."""

    @property
    def needs_network(self) -> bool:
        """Whether something has to be inside a network."""
        chosen = self.settings
        kinds = (chosen.databases, chosen.caches, chosen.search_domains, chosen.file_systems)
        return bool(chosen.network or any(kinds) or any(True for _ in self.inside()))

    def inside(self) -> Iterator[tuple[tuple[str, str], Any]]:
        """Yield the place in the settings, and the settings there, of all code that runs in the network."""
        for name, function in self.settings.functions.items():
            if in_network(function):
                yield ("functions", name), function

    def network_defaults(self) -> dict[str, Any]:
        """Return what the network has unless its settings say otherwise."""
        return {}

    def endpoints(self) -> set[str]:
        """Return the services that the code in the network calls through interface endpoints."""
        services = {service for _, chosen in self.inside() for service in self._called(chosen)}
        return services - _GATEWAYS

    @property
    def something_to_watch(self) -> bool:
        """Whether there is something that alarms can tell of."""
        return any(getattr(self.settings, kind) for kinds in _TIERS.values() for kind in kinds)

    def keep(self) -> None:
        """Make what holds state."""
        if self.settings.buckets:
            # Scanners accept a log bucket only beside a bucket that logs to it.
            AccessLogs.of(self.app, stack=self.data)
        self.tables: dict[str, Table] = self.each("tables", Table, self.data)
        self.buckets: dict[str, Bucket] = self.each("buckets", Bucket, self.data)
        self.queues: dict[str, Queue] = self.each("queues", Queue, self.data)
        self.topics: dict[str, Topic] = self.each("topics", Topic, self.data)
        self.buses: dict[str, Bus] = self.each("buses", Bus, self.data)
        self.streams: dict[str, Stream] = self.each("streams", Stream, self.data)
        self.secrets: dict[str, Secret] = self.each("secrets", Secret, self.data)
        self.parameters: dict[str, Parameter] = self.each("parameters", Parameter, self.data)
        self.user_pools: dict[str, UserPool] = self.each("user_pools", UserPool, self.data)
        self.clients: dict[str, list[Value]] = {}
        inside = {"network": self.network}
        self.databases: dict[str, Database] = self.each("databases", Database, self.data, **inside)
        self.caches: dict[str, Cache] = self.each("caches", Cache, self.data, **inside)
        self.search_domains: dict[str, Search] = self.each("search_domains", Search, self.data, **inside)
        self.file_systems: dict[str, FileSystem] = self.each("file_systems", FileSystem, self.data, **inside)
        self.alarm_topic: Topic | None = None
        with self.at("monitoring"):
            self._tell()

    def run(self) -> None:
        """Make what runs."""
        self.functions: dict[str, Function] = {}
        for name, chosen in self.settings.functions.items():
            with self.at("functions", name):
                self.functions[name] = self.make_function(self.code, name, chosen)
        self.state_machines: dict[str, StateMachine] = {}
        for name, machine in self.settings.state_machines.items():
            with self.at("state_machines", name):
                self.state_machines[name] = StateMachine(
                    self.code, name, definition=machine.definition, **machine.arguments()
                )
        self.firewalls: dict[str, Firewall] = self.each("firewalls", Firewall, self.code)

    def wire(self) -> None:
        """Connect everything by name."""
        self.deliveries: dict[str, Delivery] = {}
        self.rules: dict[str, Rule] = {}
        self.schedules: dict[str, Schedule] = {}
        self.rest_apis: dict[str, RestApi] = {}
        self.http_apis: dict[str, HttpApi] = {}
        self._fill_user_pools()
        self._wire_messaging()
        self._wire_callers()
        self._wire_apis()

    def observe(self) -> None:
        """Make alarms, the dashboard and tracing."""
        chosen = self.settings.tracing
        self.tracing = Tracing(self.monitoring, self.app.name, **chosen.arguments()) if chosen else None
        self.alarms: list[Alarm] = []
        self.dashboards: list[Dashboard] = []
        with self.at("monitoring"):
            self._watch()

    def _shared_network(self) -> Vpc:
        """Return the network of the app, which another blueprint may have made."""
        made: list[Vpc] = []

        def make() -> Vpc:
            made.append(self._network())
            return made[0]

        network = self.app.once("network", make)
        with self.at("network"):
            if not made and self.settings.network is not None:
                raise WiringError("network: must be left out where another blueprint of the app has one, got another")
            if not made and (needed := sorted(self.endpoints())):
                network.add_endpoints(*needed)
        self.settle()
        return network

    def _network(self) -> Vpc:
        chosen = self.settings.network
        stack = self.app.stack("network", description=f"Network of {self.app.name} ({self.app.environment})")
        arguments = chosen.arguments() if chosen else {}
        given = chosen.model_fields_set if chosen else ()
        arguments |= {name: value for name, value in self.network_defaults().items() if name not in given}
        endpoints = sorted({*arguments.get("endpoints", ()), *self.endpoints()})
        with self.at("network"):
            return Vpc(stack, self.app.name, **{**arguments, "endpoints": tuple(endpoints)})
        self.settle()
        raise AssertionError("unreachable: settle raises what was collected")

    def _called(self, chosen: Any) -> Iterator[str]:
        """Yield the AWS services that code calls which uses what ``chosen`` names."""
        for verb, kinds in VERBS.items():
            used = {reference.rpartition("/")[2] for reference in getattr(chosen, verb, ())}
            for kind in kinds:
                named = used & getattr(self.settings, kind, {}).keys()
                if named and kind in SERVICES:
                    yield SERVICES[kind]
                if named and verb == "administers":  # by taking on another role
                    yield "sts"
                if kind == "state_machines" and any(self.settings.state_machines[each].express for each in named):
                    yield "sync-states"

    def each(self, kind: str, component: Any, stack: Stack, **given: Any) -> dict[str, Any]:
        """Make one ``component`` for each entry of the settings ``kind``."""
        made = {}
        for name, chosen in getattr(self.settings, kind).items():
            with self.at(kind, name):
                made[name] = component(stack, name, **given, **chosen.arguments())
        return made

    def make_function(self, stack: Stack, name: str, chosen: Any) -> Function:
        """Return the function ``name`` as its settings say."""
        arguments = chosen.arguments()
        if live := arguments.get("live"):
            arguments["live"] = replace(live, notify=self.alarm_topic)
        if chosen.mounts:
            arguments["file_system"] = self.mount(chosen.mounts)
        return Function(stack, name, network=self.network if in_network(chosen) else None, **arguments)

    def mount(self, reference: str) -> FileSystemMount:
        """Return how code sees the file system that ``reference`` names: ``files``, or ``files/images``."""
        name, _, point = reference.partition("/")
        with self.about("mounts"):
            system: FileSystem = self.find(name, "file_systems")[1]
            return system.mount(point or None)

    def find(self, reference: str, *kinds: str) -> tuple[str, Any]:
        """Return the kind and the component that ``reference`` names: ``orders``, or ``tables/orders``.

        Raises:
            WiringError: no component of these kinds, or more than one, has the name.
        """
        wanted, _, name = reference.rpartition("/")
        kinds = tuple(kind for kind in kinds if hasattr(self, kind))
        if wanted and wanted not in kinds:
            choices = ", ".join(kinds)
            raise WiringError(
                f"{reference!r} must name one of the {choices}, got {wanted!r}{nearest(wanted, kinds)}; correct it"
            )
        kinds = tuple(kind for kind in kinds if not wanted or kind == wanted)
        found = [(kind, getattr(self, kind)[name]) for kind in kinds if name in getattr(self, kind)]
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(f"'{kind}/{name}'" for kind, _ in found)
            raise WiringError(f"{reference!r} must name one component, got {len(found)}; write {choices}")
        known = [name for kind in kinds for name in getattr(self, kind)]
        listed = f"; there are {', '.join(known)}" if known else ""
        words = ", ".join(kind.replace("_", " ") for kind in kinds) or wanted
        raise WiringError(f"{reference!r} is not among the {words}{nearest(name, known) or listed}; add or correct it")

    def _fill_user_pools(self) -> None:
        for name, chosen in self.settings.user_pools.items():
            pool = self.user_pools[name]
            for key, provider in chosen.providers.items():
                with self.at("user_pools", name, "providers", key):
                    kind, given = only_one(provider, f"provider {key!r}: must be", *type(provider).model_fields)
                    with self.at("user_pools", name, "providers", key, kind):
                        pool.provider(_provider(kind, key, given.arguments()))
            made = self.clients[name] = []
            for key, client in chosen.clients.items():
                with self.at("user_pools", name, "clients", key):
                    made.append(pool.client(key, **client.arguments()).client_id)
                    self.data.output(f"{name}-{key}-client", made[-1], f"Id of the application {key} in {name}")
            for key, group in chosen.groups.items():
                with self.at("user_pools", name, "groups", key):
                    pool.group(key, **group.arguments())
            if chosen.domain:
                with self.at("user_pools", name):
                    pool.domain(chosen.domain)

    def _wire_messaging(self) -> None:
        for name, delivery in self.settings.deliveries.items():
            with self.at("deliveries", name):
                self.deliveries[name] = self._delivery(name, delivery)
        for name, topic in self.settings.topics.items():
            for subscriber, chosen in topic.subscribers.items():
                with self.at("topics", name, "subscribers", subscriber):
                    self._subscribe(self.topics[name], subscriber, chosen.arguments())
        for name, rule in self.settings.rules.items():
            with self.at("rules", name):
                self._rule(name, rule)
        for name, schedule in self.settings.schedules.items():
            with self.at("schedules", name):
                _, target = self.find(schedule.target, *_TARGETS)
                self.schedules[name] = Schedule(self.code, name, target=target, **schedule.arguments())

    def _delivery(self, name: str, chosen: Any) -> Delivery:
        with self.about("bucket"):
            _, bucket = self.find(chosen.bucket, "buckets")
        with self.about("search_domain"):
            search = self.find(chosen.search_domain, "search_domains")[1] if chosen.search_domain else None
        with self.about("stream"):
            stream = self.find(chosen.stream, "streams")[1] if chosen.stream else None
        delivery = Delivery(self.data, name, bucket=bucket, search=search, source=stream, **chosen.arguments())
        if search:
            words = f"Role of the delivery {name}, which the search domain {chosen.search_domain} must let in"
            self.data.output(f"{name}-search-role", delivery.role.arn, words)
        return delivery

    def _subscribe(self, topic: Topic, subscriber: str, chosen: dict[str, Any]) -> None:
        if "@" in subscriber:
            chosen.pop("raw")
            topic.subscribe_email(subscriber, **chosen)
        elif "://" in subscriber:
            topic.subscribe_https(subscriber, **chosen)
        else:
            topic.subscribe(self.find(subscriber, *_SUBSCRIBERS)[1], **chosen)

    def _rule(self, name: str, chosen: Any) -> None:
        if (chosen.pattern is None) == (chosen.bucket is None):
            raise WiringError(
                f"rule {name!r}: must have a pattern or a bucket, got {'both' if chosen.bucket else 'none'}"
            )
        pattern = chosen.pattern or self.find(chosen.bucket, "buckets")[1].event_pattern()
        bus = DEFAULT_BUS if chosen.bus == DEFAULT_BUS else self.find(chosen.bus, "buses")[1].bus_name
        by_stack: dict[str, list[Any]] = {}
        for reference in chosen.targets:
            _, target = self.find(reference, *_TARGETS)
            by_stack.setdefault(target.stack.name, []).append(target)
        # A rule lives with its targets, so that the sender of events knows nothing of them.
        for place, (stack, targets) in enumerate(by_stack.items()):
            own = name if place == 0 else f"{name}-{stack}"
            if place and own in self.settings.rules:
                raise WiringError(
                    f"rule {name!r}: targets in stack {stack!r} need a rule of their own, {own!r}, but "
                    f"{self.source.origin('rules', own) or 'another'} is called so already; rename that one"
                )
            self.rules[own] = Rule(
                self.app.stack(stack), own, pattern=pattern, targets=targets, bus=bus, **chosen.arguments()
            )

    def caller(self, kind: str, name: str) -> Any:
        """Return the code whose settings are at ``kind``, ``name``."""
        return getattr(self, kind)[name]

    def connect(self, place: tuple[str, str], chosen: Any) -> None:
        """Connect the code whose settings ``chosen`` are at ``place`` to all that they name."""
        for verb in VERBS:
            with self.at(*place, verb):
                self.caller(*place).connect(*self._bindings(chosen, verb))

    def _wire_callers(self) -> None:
        for kind in ("functions", "state_machines"):
            for name, chosen in getattr(self.settings, kind).items():
                self.connect((kind, name), chosen)
        known = self.settings.network.prefix_lists if self.settings.network else None
        for place, chosen in self.inside():
            with self.at(*place):
                # Those whose prefix list was given are open for all code in the network.
                for service in sorted((_GATEWAYS & set(self._called(chosen))) - set(known or ())):
                    self.caller(*place).connect(self.network.for_gateway(service))
        for name, chosen in self.settings.functions.items():
            self.consume(("functions", name), chosen)

    def consume(self, place: tuple[str, str], chosen: Any) -> None:
        """Give the function whose settings are at ``place`` its sources, its results and its way to the internet."""
        function = self.caller(*place)
        if chosen.internet:
            with self.at(*place, "internet"):
                function.connect(self.network.for_internet())
        for source, consumption in chosen.consumes.items():
            with self.at(*place, "consumes", source):
                function.consume(self.find(source, *_SOURCES)[1], Consumption(**consumption.arguments()))
        if chosen.on_success:
            with self.at(*place, "on_success"):
                _, target = self.find(chosen.on_success, "queues", "topics", "buses", "functions")
                function.on_async(success=target)

    def _bindings(self, chosen: Uses, verb: str) -> Iterator[Binding]:
        for reference in getattr(chosen, verb, ()):
            kind, component = self.find(reference, *VERBS[verb])
            yield getattr(component, VERBS[verb][kind])()

    def _wire_apis(self) -> None:
        for name, rest in self.settings.rest_apis.items():
            with self.at("rest_apis", name):
                self.rest_apis[name] = rest_api(self, name, rest)
        for name, http in self.settings.http_apis.items():
            with self.at("http_apis", name):
                self.http_apis[name] = http_api(self, name, http)

    def _tell(self) -> None:
        chosen = self.settings.monitoring
        if chosen.alarms and self.something_to_watch:
            # Not beside the alarms: one that rolls a function back is in the function's stack, and tells it too.
            self.alarm_topic = self._topic(self.data, "alarms")

    def _topic(self, stack: Stack, name: str) -> Topic:
        """Return the topic ``name``, which all blueprints of the app share."""
        words = f"{self.app.name} {self.app.environment}"
        topic = self.app.once(f"topic {name}", lambda: Topic(stack, name, display_name=words))
        told: set[str] = self.app.once(f"addresses of {name}", set)
        for address in self.settings.monitoring.emails:
            if address not in told:
                told.add(address)
                topic.subscribe_email(address)
        return topic

    def tiers(self) -> dict[str, Sequence[Watched]]:
        """Return the components to watch by heading."""
        return {
            heading: [part for kind in kinds for part in getattr(self, kind).values()]
            for heading, kinds in _TIERS.items()
        }

    def _watch(self) -> None:
        chosen, tiers = self.settings.monitoring, self.tiers()
        regions = {part.stack.region for parts in tiers.values() for part in parts}
        for region in sorted(regions, key=str):
            # Alarms and graphs have to be in the region of their metrics, and whom they tell too.
            local = {
                heading: [part for part in parts if part.stack.region == region] for heading, parts in tiers.items()
            }
            stack, topic = self.monitoring, self.alarm_topic
            if region is not None:
                where = f"{self.app.name} ({self.app.environment})"
                name = in_region("monitoring", region)
                stack = self.app.stack(name, description=f"Alarms of {where} in {region}", region=region)
                topic = self._topic(stack, in_region("alarms", region)) if chosen.alarms else None
            if topic is not None:
                self.alarms += Alarm.each(stack, chain(*local.values()), notify=topic)
            if chosen.dashboard:
                name = in_region(self.app.name, region)
                if f"{pascal(name)}Dashboard" in self.app.homes:  # of another blueprint in the same app
                    name = f"{name}-{self.name}"
                self.dashboards.append(Dashboard(stack, name, tiers=local))


def in_network(function: Any) -> bool:
    """Whether the function of these settings runs in the network."""
    return bool(
        function.in_network or function.internet or function.connects_to or function.file_system or function.mounts
    )


def _provider(kind: Any, name: str, arguments: dict[str, Any]) -> IdentityProvider:
    match kind:
        case "saml":
            return SamlProvider(name, **arguments)
        case "oidc":
            return OidcProvider(name, **arguments)
        case _:
            return SocialProvider(kind, **arguments)
