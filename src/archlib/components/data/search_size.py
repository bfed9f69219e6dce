"""How large a search domain is, and on which instances it runs."""

from __future__ import annotations

from archlib.core.assembly import nearest
from archlib.core.component import Check

_GRAVITON = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge"
_NEWER = f"{_GRAVITON} 16xlarge"
_INTEL = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"
_FAMILIES = {
    "t3": "small medium",
    **dict.fromkeys(("c6g", "m6g", "r6g"), _GRAVITON),
    **dict.fromkeys(("c7i", "m7i", "r7i"), _INTEL),
    "c7g": _NEWER,
    **dict.fromkeys(("m7g", "r7g"), f"medium {_NEWER}"),
}
# Those with disks of their own take no EBS volume, and are left out.
INSTANCE_TYPES = frozenset(f"{family}.{size}.search" for family, sizes in _FAMILIES.items() for size in sizes.split())

_ZONES_MAX = 3
_DATA_NODES_BY_ZONES = {1: 1, 2: 4, 3: 3}
_DATA_NODES_MAX = 80
_MASTERS = (0, 3, 5)
_STORAGE = (10, 24_576)
_IOPS, _IOPS_PER_GIB = (3_000, 80_000), 500
_MIBPS, _IOPS_PER_MIBPS = (125, 2_000), 4


def zones_of(zones: int | None, subnets: int) -> int:
    """Return ``zones``, by default as many as there are subnets, at most three."""
    return min(_ZONES_MAX, subnets) if zones is None else zones


def data_nodes_of(data_nodes: int | None, zones: int) -> int:
    """Return ``data_nodes``, by default the fewest that survive the loss of one of ``zones`` without overload."""
    return _DATA_NODES_BY_ZONES.get(zones, 1) if data_nodes is None else data_nodes


def check_nodes(check: Check, *, zones: int, subnets: int, data_nodes: int, master_nodes: int) -> None:
    """Note what cannot be spread over the zones."""
    check.that(
        1 <= zones <= min(_ZONES_MAX, subnets),
        "zones", f"1 to {_ZONES_MAX}, and at most the network's {subnets} isolated subnets", zones,
    )  # fmt: skip
    check.between("data_nodes", data_nodes, max(1, zones), _DATA_NODES_MAX)
    check.that(zones <= 1 or data_nodes % zones == 0, "data_nodes", f"a multiple of the {zones} zones", data_nodes)
    check.one_of("master_nodes", master_nodes, _MASTERS)


def check_instance(check: Check, field: str, got: str) -> None:
    """Note an instance type that does not exist, with the one that may be meant."""
    check.that(
        got in INSTANCE_TYPES,
        field, f"like 'm7g.large.search', of a family {', '.join(sorted(_FAMILIES))}", got,
        nearest(got, sorted(INSTANCE_TYPES)).removeprefix("; "),
    )  # fmt: skip


def check_storage(check: Check, storage_gib: int, iops: int | None, throughput_mibps: int | None) -> None:
    """Note a volume that gp3 does not offer."""
    check.between("storage_gib", storage_gib, *_STORAGE)
    check.between("iops", iops, *_IOPS)
    check.between("throughput_mibps", throughput_mibps, *_MIBPS)
    given = _IOPS[0] if iops is None else iops
    check.that(
        iops is None or iops <= _IOPS_PER_GIB * storage_gib,
        "iops", f"at most {_IOPS_PER_GIB} for each GiB of storage_gib", iops,
    )  # fmt: skip
    check.that(
        throughput_mibps is None or throughput_mibps * _IOPS_PER_MIBPS <= given,
        "throughput_mibps", f"at most a quarter of iops ({given})", throughput_mibps,
    )  # fmt: skip
