from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.caching.serverless_cache import ServerlessCache
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.vpc import Vpc
from archlib.core.values import encode
from archlib.errors import SettingsError
from archlib.wiring.roles import Network

Rendered = Callable[[], dict[str, Any]]


def test_is_safe_by_default(stack: Stack, network: Network, rendered: Rendered) -> None:
    ServerlessCache(stack, "sessions", network=network)

    found = rendered()["SessionsServerlessCache"]
    cache = found["Properties"]

    assert found["DeletionPolicy"] == found["UpdateReplacePolicy"] == "Retain"
    assert (cache["Engine"], cache["MajorEngineVersion"]) == ("valkey", "8")
    assert cache["KmsKeyId"] == {"Ref": "AppKeyArn"}
    assert cache["SnapshotRetentionLimit"] == 15
    assert cache["SubnetIds"] == list(network.isolated_subnets[:3])
    assert cache["CacheUsageLimits"] == {
        "DataStorage": {"Maximum": 10, "Unit": "GB"},
        "ECPUPerSecond": {"Maximum": 10_000},
    }
    assert "DailySnapshotTime" not in cache


def test_only_its_user_signs_in_and_without_a_password(stack: Stack, network: Network, rendered: Rendered) -> None:
    ServerlessCache(stack, "sessions", network=network, snapshot_time="03:00")

    found = {name: resource["Properties"] for name, resource in rendered().items()}
    user = found["SessionsServerlessCacheUser"]

    assert user["AuthenticationMode"] == {"Type": "iam"}
    assert user["UserId"] == user["UserName"] == "shop-test-sessions"
    assert found["SessionsServerlessCacheUsers"]["UserIds"] == [{"Ref": "SessionsServerlessCacheUser"}]
    assert found["SessionsServerlessCache"]["UserGroupId"] == {"Ref": "SessionsServerlessCacheUsers"}
    assert {each["Engine"] for each in found.values() if "Engine" in each} == {"valkey"}
    assert found["SessionsServerlessCache"]["DailySnapshotTime"] == "03:00"


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_one_connect_is_all_a_function_of_another_stack_needs(layout: Any) -> None:
    app = App("shop", layout=layout)
    network = Vpc(Stack(app, "network"), "main")
    cache = ServerlessCache(Stack(app, "data"), "sessions", network=network)
    code = Code(inline="def handler(event, context): pass")
    Function(Stack(app, "code"), "api", code=code, network=network).connect(cache.for_connecting())

    stacks = {artifact.name: artifact for artifact in app.assemble()}
    home = stacks["shop-dev-code" if layout == "layered" else "shop-dev"].template["Resources"]
    statements = home["ApiFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    signing_in = [each for each in statements if each["Action"] == ["elasticache:Connect"]]
    variables = home["ApiFunction"]["Properties"]["Environment"]["Variables"]

    assert len(signing_in) == 1
    assert len(signing_in[0]["Resource"]) == 2
    assert home["ApiToSessions6379Ingress"]["Properties"]["FromPort"] == 6379
    assert home["ApiToSessions6380Egress"]["Properties"]["ToPort"] == 6380
    assert sorted(variables) == [
        "SESSIONS_CACHE", "SESSIONS_HOST", "SESSIONS_PORT", "SESSIONS_READ_HOST", "SESSIONS_READ_PORT", "SESSIONS_USER",
    ]  # fmt: skip


def test_the_right_names_the_cache_and_its_user(stack: Stack, network: Network) -> None:
    cache = ServerlessCache(stack, "sessions", network=network)

    assert encode(cache.for_connecting().grants[0].resources) == [
        {"Fn::GetAtt": ["SessionsServerlessCache", "ARN"]},
        {
            "Fn::Sub": "arn:${AWS::Partition}:elasticache:${AWS::Region}:${AWS::AccountId}:"
            "user:${SessionsServerlessCacheUser}"
        },
    ]


def test_watches_its_limits(stack: Stack, network: Network) -> None:
    cache = ServerlessCache(stack, "sessions", network=network, storage_max_gb=20, units_max=5000)

    watches = {watch.name: watch for watch in cache.watches()}

    assert list(watches) == ["throttles", "storage", "units", "evictions"]
    assert watches["storage"].threshold == 18_000_000_000
    assert watches["units"].threshold == 1_350_000
    assert encode(watches["units"].dimensions) == {"clusterId": {"Ref": "SessionsServerlessCache"}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"storage_max_gb": 0}, "storage_max_gb must be 1 to 5000"),
        ({"units_max": 10}, "units_max must be 1000 to 15000000"),
        ({"snapshot_days": 36}, "snapshot_days must be 1 to 35"),
        ({"snapshot_time": "24:00"}, "snapshot_time must be like '03:00', in UTC, got '24:00'"),
    ],
)
def test_refuses(stack: Stack, network: Network, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        ServerlessCache(stack, "sessions", network=network, **settings)
    assert stack.template.resources == {}


def test_refuses_a_name_too_long_for_aws(stack: Stack, network: Network) -> None:
    with pytest.raises(SettingsError, match="so short that it has at most 40 characters in AWS"):
        ServerlessCache(stack, "s" * 31, network=network)
