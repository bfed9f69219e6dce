"""Valkey caches on ElastiCache Serverless."""

from __future__ import annotations

import re
from collections.abc import Sequence

from troposphere import elasticache

from archlib.components.caching.network import check_network
from archlib.components.identity.key import Key
from archlib.components.network.security_group import SecurityGroup
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value, arn, join
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.roles import Network
from archlib.wiring.watch import Watch

# Redis OSS wants a default user beside those of IAM, which anybody could try a password on.
_ENGINE, _MAJOR_VERSION = "valkey", "8"
# Serverless listens on the second port for reads that may be behind; nobody can choose them.
_PORT, _READ_PORT = 6379, 6380
_GIGABYTES, _UNITS = (1, 5000), (1000, 15_000_000)
_SNAPSHOT_DAYS = (1, 35)
_SUBNETS_MAX = 3
_NAME_MAX = 40
_DAILY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_GB = 10**9


class ServerlessCache(Component):
    """A Valkey cache that grows and shrinks by itself: encrypted, TLS only, and opened by IAM.

    Creates ``<Name>ServerlessCache``, ``<Name>ServerlessCacheSecurityGroup``, ``<Name>ServerlessCacheUser`` and
    ``<Name>ServerlessCacheUsers``. There is no password: callers sign in as the user with a token that IAM signs and
    that is valid for 15 minutes; client libraries renew it, see
    https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html

    ElastiCache keeps three copies in as many zones, speaks the cluster protocol only, and has no logs to deliver. It
    is named ``<app>-<environment>-<name>``, because AWS demands a name.

    See https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.corecomponents.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        network: the VPC; the cache is reached in up to three of its isolated subnets, of which there must be two or
            more.
        storage_max_gb: data at most, 1 to 5000 GB; then keys with an expiry make room.
        units_max: work at most, 1000 to 15000000 ElastiCache processing units a second; then commands are throttled.
        snapshot_days: days a daily snapshot is kept, 1 to 35.
        snapshot_time: when it is taken, such as ``03:00`` (UTC); by default AWS chooses.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::ElastiCache::ServerlessCache``.
        security_group: id of its security group.

    Raises:
        SettingsError: a setting is outside its range, or the name gets too long.
    """

    kind = "ServerlessCache"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        storage_max_gb: int = 10,
        units_max: int = 10_000,
        snapshot_days: int = 15,
        snapshot_time: str | None = None,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        physical_name = f"{stack.app.name}-{stack.app.environment}-{name}"
        with self.checking() as check:
            check_network(check, network)
            check.between("storage_max_gb", storage_max_gb, *_GIGABYTES)
            check.between("units_max", units_max, *_UNITS)
            check.between("snapshot_days", snapshot_days, *_SNAPSHOT_DAYS)
            check.that(
                snapshot_time is None or _DAILY.fullmatch(snapshot_time),
                "snapshot_time", "like '03:00', in UTC", snapshot_time,
            )  # fmt: skip
            check.that(
                len(physical_name) <= _NAME_MAX,
                "name", f"so short that it has at most {_NAME_MAX} characters in AWS", physical_name, "shorten it",
            )  # fmt: skip
        self.key = key or Key.of(stack)
        self.storage_max_gb = storage_max_gb
        self.units_max = units_max
        self.security_group: Value = SecurityGroup(stack, f"{name}-serverless-cache", vpc_id=network.vpc_id).group_id
        user = self.add(
            elasticache.User(
                self.id("ServerlessCacheUser"),
                AccessString="on ~* &* +@all",
                AuthenticationMode=elasticache.AuthenticationMode(Type="iam"),
                Engine=_ENGINE,
                UserId=physical_name,
                # IAM wants both to be the same.
                UserName=physical_name,
            )
        )
        users = self.add(
            elasticache.UserGroup(
                self.id("ServerlessCacheUsers"), Engine=_ENGINE, UserGroupId=physical_name, UserIds=[user.ref()]
            )
        )
        self.resource = elasticache.ServerlessCache(
            self.id(),
            CacheUsageLimits=elasticache.CacheUsageLimits(
                DataStorage=elasticache.DataStorage(Maximum=storage_max_gb, Unit="GB"),
                ECPUPerSecond=elasticache.ECPUPerSecond(Maximum=units_max),
            ),
            Description=f"{name} of {stack.app.name} ({stack.app.environment})",
            Engine=_ENGINE,
            KmsKeyId=self.key.arn,
            MajorEngineVersion=_MAJOR_VERSION,
            SecurityGroupIds=[self.security_group],
            ServerlessCacheName=physical_name,
            SnapshotRetentionLimit=snapshot_days,
            SubnetIds=list(network.isolated_subnets[:_SUBNETS_MAX]),
            UserGroupId=users.ref(),
        )
        if snapshot_time is not None:
            self.resource.DailySnapshotTime = snapshot_time
        self.add(self.resource, stateful=True)

    @property
    def arn(self) -> Value:
        """ARN of the cache."""
        return self.attribute("ARN")

    def for_connecting(self) -> Binding:
        """Return what a caller needs to connect: the ports, the right to sign in as its user, and where to.

        Its environment gets ``<NAME>_HOST``, ``<NAME>_READ_HOST``, ``<NAME>_PORT``, ``<NAME>_READ_PORT``,
        ``<NAME>_CACHE`` (the name a token is for) and ``<NAME>_USER``. Connections must use TLS (``rediss://``).
        """
        user = arn("elasticache", join("user:", self.ref("ServerlessCacheUser")))
        return Binding(
            self.name,
            f"connecting to {self}",
            (Grant(("elasticache:Connect",), (self.arn, user)),),
            {
                "HOST": self.attribute("Endpoint.Address"),
                "READ_HOST": self.attribute("ReaderEndpoint.Address"),
                "PORT": str(_PORT),
                "READ_PORT": str(_READ_PORT),
                "CACHE": self.ref(),
                "USER": self.ref("ServerlessCacheUser"),
            },
            ports=(_PORT, _READ_PORT),
            security_group=self.security_group,
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that it reaches its limits."""
        dimensions = {"clusterId": self.ref()}
        return [
            Watch(name, f"{title}, of {self}", "AWS/ElastiCache", metric, dimensions, statistic, threshold)
            for name, title, metric, statistic, threshold in (
                ("throttles", "Commands that were throttled", "ThrottledCmds", "Sum", 1),
                ("storage", "Stored bytes", "BytesUsedForCache", "Maximum", self.storage_max_gb * _GB * 9 // 10),
                # The metric adds up five minutes, the limit is for a second.
                ("units", "Processing units", "ElastiCacheProcessingUnits", "Sum", self.units_max * 300 * 9 // 10),
                ("evictions", "Keys that had to make room", "Evictions", "Sum", 1000),
            )
        ]  # fmt: skip
