from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from archlib.components.data.database_engine import ENGINES
from archlib.components.data.database_size import memory_gib
from archlib.components.data.instance_classes import check_instance_class, instance_classes
from archlib.core.component import Check

ENGINE_NAMES = sorted(engine.name for engine in ENGINES.values())


@pytest.fixture(scope="module")
def known_to_cfn_lint() -> dict[str, set[str]]:
    file = files("cfnlint.data.schemas.extensions.aws_rds_dbinstance").joinpath("dbinstanceclass_enum.json")
    regions: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for region in regions.values():
        for case in region["allOf"]:
            engine = case["if"]["properties"]["Engine"]
            for name in engine.get("enum", [engine.get("const")]):
                found.setdefault(name, set()).update(case["then"]["properties"]["DBInstanceClass"]["enum"])
    return found


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_every_class_exists_and_tells_its_memory(engine: str, known_to_cfn_lint: dict[str, set[str]]) -> None:
    found = set(instance_classes(engine))

    assert len(found) > 40
    assert found - known_to_cfn_lint[engine] == set()
    assert all(memory_gib(each) > 0 for each in found)


def test_only_what_is_old_is_missing(known_to_cfn_lint: dict[str, set[str]]) -> None:
    missing = {each for name in ENGINE_NAMES for each in known_to_cfn_lint[name] - set(instance_classes(name))}

    assert {each.split(".")[1] for each in missing} == {
        "m1", "m2", "m3", "m4", "r3", "r4", "t1", "t2", "serverless",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("got", "engine", "advice"),
    [
        ("db.m7g.larg", "postgres", "; did you mean 'db.m7g.large'?"),
        ("db.t4g.micro", "aurora-mysql", "; did you mean 'db.t4g."),
        ("huge", "mysql", "got 'huge'"),
    ],
)
def test_names_the_one_that_may_be_meant(got: str, engine: str, advice: str) -> None:
    check = Check("database 'orders'")
    check_instance_class(check, got, engine)

    (problem,) = check.problems
    assert problem.message.startswith("database 'orders': instance_class must be like 'db.r7g.large', of a family ")
    assert advice in problem.message
