from __future__ import annotations

import json
from collections.abc import Collection
from importlib.resources import files

import pytest

from archlib.components.caching.node_types import CACHE_NODES, DAX_NODES, TIERED_NODES, check_node_type
from archlib.core.component import Check


def known_to_cfn_lint(path: str) -> set[str]:
    text = files("cfnlint.data.schemas.extensions").joinpath(path).read_text(encoding="utf-8")
    return set(json.loads(text)["us-east-1"]["enum"])


@pytest.mark.parametrize(
    ("nodes", "path"),
    [
        (CACHE_NODES | TIERED_NODES, "aws_elasticache_cachecluster/cachenodetype_enum.json"),
        (DAX_NODES, "aws_dax_cluster/nodetype_enum.json"),
    ],
)
def test_every_node_type_exists(nodes: Collection[str], path: str) -> None:
    assert len(nodes) > 5
    assert set(nodes) - known_to_cfn_lint(path) == set()


def test_names_the_one_that_may_be_meant() -> None:
    check = Check("cache 'sessions'")
    check_node_type(check, "cache.m7g.larg", CACHE_NODES)
    check_node_type(check, "cache.m7g.large", CACHE_NODES)
    check_node_type(check, "huge", CACHE_NODES)

    first, second = (problem.message for problem in check.problems)
    assert first.startswith("cache 'sessions': node_type must be like 'cache.t4g.small', of a family c7gn, c8gn, m5,")
    assert first.endswith("got 'cache.m7g.larg'; did you mean 'cache.m7g.large'?")
    assert second.endswith("got 'huge'")
