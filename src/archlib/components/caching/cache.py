"""Valkey and Redis OSS caches on ElastiCache."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from string import punctuation
from typing import Literal

from troposphere import elasticache
from troposphere.policies import UpdatePolicy

from archlib.components.caching.network import check_network, subnet_group
from archlib.components.caching.node_types import CACHE_NODES, TIERED_NODES, check_node_type
from archlib.components.identity.key import Key
from archlib.components.identity.secret import Secret
from archlib.components.network.security_group import SecurityGroup
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value, join
from archlib.wiring.binding import Binding
from archlib.wiring.roles import Network
from archlib.wiring.watch import Watch

CacheEngine = Literal["valkey", "redis"]

# engine -> version -> family of parameter groups; the first version is the one taken by default
_VERSIONS: Mapping[str, Mapping[str, str]] = {
    "valkey": {
        "8.2": "valkey8", "8.1": "valkey8", "8.0": "valkey8", "7.2": "valkey7", "9.0": "valkey9", "9.1": "valkey9",
    },
    "redis": {"7.1": "redis7", "7.0": "redis7", "6.2": "redis6.x"},
}  # fmt: skip
_CLUSTER = "cluster-enabled"
_SHARDS, _REPLICAS, _NODES_MAX = (1, 500), (0, 5), 500
_PORTS = (1150, 65_535)
_SNAPSHOT_DAYS = (1, 35)
_WINDOW = re.compile(r"(sun|mon|tue|wed|thu|fri|sat):[0-2]\d:[0-5]\d-(sun|mon|tue|wed|thu|fri|sat):[0-2]\d:[0-5]\d")
_TOKEN_LENGTH = 64
# ElastiCache takes few other characters than letters and digits, and most of those trouble shells.
_NOT_IN_TOKEN = punctuation.replace("-", "")
_CONNECTIONS_MAX = 65_000


class Cache(Component):
    """A Valkey or Redis OSS cache: encrypted, TLS only, with an AUTH token, and closed to all who are not connected.

    Creates ``<Name>Cache`` (the replication group), ``<Name>CacheSubnets``, ``<Name>CacheParameters``,
    ``<Name>CacheSecurityGroup``, ``<Name>CacheSecret`` with the AUTH token, and ``<Name>CacheSlowLogGroup`` and
    ``<Name>CacheEngineLogGroup`` for what was slow and what the engine reports, as JSON.

    AWS generates the token, and no template holds it. To rotate it, write a new value to the secret, then call
    ``aws elasticache modify-replication-group`` with it and the strategy ``ROTATE``, and with ``SET`` once all callers
    have read it.

    Without ``shards``, every client library can use it. With ``shards``, cluster mode is on: clients must speak the
    cluster protocol, shards may be added and removed while it runs, and one key lives in one shard. One kind cannot
    become the other, nor can its port change: make a new cache.

    See https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/BestPractices.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        network: the VPC; the cache is in its isolated subnets, of which there must be two or more. Code that reads the
            token there needs the endpoint ``secretsmanager``.
        engine: ``valkey`` or ``redis``.
        version: such as ``8.2`` for Valkey or ``7.1`` for Redis OSS; by default one of these.
        node_type: such as ``cache.r7g.large``; with ``r6gd``, what is rarely used moves to an SSD.
        shards: parts the keys are spread over, 1 to 500, with cluster mode; left out, one without.
        replicas: copies of each shard in other zones, 0 to 5; they answer reads, and one takes over when its primary
            fails. All shards together have at most 500 nodes, and 90 until AWS raises the quota.
        port: TCP port, 1150 to 65535; another one than the engine's own, because scanners want that.
        snapshot_days: days a daily snapshot is kept, 1 to 35.
        maintenance_window: when AWS may patch it, such as ``sun:03:00-sun:04:00`` (UTC); by default AWS chooses.
        parameters: settings of the engine, such as ``{"maxmemory-policy": "allkeys-lru"}``.
        log_retention_days: days a log event is kept.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::ElastiCache::ReplicationGroup``.
        secret: the :class:`Secret` with the AUTH token.
        security_group: id of its security group.

    Raises:
        SettingsError: a setting is outside its range, or does not fit the engine.
    """

    kind = "Cache"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        engine: CacheEngine = "valkey",
        version: str | None = None,
        node_type: str = "cache.t4g.small",
        shards: int | None = None,
        replicas: int = 1,
        port: int = 6380,
        snapshot_days: int = 15,
        maintenance_window: str | None = None,
        parameters: Mapping[str, str] | None = None,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        versions = _VERSIONS.get(engine, _VERSIONS["valkey"])
        version = next(iter(versions)) if version is None else version
        with self.checking() as check:
            check_network(check, network)
            check_retention(check, log_retention_days)
            check.one_of("engine", engine, _VERSIONS)
            check.one_of("version", version, sorted(versions))
            check_node_type(check, node_type, CACHE_NODES | TIERED_NODES)
            check.between("shards", shards, *_SHARDS)
            check.between("replicas", replicas, *_REPLICAS)
            nodes = (shards or 1) * (replicas + 1)
            check.that(nodes <= _NODES_MAX, "shards", f"so many that there are at most {_NODES_MAX} nodes", nodes)
            check.between("port", port, *_PORTS)
            check.between("snapshot_days", snapshot_days, *_SNAPSHOT_DAYS)
            check.that(
                maintenance_window is None or _WINDOW.fullmatch(maintenance_window),
                "maintenance_window", "like 'sun:03:00-sun:04:00', in UTC", maintenance_window,
            )  # fmt: skip
            check.that(_CLUSTER not in (parameters or {}), "parameters", f"without {_CLUSTER}; set shards", parameters)
        self.port = port
        self.shards = shards
        self.replicas = replicas
        self.key = key or Key.of(stack)
        part = f"{name}-cache"
        self.security_group: Value = SecurityGroup(stack, part, vpc_id=network.vpc_id).group_id
        self.secret = Secret(
            stack, part, length=_TOKEN_LENGTH, exclude_characters=_NOT_IN_TOKEN,
            description=f"AUTH token of {self}", key=self.key,
        )  # fmt: skip
        suppress(self.secret.resource, "auth-token-rotation")
        self.add(
            elasticache.ParameterGroup(
                self.id("CacheParameters"),
                CacheParameterGroupFamily=versions[version],
                Description=f"Settings of {self}",
                Properties={_CLUSTER: "yes" if shards else "no", **(parameters or {})},
            )
        )
        self.resource = elasticache.ReplicationGroup(
            self.id(),
            AtRestEncryptionEnabled=True,
            AuthToken=join("{{resolve:secretsmanager:", self.secret.arn, ":SecretString}}"),
            AutoMinorVersionUpgrade=True,
            # Cluster mode insists on it, even where there is nothing to fail over to.
            AutomaticFailoverEnabled=replicas > 0 or shards is not None,
            CacheNodeType=node_type,
            CacheParameterGroupName=self.ref("CacheParameters"),
            CacheSubnetGroupName=subnet_group(self, network),
            Engine=engine,
            EngineVersion=version,
            KmsKeyId=self.key.arn,
            LogDeliveryConfigurations=[
                self._deliver("slow", log_retention_days),
                self._deliver("engine", log_retention_days),
            ],
            MultiAZEnabled=replicas > 0,
            NumNodeGroups=shards or 1,
            Port=port,
            ReplicasPerNodeGroup=replicas,
            ReplicationGroupDescription=f"{name} of {stack.app.name} ({stack.app.environment})",
            SecurityGroupIds=[self.security_group],
            SnapshotRetentionLimit=snapshot_days,
            TransitEncryptionEnabled=True,
            TransitEncryptionMode="required",
            # Without it, another number of shards would make a new, empty cache.
            UpdatePolicy=UpdatePolicy(UseOnlineResharding=True),
        )
        if node_type in TIERED_NODES:
            self.resource.DataTieringEnabled = True
        if maintenance_window is not None:
            self.resource.PreferredMaintenanceWindow = maintenance_window
        self.add(self.resource, stateful=True)

    @property
    def host(self) -> Value:
        """Host name for reading and writing; with shards, the one where clients learn of them."""
        return self.attribute("ConfigurationEndPoint.Address" if self.shards else "PrimaryEndPoint.Address")

    @property
    def read_host(self) -> Value:
        """Host name for reading; the same as ``host`` with shards or without replicas."""
        return self.attribute("ReaderEndPoint.Address") if self.replicas and not self.shards else self.host

    def for_connecting(self) -> Binding:
        """Return what a caller needs to connect: the port, the right to read the AUTH token, and where to.

        Its environment gets ``<NAME>_HOST``, ``<NAME>_READ_HOST``, ``<NAME>_PORT`` and ``<NAME>_SECRET_ARN``.
        Connections must use TLS (``rediss://``), with certificates of Amazon Trust Services, and the token as password.
        """
        return Binding(
            self.name,
            f"connecting to {self}",
            self.secret.for_reading().grants,
            {"HOST": self.host, "READ_HOST": self.read_host, "PORT": str(self.port)},
            {"SECRET_ARN": self.secret.arn},
            (self.port,),
            self.security_group,
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows for each node that it is busy, full, or behind."""
        return [watch for place, words, node in self._nodes() for watch in self._watch(place, words, node)]

    def _deliver(self, kind: str, retention_days: int) -> elasticache.LogDeliveryConfigurationRequest:
        group = LogGroup(self.stack, f"{self.name}-cache-{kind}", retention_days=retention_days, key=self.key)
        return elasticache.LogDeliveryConfigurationRequest(
            DestinationDetails=elasticache.DestinationDetails(
                CloudWatchLogsDetails=elasticache.CloudWatchLogsDestinationDetails(LogGroup=group.group_name)
            ),
            DestinationType="cloudwatch-logs",
            LogFormat="json",
            LogType=f"{kind}-log",
        )

    def _nodes(self) -> Iterator[tuple[str, str, Value]]:
        """Yield each node as part of names, in words, and as metrics call it."""
        for node in range(1, self.replicas + 2):
            if not self.shards:
                yield f"n{node}", f"node {node} of {self}", join(self.ref(), f"-{node:03}")
            for shard in range(1, (self.shards or 0) + 1):
                yield (
                    f"s{shard}-n{node}",
                    f"node {node} of shard {shard} of {self}",
                    join(self.ref(), f"-{shard:04}-{node:03}"),
                )

    def _watch(self, place: str, words: str, node: Value) -> Iterator[Watch]:
        dimensions = {"CacheClusterId": node}
        for name, title, metric, threshold in (
            ("cpu", "Engine CPU, percent", "EngineCPUUtilization", 80),
            ("memory", "Used memory, percent", "DatabaseMemoryUsagePercentage", 90),
            ("evictions", "Keys that had to make room", "Evictions", 1000),
            ("connections", "Connections", "CurrConnections", _CONNECTIONS_MAX * 8 // 10),
            *((("lag", "Lag, seconds", "ReplicationLag", 30),) if self.replicas else ()),
        ):
            statistic = "Sum" if metric == "Evictions" else "Maximum"
            yield Watch(
                f"{name}-{place}", f"{title}, of {words}", "AWS/ElastiCache", metric, dimensions, statistic, threshold,
                periods=2,
            )  # fmt: skip
