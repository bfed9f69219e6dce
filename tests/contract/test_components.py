"""What every component promises, tested over all of them."""

from __future__ import annotations

import inspect
import json
import pkgutil
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from archlib import App, Component, Stack
from archlib.checks import check
from archlib.components.catalogue import catalogue
from archlib.core.artifact import StackArtifact
from archlib.core.stack import Removal
from archlib.core.suppression import suppressions
from archlib.emit.template import to_yaml
from contract import factories

Factory = Callable[[Stack], Component]


def all_factories() -> Iterator[Any]:
    for module in pkgutil.iter_modules(factories.__path__, f"{factories.__name__}."):
        for factory in import_module(module.name).FACTORIES:
            yield pytest.param(factory, id=f"{module.name.rsplit('.', 1)[1]}-{factory.__name__}")


def build(factory: Factory, *, removal: Removal = "Retain") -> tuple[Component, tuple[StackArtifact, ...]]:
    app = App("shop", "test", removal=removal)
    component = factory(Stack(app, "main"))
    return component, app.assemble()


every_component = pytest.mark.parametrize("factory", list(all_factories()))
KINDS = [import_module(entry.module).__dict__[entry.name] for entry in catalogue()]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def statements(stack: StackArtifact) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in stack.template["Resources"].items():
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                yield name, statement


@every_component
def test_has_no_finding_by_default(factory: Factory) -> None:
    _, stacks = build(factory)

    assert [str(finding) for finding in check(stacks) if finding.severity != "info"] == []


@every_component
def test_has_no_finding_in_a_throw_away_environment(factory: Factory) -> None:
    _, stacks = build(factory, removal="Delete")

    assert [str(finding) for finding in check(stacks) if finding.severity != "info"] == []
    for stack in stacks:
        for name, resource in stack.template["Resources"].items():
            kept = resource["Type"] == "AWS::Lambda::Version" or name.startswith("ApiLogging")  # one for the account
            assert kept or resource.get("DeletionPolicy", "Delete") == "Delete", name


@every_component
def test_grants_exact_actions_and_explains_every_star(factory: Factory) -> None:
    _, stacks = build(factory)
    allowed = suppressions()["action-has-no-resource"]["star_actions"]

    for stack in stacks:
        for name, statement in statements(stack):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert all("*" not in action for action in actions), (name, actions)
            if "*" in statement["Resource"]:
                for action in actions:
                    assert any(re.fullmatch(pattern.replace("*", ".*"), action) for pattern in allowed), (name, action)


@every_component
def test_suppresses_only_what_the_closed_list_allows(factory: Factory) -> None:
    _, stacks = build(factory)
    reasons = {row["reason"]: row for row in suppressions().values()}

    for stack in stacks:
        for name, resource in stack.template["Resources"].items():
            for reason in suppressed(resource):
                row = reasons[json.loads(f'"{reason}"')]
                assert resource["Type"] in row["types"], (name, row["key"])
                for path, values in row.get("only_if", {}).items():
                    assert value_at(resource.get("Properties", {}), path) in values, (name, row["key"], path)


def suppressed(resource: Any) -> list[str]:
    """Return the reasons of what is suppressed on ``resource``."""
    text = json.dumps(resource.get("Metadata", {}))
    return re.findall(r'"(?:reason|comment)": "((?:[^"\\]|\\.)*)"', text)


def value_at(node: Any, path: str) -> Any:
    for key in path.split("."):
        node = node.get(key) if isinstance(node, dict) else None
    return node


@every_component
def test_gives_the_same_bytes_twice(factory: Factory) -> None:
    one, other = build(factory)[1], build(factory)[1]

    assert [to_yaml(stack.template) for stack in one] == [to_yaml(stack.template) for stack in other]


@every_component
def test_names_every_logical_id_after_itself_and_keeps_its_line(factory: Factory) -> None:
    component, stacks = build(factory)
    words = "".join(word.capitalize() for word in component.name.split("-"))

    for stack in stacks:
        for name in stack.template["Resources"]:
            assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", name)
            assert stack.origins[name].file.endswith(".py")
    assert str(component.resource.title).startswith(words)


@every_component
def test_the_main_resource_can_be_changed(factory: Factory) -> None:
    app = App("shop", "test")
    component = factory(Stack(app, "main"))
    title = str(component.resource.title)
    component.resource.resource.setdefault("Metadata", {})["Mine"] = "kept"

    found = [stack.template["Resources"][title] for stack in app.assemble() if title in stack.template["Resources"]]

    assert found[0]["Metadata"]["Mine"] == "kept"


@every_kind
def test_takes_where_and_who_by_position_and_the_rest_by_keyword(kind: type[Component]) -> None:
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]

    assert [parameter.name for parameter in parameters[:2]] == ["stack", "name"]
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters[2:])


@every_kind
def test_the_docstring_is_the_manual(kind: type[Component]) -> None:
    text = inspect.getdoc(kind) or ""
    parameters = list(inspect.signature(kind.__init__).parameters)[1:]

    assert "Creates ``<Name>" in text
    assert "https://docs.aws.amazon.com/" in text
    for name in parameters:
        assert re.search(rf"^    {name}: ", text, re.MULTILINE), f"{name} is not described"


def test_every_component_has_a_factory() -> None:
    made = {type(build(parameter.values[0])[0]) for parameter in all_factories()}

    assert len(KINDS) > 20
    assert {kind.__name__ for kind in KINDS} - {kind.__name__ for kind in made} == set()


def test_there_are_rights_stars_and_suppressions_to_look_at() -> None:
    stacks = [stack for parameter in all_factories() for stack in build(parameter.values[0])[1]]
    rights = [statement for stack in stacks for _, statement in statements(stack)]

    assert len(rights) > 20
    assert any("*" in statement["Resource"] for statement in rights)
    assert any(suppressed(resource) for stack in stacks for resource in stack.template["Resources"].values())
