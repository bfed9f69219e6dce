"""What can be chosen about a serverless architecture: components by name, and what each uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from archlib.blueprints.base import Settings
from archlib.blueprints.derive import LocalPath, settings_of
from archlib.components.apis.authorizers import LambdaAuthorizer
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
from archlib.components.identity.identity_provider import OidcProvider, SamlProvider, SocialProvider
from archlib.components.identity.parameter import Parameter
from archlib.components.identity.secret import Secret
from archlib.components.identity.user_pool import UserPool
from archlib.components.messaging.bus import Bus
from archlib.components.messaging.delivery import Delivery
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.rule import Rule
from archlib.components.messaging.stream import Stream
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.components.observability.tracing import Tracing
from archlib.components.storage.bucket import Bucket
from archlib.components.storage.file_system import FileSystem
from archlib.errors import WiringError

Names = tuple[str, ...]


def only_one(settings: Settings, must: str, *fields: str) -> tuple[str, Any]:
    """Return the one of ``fields`` that is given, and its value.

    Raises:
        WiringError: none or more than one is given; the message starts with ``must``.
    """
    given = [(field, value) for field in fields if (value := getattr(settings, field)) is not None]
    if len(given) != 1:
        got = " and ".join(field for field, _ in given) or "none"
        raise WiringError(f"{must} one of {', '.join(fields[:-1])} or {fields[-1]}, got {got}")
    return given[0]


class Uses(Settings):
    """What a function or a state machine uses, by name; where a name is not enough, write ``tables/orders``."""

    reads: Names = ()
    """Tables, buckets, parameters, secrets and search domains it reads."""

    writes: Names = ()
    """Tables, buckets and search domains it writes."""

    sends_to: Names = ()
    """Queues, topics, buses, streams and deliveries it sends to."""

    starts: Names = ()
    """State machines it starts."""

    invokes: Names = ()
    """Functions it invokes."""

    administers: Names = ()
    """Search domains it administers, by taking on their master role."""


class ConsumptionSettings(settings_of(Consumption)):
    """How records reach the function."""


class FunctionSettings(settings_of(Function, without=("network",)), Uses):
    """A function, what it uses and what runs it."""

    connects_to: Names = ()
    """Databases and caches it connects to; it then runs in the network."""

    mounts: str | None = None
    """File system it sees as the folder ``/mnt/data``, or one access point of it: ``files/images``."""

    in_network: bool = False
    """Run in the network, for what can be reached only there."""

    internet: bool = False
    """Run in the network and open HTTPS connections to the internet through NAT; needs ``network.nat``."""

    consumes: Mapping[str, ConsumptionSettings] = Field(default_factory=dict)
    """Queues, streams and tables (their changes) whose records run it, each with how they arrive."""

    on_success: str | None = None
    """Queue, topic, bus or function that gets the results of asynchronous invocations."""


class StateMachineSettings(settings_of(StateMachine, without=("definition", "on_failure")), Uses):
    """A state machine and what its steps use; each name it uses gives the definition a placeholder."""

    definition: LocalPath | dict[str, Any]
    """Definition in the Amazon States Language: here, or the path of a JSON or YAML file."""


class AuthorizerSettings(settings_of(LambdaAuthorizer, without=("name", "function"))):
    """Who decides whether a request may pass: a function, or the issuer of JSON Web Tokens."""

    function: str | None = None
    """Function that decides."""

    issuer: str | None = None
    """For HTTP APIs, issuer of the tokens: ``https://login.example.com``."""

    audience: Names = ()
    """For HTTP APIs, whom the tokens must be for."""


def _function(value: Any) -> Any:
    """Let the name of a function stand for the whole route."""
    return {"function": value} if isinstance(value, str) else value


class RestRouteSettings(settings_of(RestApi.route, without=("route", "target", "authorizer"))):
    """Where a route leads: to exactly one of the first four."""

    function: str | None = None
    """Function that gets the whole request."""

    queue: str | None = None
    """Queue that gets the body as a message."""

    state_machine: str | None = None
    """State machine that is started with the body."""

    url: str | None = None
    """Web address that answers."""

    authorizer: str | None = None
    """Instead of the API's: ``iam``, ``none`` (public), a user pool, or one of ``authorizers``."""


class HttpRouteSettings(settings_of(HttpApi.route, without=("route", "target", "authorizer"))):
    """Where a route leads: to exactly one of the first two."""

    function: str | None = None
    """Function that gets the whole request."""

    url: str | None = None
    """Web address that answers."""

    authorizer: str | None = None
    """Instead of the API's: ``iam``, ``none`` (public), a user pool, or one of ``authorizers``."""


class RestApiSettings(settings_of(RestApi, without=("authorizer",))):
    """A REST API: validation, caching, API keys, a firewall."""

    authorizer: str = "iam"
    """Who may call: ``iam``, ``none`` (public), a user pool, or one of ``authorizers``."""

    authorizers: Mapping[str, AuthorizerSettings] = Field(default_factory=dict)
    """Authorizers by name."""

    routes: Mapping[
        str, Annotated[RestRouteSettings, BeforeValidator(_function, json_schema_input_type=RestRouteSettings | str)]
    ]
    """Method and path -> a function's name, or more: ``{"GET /orders/{id}": orders}``."""

    firewall: str | None = None
    """Firewall that stands before it."""


class HttpApiSettings(settings_of(HttpApi, without=("authorizer",))):
    """An HTTP API: cheaper and faster, without what only a REST API has."""

    authorizer: str = "iam"
    """Who may call: ``iam``, ``none`` (public), a user pool, or one of ``authorizers``."""

    authorizers: Mapping[str, AuthorizerSettings] = Field(default_factory=dict)
    """Authorizers by name."""

    routes: Mapping[
        str, Annotated[HttpRouteSettings, BeforeValidator(_function, json_schema_input_type=HttpRouteSettings | str)]
    ]
    """Method and path -> a function's name, or more: ``{"GET /orders/{id}": orders}``."""


class SubscriptionSettings(settings_of(Topic.subscribe, without=("target",))):
    """What a subscriber gets."""


class TopicSettings(settings_of(Topic)):
    """A topic and its subscribers."""

    subscribers: Mapping[str, SubscriptionSettings] = Field(default_factory=dict)
    """Queues and functions, and email or ``https://`` addresses."""


class RuleSettings(settings_of(Rule, without=("targets", "bus", "pattern"))):
    """Which events go where."""

    bus: str = "default"
    """Bus it listens to; ``default`` is the one AWS services send to."""

    pattern: Mapping[str, Any] | None = None
    """Event pattern, such as ``{source: [shop.orders], detail-type: [order-placed]}``."""

    bucket: str | None = None
    """Instead of a pattern: the bucket whose new objects are the events."""

    targets: Names
    """Functions, queues, topics, state machines, streams and buses that get the events."""


class DeliverySettings(settings_of(Delivery, without=("bucket", "search", "source"))):
    """Records written in batches to a bucket or to a search domain."""

    bucket: str
    """Bucket the records go to; with a search domain, those that failed."""

    search_domain: str | None = None
    """Search domain the records go to instead; it must let the delivery's role in, once."""

    stream: str | None = None
    """Stream they come from; left out, callers write them."""


class ScheduleSettings(settings_of(Schedule, without=("target", "group"))):
    """Work at certain times."""

    target: str
    """Function, queue, topic, state machine, stream or bus that is started."""


class TableSettings(settings_of(Table)):
    """A DynamoDB table."""


class BucketSettings(settings_of(Bucket)):
    """An S3 bucket."""


class QueueSettings(settings_of(Queue)):
    """A queue with its dead-letter queue."""


class BusSettings(settings_of(Bus)):
    """An event bus."""


class StreamSettings(settings_of(Stream)):
    """A Kinesis data stream."""


class DatabaseSettings(settings_of(Database, without=("network", "events"))):
    """A relational database: PostgreSQL or MySQL."""


class CacheSettings(settings_of(Cache, without=("network",))):
    """A Valkey or Redis OSS cache."""


class SearchSettings(settings_of(Search, without=("network",))):
    """An OpenSearch domain."""


class FileSystemSettings(settings_of(FileSystem, without=("network",))):
    """An EFS file system."""


class NetworkSettings(settings_of(Vpc)):
    """The network for databases and the functions that connect to them."""


class AppClientSettings(settings_of(UserPool.client, without=("providers",))):
    """An application that signs people in."""


class GroupSettings(settings_of(UserPool.group)):
    """A group of people."""


class SamlSettings(settings_of(SamlProvider, without=("name",))):
    """A company's sign-in by SAML 2.0."""


class OidcSettings(settings_of(OidcProvider, without=("name",))):
    """A company's sign-in by OpenID Connect."""


class SocialSettings(settings_of(SocialProvider, without=("name",))):
    """Sign-in with an account of a social network."""


class ProviderSettings(Settings):
    """Where people may sign in instead: exactly one of these."""

    saml: SamlSettings | None = None
    """A company, by SAML 2.0."""

    oidc: OidcSettings | None = None
    """A company, by OpenID Connect."""

    google: SocialSettings | None = None
    """Google."""

    facebook: SocialSettings | None = None
    """Facebook."""

    apple: SocialSettings | None = None
    """Apple."""

    amazon: SocialSettings | None = None
    """Amazon."""


class UserPoolSettings(settings_of(UserPool, without=("sender",))):
    """People who sign in."""

    providers: Mapping[str, ProviderSettings] = Field(default_factory=dict)
    """Where people may sign in instead, by name; every application offers all of them."""

    clients: Mapping[str, AppClientSettings] = Field(default_factory=dict)
    """Applications by name."""

    groups: Mapping[str, GroupSettings] = Field(default_factory=dict)
    """Groups by name."""

    domain: str | None = None
    """Prefix of the address of Cognito's sign-in pages; nobody else in the region may have it."""


class FirewallSettings(settings_of(Firewall)):
    """A web application firewall."""


class SecretSettings(settings_of(Secret, without=("rotation",))):
    """A generated secret."""


class ParameterSettings(settings_of(Parameter)):
    """A configuration value."""


class TracingSettings(settings_of(Tracing)):
    """X-Ray sampling and groups."""


class MonitoringSettings(Settings):
    """Who hears of problems, and where they are seen."""

    alarms: bool = True
    """An alarm for everything worth watching."""

    emails: Names = ()
    """Addresses that are told; each has to confirm once."""

    dashboard: bool = True
    """A dashboard of the whole architecture."""


class ServerlessSettings(Settings):
    """Everything that can be chosen about a serverless architecture."""

    functions: Mapping[str, FunctionSettings] = Field(default_factory=dict)
    """Functions by name."""

    rest_apis: Mapping[str, RestApiSettings] = Field(default_factory=dict)
    """REST APIs by name."""

    http_apis: Mapping[str, HttpApiSettings] = Field(default_factory=dict)
    """HTTP APIs by name."""

    user_pools: Mapping[str, UserPoolSettings] = Field(default_factory=dict)
    """Cognito user pools by name."""

    firewalls: Mapping[str, FirewallSettings] = Field(default_factory=dict)
    """Web application firewalls by name."""

    tables: Mapping[str, TableSettings] = Field(default_factory=dict)
    """Tables by name."""

    buckets: Mapping[str, BucketSettings] = Field(default_factory=dict)
    """Buckets by name."""

    databases: Mapping[str, DatabaseSettings] = Field(default_factory=dict)
    """Relational databases by name."""

    caches: Mapping[str, CacheSettings] = Field(default_factory=dict)
    """Caches by name."""

    search_domains: Mapping[str, SearchSettings] = Field(default_factory=dict)
    """OpenSearch domains by name."""

    file_systems: Mapping[str, FileSystemSettings] = Field(default_factory=dict)
    """File systems by name."""

    queues: Mapping[str, QueueSettings] = Field(default_factory=dict)
    """Queues by name."""

    topics: Mapping[str, TopicSettings] = Field(default_factory=dict)
    """Topics by name."""

    buses: Mapping[str, BusSettings] = Field(default_factory=dict)
    """Event buses by name."""

    rules: Mapping[str, RuleSettings] = Field(default_factory=dict)
    """Event rules by name."""

    streams: Mapping[str, StreamSettings] = Field(default_factory=dict)
    """Data streams by name."""

    deliveries: Mapping[str, DeliverySettings] = Field(default_factory=dict)
    """Deliveries to buckets and search domains by name."""

    state_machines: Mapping[str, StateMachineSettings] = Field(default_factory=dict)
    """State machines by name."""

    schedules: Mapping[str, ScheduleSettings] = Field(default_factory=dict)
    """Schedules by name."""

    secrets: Mapping[str, SecretSettings] = Field(default_factory=dict)
    """Secrets by name."""

    parameters: Mapping[str, ParameterSettings] = Field(default_factory=dict)
    """Configuration values by name."""

    network: NetworkSettings | None = None
    """The network; made with its defaults if something needs one."""

    tracing: TracingSettings | None = None
    """X-Ray sampling and groups; AWS's defaults if left out."""

    monitoring: MonitoringSettings = MonitoringSettings()
    """Alarms and dashboard."""
