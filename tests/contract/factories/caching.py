from archlib import Component, Stack
from archlib.components.caching.cache import Cache
from archlib.components.caching.dax import Dax
from archlib.components.caching.memcached import Memcached
from archlib.components.caching.serverless_cache import ServerlessCache
from archlib.components.data.table import Table
from archlib.components.network.vpc import Vpc

NETWORK = Vpc.lookup(
    vpc_id="vpc-0123456789abcdef0",
    private_subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    isolated_subnets=["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
)


def cache(stack: Stack) -> Component:
    return Cache(stack, "sessions", network=NETWORK)


def cache_with_shards(stack: Stack) -> Component:
    return Cache(
        stack,
        "sessions",
        network=NETWORK,
        engine="redis",
        node_type="cache.r6gd.xlarge",
        shards=3,
        replicas=2,
        maintenance_window="sun:03:00-sun:04:00",
        parameters={"maxmemory-policy": "allkeys-lru"},
    )


def serverless_cache(stack: Stack) -> Component:
    return ServerlessCache(stack, "sessions", network=NETWORK, snapshot_time="03:00")


def memcached(stack: Stack) -> Component:
    return Memcached(stack, "pages", network=NETWORK, parameters={"max_item_size": "2097152"})


def dax(stack: Stack) -> Component:
    table = Table(stack, "orders", partition_key="customer")
    return Dax(stack, "orders-cache", network=NETWORK, table=table.for_reading_and_writing())


FACTORIES = (cache, cache_with_shards, serverless_cache, memcached, dax)
