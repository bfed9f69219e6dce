from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.caching.cache import Cache
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.vpc import Vpc
from archlib.core.values import encode
from archlib.errors import SettingsError
from archlib.wiring.roles import Network

Rendered = Callable[[], dict[str, Any]]


def test_is_safe_by_default(stack: Stack, network: Network, rendered: Rendered) -> None:
    Cache(stack, "sessions", network=network)

    found = rendered()["SessionsCache"]
    group = found["Properties"]

    assert found["DeletionPolicy"] == found["UpdateReplacePolicy"] == "Snapshot"
    assert group["AtRestEncryptionEnabled"] is group["TransitEncryptionEnabled"] is True
    assert group["TransitEncryptionMode"] == "required"
    assert group["MultiAZEnabled"] is group["AutomaticFailoverEnabled"] is group["AutoMinorVersionUpgrade"] is True
    assert (group["Engine"], group["EngineVersion"], group["Port"]) == ("valkey", "8.2", 6380)
    assert (group["NumNodeGroups"], group["ReplicasPerNodeGroup"]) == (1, 1)
    assert group["SnapshotRetentionLimit"] == 15
    assert "PreferredMaintenanceWindow" not in group
    assert "DataTieringEnabled" not in group


def test_nobody_sees_the_token(stack: Stack, network: Network, rendered: Rendered) -> None:
    Cache(stack, "sessions", network=network)

    found = rendered()
    secret = found["SessionsCacheSecret"]
    generated = secret["Properties"]["GenerateSecretString"]

    assert found["SessionsCache"]["Properties"]["AuthToken"] == {
        "Fn::Sub": "{{resolve:secretsmanager:${SessionsCacheSecret}:SecretString}}"
    }
    assert generated["PasswordLength"] == 64
    assert set("@\"/%*'") <= set(generated["ExcludeCharacters"])
    assert secret["Properties"]["KmsKeyId"] == found["SessionsCache"]["Properties"]["KmsKeyId"]
    assert "SECRETSMANAGER_ROTATION_ENABLED_CHECK" in json.dumps(secret["Metadata"])


def test_sits_in_isolated_subnets_and_is_closed(stack: Stack, network: Network, rendered: Rendered) -> None:
    Cache(stack, "sessions", network=network)

    found = rendered()

    assert found["SessionsCacheSubnets"]["Properties"]["SubnetIds"] == network.isolated_subnets
    assert found["SessionsCache"]["Properties"]["CacheSubnetGroupName"] == {"Ref": "SessionsCacheSubnets"}
    assert "SecurityGroupIngress" not in found["SessionsCacheSecurityGroup"]["Properties"]


def test_logs_what_is_slow_and_what_the_engine_reports(stack: Stack, network: Network, rendered: Rendered) -> None:
    Cache(stack, "sessions", network=network, log_retention_days=30)

    found = rendered()
    delivered = {each["LogType"]: each for each in found["SessionsCache"]["Properties"]["LogDeliveryConfigurations"]}

    assert sorted(delivered) == ["engine-log", "slow-log"]
    assert {each["LogFormat"] for each in delivered.values()} == {"json"}
    assert delivered["slow-log"]["DestinationDetails"]["CloudWatchLogsDetails"]["LogGroup"] == {
        "Ref": "SessionsCacheSlowLogGroup"
    }
    assert found["SessionsCacheSlowLogGroup"]["Properties"]["RetentionInDays"] == 30
    assert "KmsKeyId" in found["SessionsCacheEngineLogGroup"]["Properties"]


@pytest.mark.parametrize(
    ("settings", "family"),
    [
        ({}, "valkey8"),
        ({"version": "7.2"}, "valkey7"),
        ({"version": "9.0"}, "valkey9"),
        ({"engine": "redis"}, "redis7"),
        ({"engine": "redis", "version": "6.2"}, "redis6.x"),
    ],
)
def test_parameters_fit_the_version(
    stack: Stack, network: Network, rendered: Rendered, settings: dict[str, Any], family: str
) -> None:
    Cache(stack, "sessions", network=network, parameters={"maxmemory-policy": "allkeys-lru"}, **settings)

    group = rendered()["SessionsCacheParameters"]["Properties"]

    assert group["CacheParameterGroupFamily"] == family
    assert group["Properties"] == {"cluster-enabled": "no", "maxmemory-policy": "allkeys-lru"}


def test_with_shards_cluster_mode_is_on_and_shards_come_and_go(
    stack: Stack, network: Network, rendered: Rendered
) -> None:
    cache = Cache(stack, "sessions", network=network, shards=3, replicas=2, maintenance_window="sun:03:00-sun:04:00")

    found = rendered()
    group = found["SessionsCache"]

    assert found["SessionsCacheParameters"]["Properties"]["Properties"] == {"cluster-enabled": "yes"}
    assert (group["Properties"]["NumNodeGroups"], group["Properties"]["ReplicasPerNodeGroup"]) == (3, 2)
    assert group["UpdatePolicy"] == {"UseOnlineResharding": True}
    assert group["Properties"]["PreferredMaintenanceWindow"] == "sun:03:00-sun:04:00"
    assert encode(cache.host) == {"Fn::GetAtt": ["SessionsCache", "ConfigurationEndPoint.Address"]}
    assert encode(cache.read_host) == encode(cache.host)


@pytest.mark.parametrize(("shards", "failover"), [(None, False), (1, True)])
def test_without_replicas_there_is_no_other_zone(
    stack: Stack, network: Network, rendered: Rendered, shards: int | None, *, failover: bool
) -> None:
    cache = Cache(stack, "sessions", network=network, shards=shards, replicas=0)

    group = rendered()["SessionsCache"]["Properties"]

    assert group["MultiAZEnabled"] is False
    assert group["AutomaticFailoverEnabled"] is failover
    assert encode(cache.read_host) == encode(cache.host)


def test_nodes_with_an_ssd_use_it(stack: Stack, network: Network, rendered: Rendered) -> None:
    Cache(stack, "sessions", network=network, node_type="cache.r6gd.2xlarge")

    assert rendered()["SessionsCache"]["Properties"]["DataTieringEnabled"] is True


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_one_connect_is_all_a_function_of_another_stack_needs(layout: Any) -> None:
    app = App("shop", layout=layout)
    network = Vpc(Stack(app, "network"), "main", endpoints=("secretsmanager",))
    cache = Cache(Stack(app, "data"), "sessions", network=network)
    code = Code(inline="def handler(event, context): pass")
    Function(Stack(app, "code"), "api", code=code, network=network).connect(cache.for_connecting())

    stacks = {artifact.name: artifact for artifact in app.assemble()}
    home = stacks["shop-dev-code" if layout == "layered" else "shop-dev"].template["Resources"]
    statements = home["ApiFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    variables = home["ApiFunction"]["Properties"]["Environment"]["Variables"]

    assert {"secretsmanager:GetSecretValue", "kms:Decrypt"} <= {a for each in statements for a in each["Action"]}
    assert home["ApiToSessions6380Ingress"]["Properties"]["FromPort"] == 6380
    assert home["ApiToSessions6380Egress"]["Properties"]["ToPort"] == 6380
    assert sorted(variables) == ["SESSIONS_HOST", "SESSIONS_PORT", "SESSIONS_READ_HOST", "SESSIONS_SECRET_ARN"]
    assert variables["SESSIONS_PORT"] == "6380"
    assert "resolve" not in json.dumps(variables)


def test_watches_each_node(stack: Stack, network: Network) -> None:
    cache = Cache(stack, "sessions", network=network)

    watches = {watch.name: watch for watch in cache.watches()}

    assert list(watches)[:5] == ["cpu-n1", "memory-n1", "evictions-n1", "connections-n1", "lag-n1"]
    assert len(watches) == 10
    assert encode(watches["cpu-n2"].dimensions) == {"CacheClusterId": {"Fn::Sub": "${SessionsCache}-002"}}
    assert (watches["evictions-n1"].statistic, watches["memory-n1"].statistic) == ("Sum", "Maximum")
    assert watches["connections-n1"].threshold == 52_000


def test_watches_each_node_of_each_shard(stack: Stack, network: Network) -> None:
    cache = Cache(stack, "sessions", network=network, shards=2, replicas=0)

    watches = {watch.name: watch for watch in cache.watches()}

    assert [name for name in watches if name.startswith("cpu")] == ["cpu-s1-n1", "cpu-s2-n1"]
    assert encode(watches["memory-s2-n1"].dimensions) == {"CacheClusterId": {"Fn::Sub": "${SessionsCache}-0002-001"}}
    assert not any(name.startswith("lag") for name in watches)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "memcached"}, "engine must be one of valkey, redis, got 'memcached'"),
        ({"version": "8"}, "version must be one of 7.2, 8.0, 8.1, 8.2, 9.0, 9.1, got '8'"),
        ({"engine": "redis", "version": "8.2"}, "version must be one of 6.2, 7.0, 7.1, got '8.2'"),
        ({"node_type": "cache.r7g.lage"}, "got 'cache.r7g.lage'; did you mean 'cache.r7g.large'?"),
        ({"shards": 0}, "shards must be 1 to 500, got 0"),
        ({"replicas": 6}, "replicas must be 0 to 5, got 6"),
        ({"shards": 200, "replicas": 2}, "so many that there are at most 500 nodes, got 600"),
        ({"port": 80}, "port must be 1150 to 65535"),
        ({"snapshot_days": 0}, "snapshot_days must be 1 to 35"),
        ({"maintenance_window": "sunday"}, "maintenance_window must be like 'sun:03:00-sun:04:00', in UTC"),
        ({"parameters": {"cluster-enabled": "yes"}}, "parameters must be without cluster-enabled; set shards"),
    ],
)
def test_refuses(stack: Stack, network: Network, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Cache(stack, "sessions", network=network, **settings)

    assert message in str(caught.value)
    assert stack.template.resources == {}


def test_a_throw_away_environment_keeps_nothing(network: Network) -> None:
    app = App("shop", removal="Delete")
    Cache(Stack(app, "data"), "sessions", network=network)

    resources = [each for stack in app.assemble() for each in stack.template["Resources"].values()]
    assert {each.get("DeletionPolicy", "Delete") for each in resources} == {"Delete"}
