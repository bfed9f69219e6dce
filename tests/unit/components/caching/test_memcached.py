from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import Stack
from archlib.components.caching.memcached import Memcached
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.core.values import encode
from archlib.errors import SettingsError
from archlib.wiring.roles import Network

Rendered = Callable[[], dict[str, Any]]


def test_is_safe_by_default(stack: Stack, network: Network, rendered: Rendered) -> None:
    Memcached(stack, "pages", network=network)

    found = rendered()
    cluster = found["PagesMemcached"]["Properties"]

    assert (cluster["Engine"], cluster["EngineVersion"], cluster["Port"]) == ("memcached", "1.6.22", 11_212)
    assert cluster["TransitEncryptionEnabled"] is cluster["AutoMinorVersionUpgrade"] is True
    assert (cluster["AZMode"], cluster["NumCacheNodes"]) == ("cross-az", 2)
    assert found["PagesMemcachedParameters"]["Properties"]["CacheParameterGroupFamily"] == "memcached1.6"
    assert found["PagesMemcachedSubnets"]["Properties"]["SubnetIds"] == network.isolated_subnets
    assert cluster["CacheSubnetGroupName"] == {"Ref": "PagesMemcachedSubnets"}
    assert "SecurityGroupIngress" not in found["PagesMemcachedSecurityGroup"]["Properties"]


def test_one_node_is_in_one_zone(stack: Stack, network: Network, rendered: Rendered) -> None:
    Memcached(stack, "pages", network=network, nodes=1, parameters={"max_item_size": "2097152"})

    found = rendered()

    assert found["PagesMemcached"]["Properties"]["AZMode"] == "single-az"
    assert found["PagesMemcachedParameters"]["Properties"]["Properties"] == {"max_item_size": "2097152"}


def test_callers_learn_where_it_is_and_need_no_right(stack: Stack, network: Network, rendered: Rendered) -> None:
    memcached = Memcached(stack, "pages", network=network)
    code = Code(inline="def handler(event, context): pass")
    Function(stack, "api", code=code, network=network).connect(memcached.for_connecting())

    found = rendered()

    assert found["ApiFunction"]["Properties"]["Environment"]["Variables"] == {
        "PAGES_HOST": {"Fn::GetAtt": ["PagesMemcached", "ConfigurationEndpoint.Address"]},
        "PAGES_PORT": "11212",
    }
    assert found["ApiToPages11212Ingress"]["Properties"]["FromPort"] == 11_212
    assert memcached.for_connecting().grants == ()


def test_watches_its_nodes(stack: Stack, network: Network) -> None:
    watches = {watch.name: watch for watch in Memcached(stack, "pages", network=network).watches()}

    assert list(watches) == ["cpu", "evictions", "swap", "connections"]
    assert encode(watches["swap"].dimensions) == {"CacheClusterId": {"Ref": "PagesMemcached"}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"version": "1.5.16"}, "version must be one of 1.6.22, 1.6.17, 1.6.12"),
        ({"node_type": "cache.r6gd.xlarge"}, "node_type must be like 'cache.t4g.small'"),
        ({"nodes": 0}, "nodes must be 1 to 60"),
        ({"nodes": 61}, "nodes must be 1 to 60"),
        ({"port": 1}, "port must be 1150 to 65535"),
    ],
)
def test_refuses(stack: Stack, network: Network, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Memcached(stack, "pages", network=network, **settings)
    assert stack.template.resources == {}
