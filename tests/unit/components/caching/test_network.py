from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import Component, Stack
from archlib.components.caching.cache import Cache
from archlib.components.caching.dax import Dax
from archlib.components.caching.memcached import Memcached
from archlib.components.caching.serverless_cache import ServerlessCache
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError
from archlib.wiring.binding import Binding
from archlib.wiring.roles import Network

TABLE = Binding("orders", "using orders")
MAKERS: dict[str, Callable[[Stack, Network], Component]] = {
    "cache": lambda stack, network: Cache(stack, "orders", network=network),
    "serverless": lambda stack, network: ServerlessCache(stack, "orders", network=network),
    "memcached": lambda stack, network: Memcached(stack, "orders", network=network),
    "dax": lambda stack, network: Dax(stack, "orders", network=network, table=TABLE),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("isolated", [(), ("subnet-01234567",)])
def test_one_zone_is_not_enough(stack: Stack, make: Callable[[Stack, Any], Component], isolated: Any) -> None:
    network = Vpc.lookup(vpc_id="vpc-01234567", private_subnets=["subnet-01234567"], isolated_subnets=isolated)

    with pytest.raises(SettingsError, match="network must be one with isolated subnets in two zones or more"):
        make(stack, network)
    assert stack.template.resources == {}
