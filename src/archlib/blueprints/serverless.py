"""Serverless: APIs, functions, data and messaging, wired by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from archlib.blueprints.base import Blueprint, Settings
from archlib.blueprints.serverless_settings import (
    AuthorizerSettings,
    HttpApiSettings,
    HttpRouteSettings,
    RestApiSettings,
    RestRouteSettings,
    ServerlessSettings,
    Uses,
)
from archlib.components.apis.authorizers import CognitoAuthorizer, JwtAuthorizer, LambdaAuthorizer
from archlib.components.apis.http_api import HttpApi
from archlib.components.apis.integrations import HttpUrl, send_message, start_execution
from archlib.components.apis.rest_api import RestApi
from archlib.components.data.database import Database
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
from archlib.components.observability.alarm import Alarm
from archlib.components.observability.dashboard import Dashboard
from archlib.components.observability.tracing import Tracing
from archlib.components.storage.access_logs import AccessLogs
from archlib.components.storage.bucket import Bucket
from archlib.core.app import App
from archlib.core.assembly import nearest
from archlib.core.source import Source
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.errors import WiringError
from archlib.wiring.binding import Binding

__all__ = ["Serverless", "ServerlessSettings"]

# What each verb means for each kind of component: the method that returns the binding.
_VERBS: dict[str, dict[str, str]] = {
    "reads": {
        "tables": "for_reading",
        "buckets": "for_reading",
        "parameters": "for_reading",
        "secrets": "for_reading",
    },
    "writes": {"tables": "for_writing", "buckets": "for_writing"},
    "sends_to": {
        "queues": "for_sending",
        "topics": "for_publishing",
        "buses": "for_publishing",
        "streams": "for_writing",
        "deliveries": "for_writing",
    },
    "starts": {"state_machines": "for_starting"},
    "invokes": {"functions": "for_invoking"},
    "connects_to": {"databases": "for_connecting"},
}
# The AWS service that code calls to use each kind of component.
_SERVICES = {
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
}
_GATEWAYS = frozenset({"dynamodb", "s3"})
_TARGETS = ("functions", "queues", "topics", "state_machines", "streams", "buses")
_SOURCES = ("queues", "streams", "tables")
_SUBSCRIBERS = ("queues", "functions")
_TIERS = {
    "APIs": ("rest_apis", "http_apis", "firewalls"),
    "Functions": ("functions", "state_machines", "schedules"),
    "Messaging": ("queues", "topics", "buses", "rules", "streams", "deliveries"),
    "Data": ("tables", "buckets", "databases"),
}
_HELLO = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n"


class Serverless(Blueprint):
    """APIs, functions, data and messaging, wired by name.

    Stacks, each depending on those above it::

        foundation   the key
        network      the VPC, if something needs one
        data         what holds state: tables, buckets and their access logs, databases, queues, topics, user pools ...
        app          what runs: functions, state machines, APIs, rules, schedules, the firewall
        monitoring   alarms and the dashboard

    Attributes:
        data, code, monitoring: the stacks, to add more to.
        network: the :class:`Vpc`, or None.
        clients: ids of the applications of each user pool.
        tables, buckets, databases, queues, topics, buses, rules, streams, deliveries, user_pools, secrets,
            parameters, functions, state_machines, schedules, rest_apis, http_apis, firewalls: the components by name.
        alarms: the alarms; ``alarm_topic`` is where they tell.
        dashboard: the :class:`Dashboard`, or None.
    """

    name: ClassVar[str] = "serverless"
    Settings = ServerlessSettings
    starter: ClassVar[Mapping[str, Any]] = {
        "functions": {"hello": {"code": {"inline": _HELLO}, "reads": ["greetings"]}},
        "http_apis": {"public": {"routes": {"GET /hello": "hello"}}},
        "tables": {"greetings": {"partition_key": "language"}},
    }

    def __init__(self, app: App, settings: ServerlessSettings, *, source: Source | None = None) -> None:
        super().__init__(app, settings, source=source)
        self.settings: ServerlessSettings = settings
        needs_network = settings.network or settings.databases or any(map(_in_network, settings.functions.values()))
        self.network = self._network() if needs_network else None
        self.data = app.stack("data", description=f"What {app.name} ({app.environment}) keeps")
        self.code = app.stack("app", description=f"What {app.name} ({app.environment}) runs")
        self.monitoring = app.stack("monitoring", description=f"Alarms and dashboard of {app.name} ({app.environment})")

        if settings.buckets:
            # Scanners accept a log bucket only beside a bucket that logs to it.
            AccessLogs.of(app, stack=self.data)
        self.tables: dict[str, Table] = self._each("tables", Table, self.data)
        self.buckets: dict[str, Bucket] = self._each("buckets", Bucket, self.data)
        self.queues: dict[str, Queue] = self._each("queues", Queue, self.data)
        self.topics: dict[str, Topic] = self._each("topics", Topic, self.data)
        self.buses: dict[str, Bus] = self._each("buses", Bus, self.data)
        self.streams: dict[str, Stream] = self._each("streams", Stream, self.data)
        self.secrets: dict[str, Secret] = self._each("secrets", Secret, self.data)
        self.parameters: dict[str, Parameter] = self._each("parameters", Parameter, self.data)
        self.user_pools: dict[str, UserPool] = self._each("user_pools", UserPool, self.data)
        self.clients: dict[str, list[Value]] = {}
        self.databases: dict[str, Database] = self._each("databases", Database, self.data, network=self.network)
        self.functions: dict[str, Function] = {}
        for name, chosen in settings.functions.items():
            with self.at("functions", name):
                network = self.network if _in_network(chosen) else None
                self.functions[name] = Function(self.code, name, network=network, **chosen.arguments())
        self.state_machines: dict[str, StateMachine] = {}
        for name, machine in settings.state_machines.items():
            with self.at("state_machines", name):
                self.state_machines[name] = StateMachine(
                    self.code, name, definition=machine.definition, **machine.arguments()
                )
        self.firewalls: dict[str, Firewall] = self._each("firewalls", Firewall, self.code)
        self.settle()

        self.deliveries: dict[str, Delivery] = {}
        self.rules: dict[str, Rule] = {}
        self.schedules: dict[str, Schedule] = {}
        self.rest_apis: dict[str, RestApi] = {}
        self.http_apis: dict[str, HttpApi] = {}
        self._fill_user_pools()
        self._wire_messaging()
        self._wire_callers()
        self._wire_apis()
        self.settle()

        self.tracing = Tracing(self.monitoring, app.name, **settings.tracing.arguments()) if settings.tracing else None
        self.alarm_topic: Topic | None = None
        self.alarms: list[Alarm] = []
        self.dashboard: Dashboard | None = None
        with self.at("monitoring"):
            self._watch()
        self.settle()

    def _network(self) -> Vpc:
        chosen = self.settings.network
        stack = self.app.stack("network", description=f"Network of {self.app.name} ({self.app.environment})")
        arguments = chosen.arguments() if chosen else {}
        gateways = arguments.get("prefix_lists") or {}
        endpoints = set(arguments.get("endpoints", ()))
        for name, kind, service in self._called_from_network():
            if service not in _GATEWAYS:
                endpoints.add(service)
            elif service not in gateways:
                with self.at("functions", name):
                    raise WiringError(
                        f"function {name!r}: uses {kind} from inside the network, which needs network.prefix_lists."
                        f"{service}; look it up with: aws ec2 describe-managed-prefix-lists"
                    )
        self.settle()
        with self.at("network"):
            return Vpc(stack, self.app.name, **{**arguments, "endpoints": tuple(sorted(endpoints))})
        self.settle()
        raise AssertionError("unreachable: settle raises what was collected")

    def _called_from_network(self) -> Iterator[tuple[str, str, str]]:
        """Yield the functions in the network, the kinds of components they use, and the AWS services of those."""
        for name, chosen in filter(lambda item: _in_network(item[1]), self.settings.functions.items()):
            for verb, kinds in _VERBS.items():
                used = {reference.rpartition("/")[2] for reference in getattr(chosen, verb)}
                for kind in kinds:
                    named = used & getattr(self.settings, kind).keys()
                    if named:
                        yield name, kind, _SERVICES[kind]
                    if kind == "state_machines" and any(self.settings.state_machines[each].express for each in named):
                        yield name, kind, "sync-states"

    def _each(self, kind: str, component: Any, stack: Stack, **given: Any) -> dict[str, Any]:
        """Make one ``component`` for each entry of the settings ``kind``."""
        made = {}
        for name, chosen in getattr(self.settings, kind).items():
            with self.at(kind, name):
                made[name] = component(stack, name, **given, **chosen.arguments())
        return made

    def find(self, reference: str, *kinds: str) -> tuple[str, Any]:
        """Return the kind and the component that ``reference`` names: ``orders``, or ``tables/orders``.

        Raises:
            WiringError: no component of these kinds, or more than one, has the name.
        """
        wanted, _, name = reference.rpartition("/")
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
                    kind, given = _only(provider, f"provider {key!r}: must be", *type(provider).model_fields)
                    with self.at("user_pools", name, "providers", key, kind):
                        pool.provider(_provider(kind, key, given.arguments()))
            with self.at("user_pools", name):
                clients = {key: pool.client(key, **client.arguments()) for key, client in chosen.clients.items()}
                self.clients[name] = [client.client_id for client in clients.values()]
                for key, client in clients.items():
                    self.data.output(f"{name}-{key}-client", client.client_id, f"Id of the application {key} in {name}")
                for key, group in chosen.groups.items():
                    pool.group(key, **group.arguments())
                if chosen.domain:
                    pool.domain(chosen.domain)

    def _wire_messaging(self) -> None:
        for name, delivery in self.settings.deliveries.items():
            with self.at("deliveries", name):
                _, bucket = self.find(delivery.bucket, "buckets")
                stream = self.find(delivery.stream, "streams")[1] if delivery.stream else None
                self.deliveries[name] = Delivery(self.data, name, bucket=bucket, source=stream, **delivery.arguments())
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
            self.rules[own] = Rule(
                self.app.stack(stack), own, pattern=pattern, targets=targets, bus=bus, **chosen.arguments()
            )

    def _wire_callers(self) -> None:
        for kind in ("functions", "state_machines"):
            for name, chosen in getattr(self.settings, kind).items():
                for verb in _VERBS:
                    with self.at(kind, name, verb):
                        getattr(self, kind)[name].connect(*self._bindings(chosen, verb))
        for name, chosen in self.settings.functions.items():
            function = self.functions[name]
            if chosen.internet and self.network is not None:
                with self.at("functions", name, "internet"):
                    function.connect(self.network.for_internet())
            for source, consumption in chosen.consumes.items():
                with self.at("functions", name, "consumes", source):
                    function.consume(self.find(source, *_SOURCES)[1], Consumption(**consumption.arguments()))
            if chosen.on_success:
                with self.at("functions", name, "on_success"):
                    _, target = self.find(chosen.on_success, "queues", "topics", "buses", "functions")
                    function.on_async(success=target)

    def _bindings(self, chosen: Uses, verb: str) -> Iterator[Binding]:
        for reference in getattr(chosen, verb, ()):
            kind, component = self.find(reference, *_VERBS[verb])
            yield getattr(component, _VERBS[verb][kind])()

    def _wire_apis(self) -> None:
        for name, chosen in self.settings.rest_apis.items():
            with self.at("rest_apis", name):
                api = RestApi(
                    self.code, name, authorizer=self._authorizer(chosen, chosen.authorizer), **chosen.arguments()
                )
                self.rest_apis[name] = api
                for route, leads in chosen.routes.items():
                    with self.at("rest_apis", name, "routes", route):
                        self._rest_route(api, chosen, route, leads)
                if chosen.firewall:
                    _, firewall = self.find(chosen.firewall, "firewalls")
                    firewall.protect(api.protected_arn, label=name)
                self.code.output(f"{name}-url", api.url, f"Address of the API {name}")
        for name, chosen in self.settings.http_apis.items():
            with self.at("http_apis", name):
                http = HttpApi(self.code, name, authorizer=self._jwt(chosen, chosen.authorizer), **chosen.arguments())
                self.http_apis[name] = http
                for route, leads in chosen.routes.items():
                    with self.at("http_apis", name, "routes", route):
                        self._http_route(http, chosen, route, leads)
                self.code.output(f"{name}-url", http.url, f"Address of the API {name}")

    def _rest_route(self, api: RestApi, chosen: RestApiSettings, route: str, settings: RestRouteSettings) -> None:
        kind, where = _only(settings, f"route {route!r}: must lead to", "function", "queue", "state_machine", "url")
        target: Any
        match kind:
            case "queue":
                target = send_message(self.find(where, "queues")[1])
            case "state_machine":
                target = start_execution(self.find(where, "state_machines")[1])
            case "url":
                target = HttpUrl(where)
            case _:
                target = self.find(where, "functions")[1]
        authorizer = self._authorizer(chosen, settings.authorizer) if settings.authorizer else None
        api.route(route, target, authorizer=authorizer, **settings.arguments())

    def _http_route(self, api: HttpApi, chosen: HttpApiSettings, route: str, settings: HttpRouteSettings) -> None:
        if (settings.function is None) == (settings.url is None):
            got = "both" if settings.url else "none"
            raise WiringError(f"route {route!r}: must lead to one of function or url, got {got}")
        target = HttpUrl(settings.url) if settings.url else self.find(settings.function or "", "functions")[1]
        authorizer = self._jwt(chosen, settings.authorizer) if settings.authorizer else None
        api.route(route, target, authorizer=authorizer, **settings.arguments())

    def _authorizer(self, api: RestApiSettings, name: str) -> Any:
        if name in {"iam", "none"}:
            return name
        if name in api.authorizers:
            return self._lambda(name, api.authorizers[name])
        _, pool = self.find(name, "user_pools")
        return CognitoAuthorizer(pool.name, [pool.arn])

    def _jwt(self, api: HttpApiSettings, name: str) -> Any:
        if name in {"iam", "none"}:
            return name
        chosen = api.authorizers.get(name)
        if chosen is not None:
            return JwtAuthorizer(name, chosen.issuer, chosen.audience) if chosen.issuer else self._lambda(name, chosen)
        _, pool = self.find(name, "user_pools")
        return JwtAuthorizer(pool.name, pool.issuer, self.clients[pool.name])

    def _lambda(self, name: str, chosen: AuthorizerSettings) -> LambdaAuthorizer:
        if chosen.function is None:
            raise WiringError(f"authorizer {name!r}: must have a function, got none; name one")
        return LambdaAuthorizer(name, self.find(chosen.function, "functions")[1], **chosen.arguments())

    def _watch(self) -> None:
        tiers = {
            heading: [part for kind in kinds for part in getattr(self, kind).values() if hasattr(part, "watches")]
            for heading, kinds in _TIERS.items()
        }
        watched = [part for parts in tiers.values() for part in parts]
        chosen = self.settings.monitoring
        if chosen.alarms and watched:
            self.alarm_topic = Topic(self.monitoring, "alarms", display_name=f"{self.app.name} {self.app.environment}")
            for address in chosen.emails:
                self.alarm_topic.subscribe_email(address)
            self.alarms = Alarm.each(self.monitoring, watched, notify=self.alarm_topic)
        if chosen.dashboard and watched:
            self.dashboard = Dashboard(self.monitoring, self.app.name, tiers=tiers)


def _in_network(function: Any) -> bool:
    return bool(function.in_network or function.internet or function.connects_to or function.file_system)


def _only(settings: Settings, must: str, *fields: str) -> tuple[str, Any]:
    """Return the one of ``fields`` that is given, and its value."""
    given = [(field, value) for field in fields if (value := getattr(settings, field)) is not None]
    if len(given) != 1:
        got = " and ".join(field for field, _ in given) or "none"
        raise WiringError(f"{must} one of {', '.join(fields[:-1])} or {fields[-1]}, got {got}")
    return given[0]


def _provider(kind: Any, name: str, arguments: dict[str, Any]) -> IdentityProvider:
    match kind:
        case "saml":
            return SamlProvider(name, **arguments)
        case "oidc":
            return OidcProvider(name, **arguments)
        case _:
            return SocialProvider(kind, **arguments)
