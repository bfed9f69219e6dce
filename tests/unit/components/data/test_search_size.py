from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from archlib.components.data.search_size import (
    INSTANCE_TYPES,
    check_instance,
    check_nodes,
    check_storage,
    data_nodes_of,
    zones_of,
)
from archlib.core.component import Check


def test_every_instance_type_exists() -> None:
    path = "aws_opensearchservice_domain/clusterconfig_instancetype_enum.json"
    text = files("cfnlint.data.schemas.extensions").joinpath(path).read_text(encoding="utf-8")

    assert "m7g.large.search" in INSTANCE_TYPES
    assert set(INSTANCE_TYPES) - set(json.loads(text)["us-east-1"]["enum"]) == set()


def test_names_the_type_that_may_be_meant() -> None:
    check = Check("search domain 'catalogue'")
    check_instance(check, "data_type", "r7g.larg.search")
    check_instance(check, "data_type", "r7g.large.search")

    (problem,) = check.problems
    assert problem.message.endswith("got 'r7g.larg.search'; did you mean 'r7g.large.search'?")


@pytest.mark.parametrize(
    ("zones", "subnets", "expected"), [(None, 2, 2), (None, 4, 3), (None, 0, 0), (1, 3, 1), (2, 3, 2)]
)
def test_takes_as_many_zones_as_there_are(zones: int | None, subnets: int, expected: int) -> None:
    assert zones_of(zones, subnets) == expected


@pytest.mark.parametrize(("data_nodes", "zones", "expected"), [(None, 1, 1), (None, 2, 4), (None, 3, 3), (6, 2, 6)])
def test_takes_enough_nodes_for_the_zones(data_nodes: int | None, zones: int, expected: int) -> None:
    assert data_nodes_of(data_nodes, zones) == expected


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"zones": 3, "subnets": 2, "data_nodes": 3}, "zones must be 1 to 3, and at most the network's 2"),
        ({"data_nodes": 3}, "data_nodes must be a multiple of the 2 zones, got 3"),
        ({"data_nodes": 82}, "data_nodes must be 2 to 80, got 82"),
        ({"master_nodes": 2}, "master_nodes must be one of 0, 3, 5, got 2"),
    ],
)
def test_refuses_nodes_that_cannot_be_spread(changed: dict[str, int], message: str) -> None:
    check = Check("search domain 'catalogue'")
    check_nodes(check, **{"zones": 2, "subnets": 3, "data_nodes": 4, "master_nodes": 3, **changed})

    assert [problem.message for problem in check.problems if message in problem.message]


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ((5, None, None), "storage_gib must be 10 to 24576"),
        ((50, 2999, None), "iops must be 3000 to 80000"),
        ((10, 6000, None), "iops must be at most 500 for each GiB of storage_gib, got 6000"),
        ((50, None, 100), "throughput_mibps must be 125 to 2000"),
        ((50, None, 1000), "throughput_mibps must be at most a quarter of iops (3000), got 1000"),
    ],
)
def test_refuses_volumes_that_gp3_does_not_offer(storage: Any, message: str) -> None:
    check = Check("search domain 'catalogue'")
    check_storage(check, *storage)

    assert [problem.message for problem in check.problems if message in problem.message]


@pytest.mark.parametrize("storage", [(10, None, None), (50, 3000, 750), (100, 4000, 1000), (10, 5000, 125)])
def test_accepts_volumes_that_gp3_offers(storage: Any) -> None:
    check = Check("search domain 'catalogue'")
    check_storage(check, *storage)

    assert check.problems == []
