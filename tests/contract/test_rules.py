"""What every rule of ours promises, tested over all of them."""

from __future__ import annotations

import copy
import pkgutil
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cfnlint.rules import CloudFormationLintRule, Rules
from cfnlint.template import Template

from archlib import load
from archlib.checks.rules import RULES, deploy, security

ROOT = Path(__file__).parents[2]
PACKAGES = (deploy, security)
BLOCKS = {deploy: "91", security: "92"}
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)

HOSTILE: tuple[Any, ...] = (
    None, "", "*", "arn:aws:s3:::x", 0, -1, 1.5, True, [], {}, [None], [[]], [{}], [7, "x"], {"Ref": "Nowhere"},
    {"Ref": ["x"]}, {"Fn::GetAtt": "x"}, {"Fn::GetAtt": [1, {}]}, {"Fn::Sub": ["${A}", None]}, {"Fn::If": []},
    {"Fn::If": ["C", None]}, {"Fn::Join": [None, "x"]}, {"Statement": {"Effect": {}, "Action": 1, "Principal": [1]}},
)  # fmt: skip
SECTIONS = ("Resources", "Parameters", "Outputs", "Mappings", "Conditions", "Metadata", "Transform", "Description")
DEPTH = 6


@cache
def real() -> dict[str, Any]:
    """Return the resources of all blueprint files together."""
    found: dict[str, Any] = {}
    for file in sorted((ROOT / "blueprints").glob("*.yaml")):
        for stack in load(file, environment="prod", layout="single").assemble():
            found |= {f"{file.stem.replace('-', '')}{name}": node for name, node in stack.template["Resources"].items()}
    assert len({node["Type"] for node in found.values()}) > 20, "the rules have something to look at"
    return found


@cache
def hostile() -> list[dict[str, Any]]:
    """Return templates with one resource of each type, in which everything at one depth is one of the values."""
    samples = {node["Type"]: (name, node) for name, node in real().items()}.values()
    return [{"Resources": replaced(dict(samples), depth, value)} for depth in range(1, DEPTH + 1) for value in HOSTILE]


def replaced(node: Any, depth: int, value: Any) -> Any:
    """Return a copy of ``node`` in which everything at ``depth`` is ``value``."""
    if depth == 0:
        return copy.deepcopy(value)
    if isinstance(node, dict):
        return {key: child if key == "Type" else replaced(child, depth - 1, value) for key, child in node.items()}
    if isinstance(node, list):
        return [replaced(child, depth - 1, value) for child in node]
    return node


def match(rule: type[CloudFormationLintRule], template: Any) -> list[Any]:
    shown = Template("template.yaml", {"Resources": {}}, ["us-east-1", "cn-north-1"])
    shown.template = template  # cfn-lint itself cannot read all of these
    return list(rule().match(shown))


def test_ids_are_unique_and_none_is_cfn_lints_own() -> None:
    ids = [rule.id for rule in RULES]
    package = Path(import_module("cfnlint").__file__ or "").parent
    own = Rules.create_from_directory(str(package / "rules"))

    assert len(set(ids)) == len(ids)
    assert len(own) > 100
    assert set(ids).isdisjoint(own)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__.rpartition(".")[2])
def test_every_module_is_listed_once_in_its_package(package: Any) -> None:
    modules = {module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")}

    assert sorted(rule.__module__.rpartition(".")[2] for rule in package.RULES) == sorted(modules)


def test_all_packages_are_in_use() -> None:
    assert {rule for package in PACKAGES for rule in package.RULES} == set(RULES)


@every_rule
def test_is_described(rule: type[CloudFormationLintRule]) -> None:
    (block,) = [number for package, number in BLOCKS.items() if rule.__module__.startswith(package.__name__)]

    assert re.fullmatch(rf"[EW]{block}\d\d", rule.id)
    assert (rule.__doc__ or "").strip()
    assert (import_module(rule.__module__).__doc__ or "").startswith(f"{rule.id}: ")
    assert rule.shortdesc
    assert not rule.shortdesc.endswith(".")
    assert rule.description.endswith(".")
    assert rule.source_url.startswith("https://docs.aws.amazon.com/")
    assert "archlib" in rule().tags


@every_rule
def test_has_nothing_against_our_own_blueprints(rule: type[CloudFormationLintRule]) -> None:
    assert match(rule, {"Resources": real()}) == []


@every_rule
def test_survives_values_of_the_wrong_type_anywhere(rule: type[CloudFormationLintRule]) -> None:
    for template in hostile():
        match(rule, template)


@every_rule
def test_survives_resources_and_sections_that_are_something_else(rule: type[CloudFormationLintRule]) -> None:
    kinds = {node["Type"] for node in real().values()}
    for value in HOSTILE:
        for section in SECTIONS:
            match(rule, {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}, section: value})
            match(rule, {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}, section: {"Jobs": value, "Other": value}})
        match(rule, {"Resources": {kind.replace(":", ""): {"Type": kind, "Properties": value} for kind in kinds}})
        match(rule, {"Resources": {kind.replace(":", ""): {"Type": kind, "Condition": value} for kind in kinds}})
        match(rule, {"Resources": {"Jobs": {"Type": value, "Properties": {}}}})


@every_rule
def test_changes_nothing_in_the_template(rule: type[CloudFormationLintRule]) -> None:
    before = copy.deepcopy(real())

    match(rule, {"Resources": real()})

    assert real() == before
