from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

from archlib import App, Stack
from archlib.local import recorded_types
from archlib.local.types import REAL, lacking_types
from contract import factories

PROVISIONERS = import_module("ministack.services.cloudformation.provisioners")


def types_of_components() -> Iterator[str]:
    for module in pkgutil.iter_modules(factories.__path__, f"{factories.__name__}."):
        for factory in import_module(module.name).FACTORIES:
            app = App("shop", "test")
            factory(Stack(app, "main"))
            for stack in app.assemble():
                yield from (resource["Type"] for resource in stack.template["Resources"].values())


def test_every_type_of_every_component_is_known_to_the_engine() -> None:
    needed = set(types_of_components())

    assert len(needed) > 100
    assert needed - lacking_types().keys() - PROVISIONERS._RESOURCE_HANDLERS.keys() == set()


def test_a_type_is_recorded_only_if_nothing_else_makes_it() -> None:
    recorded = recorded_types()

    assert "AWS::XRay::Group" in recorded
    assert list(recorded) == sorted(recorded)
    assert lacking_types().keys() > REAL
    assert REAL.isdisjoint(recorded)
    assert set(recorded) | REAL == lacking_types().keys()


@pytest.mark.parametrize(
    ("name", "ref", "attributes", "replace"),
    [
        ("AWS::XRay::Group", ("GroupARN",), ("GroupARN",), ()),
        ("AWS::Synthetics::Canary", ("Name",), ("Code.SourceLocationArn", "Id", "State"), ("Name",)),
    ],
)
def test_a_type_is_what_its_schema_says(
    name: str, ref: tuple[str, ...], attributes: tuple[str, ...], replace: tuple[str, ...]
) -> None:
    found = lacking_types()[name]

    assert (found.name, found.ref, found.attributes, found.replace) == (name, ref, attributes, replace)
