"""Where a cache is: in subnets that no route leads out of."""

from __future__ import annotations

from troposphere import elasticache

from archlib.core.component import Check, Component
from archlib.core.values import Value
from archlib.wiring.roles import Network


def check_network(check: Check, network: Network) -> None:
    """Note a network in which a cache cannot survive the loss of a zone."""
    subnets = len(network.isolated_subnets)
    check.that(subnets > 1, "network", "one with isolated subnets in two zones or more", subnets)


def subnet_group(cache: Component, network: Network) -> Value:
    """Add the ElastiCache subnet group of ``cache`` and return its name."""
    group = elasticache.SubnetGroup(
        cache.id(f"{cache.kind}Subnets"),
        Description=f"Isolated subnets for {cache}",
        SubnetIds=list(network.isolated_subnets),
    )
    return cache.add(group).ref()
