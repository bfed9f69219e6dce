"""The node types a cache can have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from archlib.core.assembly import nearest
from archlib.core.component import Check


def _types(prefix: str, families: Mapping[str, str]) -> frozenset[str]:
    return frozenset(f"{prefix}.{family}.{size}" for family, sizes in families.items() for size in sizes.split())


_BURSTING = "micro small medium"
_INTEL = "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge"
_GRAVITON = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"
_WITH_SSD = "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"

CACHE_NODES = _types(
    "cache",
    {
        **dict.fromkeys(("t3", "t4g"), _BURSTING),
        **dict.fromkeys(("m5", "r5"), _INTEL),
        **dict.fromkeys(("c7gn", "c8gn", "m6g", "m7g", "m8g", "r6g", "r7g", "r8g"), _GRAVITON),
    },
)
TIERED_NODES = _types("cache", {"r6gd": _WITH_SSD})
"""Nodes that keep what is rarely used on an SSD; not for Memcached."""

DAX_NODES = _types(
    "dax",
    {
        "t3": "small medium",
        **dict.fromkeys(("r5", "r7i"), "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    },
)


def check_node_type(check: Check, got: str, known: Collection[str]) -> None:
    """Note a node type that is not ``known``, with the one that may be meant."""
    families = ", ".join(sorted({name.split(".")[1] for name in known}))
    example = max(known)
    check.that(
        got in known,
        "node_type", f"like {example!r}, of a family {families}", got, nearest(got, sorted(known)).removeprefix("; "),
    )  # fmt: skip
