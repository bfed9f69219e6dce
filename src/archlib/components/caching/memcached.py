"""Memcached clusters on ElastiCache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from troposphere import elasticache

from archlib.components.caching.network import check_network, subnet_group
from archlib.components.caching.node_types import CACHE_NODES, check_node_type
from archlib.components.network.security_group import SecurityGroup
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding
from archlib.wiring.roles import Network
from archlib.wiring.watch import Watch

# Older ones know no TLS.
MemcachedVersion = Literal["1.6.22", "1.6.17", "1.6.12"]

_FAMILY = "memcached1.6"
_NODES = (1, 60)
_PORTS = (1150, 65_535)
_CONNECTIONS_MAX = 65_000


class Memcached(Component):
    """A Memcached cluster: TLS only, spread over the zones, and closed to all who are not connected.

    Creates ``<Name>Memcached``, ``<Name>MemcachedSubnets``, ``<Name>MemcachedParameters`` and
    ``<Name>MemcachedSecurityGroup``.

    Each node holds its part of the keys, and no other has a copy. Nothing is ever written to a disk, so there is
    nothing to encrypt there, to snapshot or to keep. ElastiCache has no users or passwords for Memcached: whoever is
    connected can read everything; take :class:`~archlib.components.caching.cache.Cache` where that matters.

    See https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/in-transit-encryption-mc.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        network: the VPC; the nodes are in its isolated subnets, of which there must be two or more.
        version: ``1.6.22``, ``1.6.17`` or ``1.6.12``.
        node_type: such as ``cache.m7g.large``.
        nodes: nodes the keys are spread over, 1 to 60; 40 until AWS raises the quota.
        port: TCP port, 1150 to 65535; another one than the engine's own, because scanners want that.
        parameters: settings of the engine, such as ``{"max_item_size": "2097152"}``.

    Attributes:
        resource: the ``AWS::ElastiCache::CacheCluster``.
        security_group: id of its security group.

    Raises:
        SettingsError: a setting is outside its range.
    """

    kind = "Memcached"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        version: MemcachedVersion = "1.6.22",
        node_type: str = "cache.t4g.small",
        nodes: int = 2,
        port: int = 11_212,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check_network(check, network)
            check.one_of("version", version, get_args(MemcachedVersion))
            check_node_type(check, node_type, CACHE_NODES)
            check.between("nodes", nodes, *_NODES)
            check.between("port", port, *_PORTS)
        self.port = port
        self.security_group: Value = SecurityGroup(stack, f"{name}-memcached", vpc_id=network.vpc_id).group_id
        self.add(
            elasticache.ParameterGroup(
                self.id("MemcachedParameters"),
                CacheParameterGroupFamily=_FAMILY,
                Description=f"Settings of {self}",
                Properties=dict(parameters or {}),
            )
        )
        self.resource = elasticache.CacheCluster(
            self.id(),
            AutoMinorVersionUpgrade=True,
            AZMode="cross-az" if nodes > 1 else "single-az",
            CacheNodeType=node_type,
            CacheParameterGroupName=self.ref("MemcachedParameters"),
            CacheSubnetGroupName=subnet_group(self, network),
            Engine="memcached",
            EngineVersion=version,
            NumCacheNodes=nodes,
            Port=port,
            TransitEncryptionEnabled=True,
            VpcSecurityGroupIds=[self.security_group],
        )
        self.add(self.resource)

    def for_connecting(self) -> Binding:
        """Return what a caller needs to connect: the port, and ``<NAME>_HOST`` and ``<NAME>_PORT``.

        The host is the one where clients with auto discovery learn of all nodes. Connections must use TLS.
        """
        return Binding(
            self.name,
            f"connecting to {self}",
            environment={"HOST": self.attribute("ConfigurationEndpoint.Address"), "PORT": str(self.port)},
            ports=(self.port,),
            security_group=self.security_group,
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that a node is busy or full."""
        return [
            Watch(
                name, f"{title}, of {self}", "AWS/ElastiCache", metric, {"CacheClusterId": self.ref()}, statistic,
                threshold, periods=2,
            )
            for name, title, metric, statistic, threshold in (
                ("cpu", "CPU of the busiest node, percent", "CPUUtilization", "Maximum", 90),
                ("evictions", "Items that had to make room", "Evictions", "Sum", 1000),
                ("swap", "Memory of a node on its disk, bytes", "SwapUsage", "Maximum", 50_000_000),
                ("connections", "Connections to a node", "CurrConnections", "Maximum", _CONNECTIONS_MAX * 8 // 10),
            )
        ]  # fmt: skip
