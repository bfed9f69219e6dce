"""Templates: parse them, find out what depends on what, and resolve their functions."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from fakes.errors import validation

UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
_PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")


class _Loader(yaml.SafeLoader):
    """YAML with the short forms of the functions."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@cache
def parse(body: str) -> dict[str, Any]:
    """Return the template, always the same object for the same text: nobody changes it.

    Raises:
        ServiceError: as CloudFormation refuses it.
    """
    try:
        is_json = body.lstrip().startswith("{")
        template = json.loads(body) if is_json else yaml.load(body, _Loader)  # noqa: S506 - a SafeLoader
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise validation(f"Template format error: JSON not well-formed. ({error})") from error
    if not isinstance(template, dict):
        raise validation("Template format error: unsupported structure.")
    if not template.get("Resources"):
        raise validation("Template format error: At least one Resources member must be defined.")
    for logical_id, resource in template["Resources"].items():
        if not isinstance(resource, dict) or "Type" not in resource:
            raise validation(f"Template format error: [/Resources/{logical_id}] resource definition is malformed")
    _check_references(template)
    return template


def _check_references(template: dict[str, Any]) -> None:
    known = set(template["Resources"]) | set(template.get("Parameters", {}))
    wrong = sorted({name for name in references(template["Resources"]) if name not in known and "::" not in name})
    if wrong:
        raise validation(
            f"Template format error: Unresolved resource dependencies [{', '.join(wrong)}]"
            " in the Resources block of the template"
        )


def references(node: Any) -> Iterator[str]:
    """Yield the names that Ref, GetAtt, Sub and DependsOn mention."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _mentioned(key, value)


def _mentioned(key: str, value: Any) -> Iterator[str]:
    match key, value:
        case (("Ref" | "DependsOn"), str()):
            yield value
        case "Fn::GetAtt", [str(name), *_]:
            yield name
        case "Fn::GetAtt", str():
            yield value.split(".", 1)[0]
        case "Fn::Sub", str() | [str(), dict()]:
            yield from _sub_references(value)
        case "DependsOn", list():
            yield from value
        case _:
            yield from references(value)


def _sub_references(value: str | list[Any]) -> Iterator[str]:
    text, variables = (value, {}) if isinstance(value, str) else value
    yield from (name.split(".")[0] for name in _PLACEHOLDER.findall(text) if name not in variables)
    yield from references(variables)


@dataclass
class Scope:
    """What names mean while a template is resolved.

    Args:
        ref: what a ``Ref`` to a resource is.
        get_att: what an attribute of a resource is.
        import_value: what an export of another stack is.
    """

    template: dict[str, Any]
    parameters: dict[str, Any]
    pseudo: dict[str, Any]
    ref: Callable[[str], Any]
    get_att: Callable[[str, str], Any]
    import_value: Callable[[str], Any]
    _conditions: dict[str, bool] = field(default_factory=dict)

    def condition(self, name: str) -> bool:
        """Tell whether a condition holds."""
        if name not in self._conditions:
            self._conditions[name] = bool(self.resolve(self.template["Conditions"][name]))
        return self._conditions[name]

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the definitions whose conditions hold."""
        return {
            logical_id: definition
            for logical_id, definition in self.template["Resources"].items()
            if "Condition" not in definition or self.condition(definition["Condition"])
        }

    def resolve(self, node: Any) -> Any:
        """Return ``node`` with all functions replaced by their values."""
        if isinstance(node, list):
            items = [self.resolve(item) for item in node]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, value), *_ = node.items()
            if name == "Ref":
                return self._ref(value)
            if name == "Condition" and isinstance(value, str):
                return self.condition(value)
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, value)
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        return self.parameters[name] if name in self.parameters else self.ref(name)

    def attribute(self, value: str | list[str]) -> Any:
        """Return what a GetAtt means."""
        logical_id, attribute = value.split(".", 1) if isinstance(value, str) else value
        return self.get_att(logical_id, attribute)

    def sub(self, value: str | list[Any]) -> str:
        """Return the text with its placeholders filled in."""
        text, raw = (value, {}) if isinstance(value, str) else value
        variables = {key: self.resolve(item) for key, item in raw.items()}

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                return str(variables[name])
            return str(self.attribute(name) if "." in name else self._ref(name))

        return _PLACEHOLDER.sub(fill, text).replace("${!", "${")


_NO_VALUE = object()


def _cidr(scope: Scope, value: list[Any]) -> list[str]:
    block, number, bits = (*scope.resolve(value), 8)[:3]
    if block == UNKNOWN:
        return [UNKNOWN] * int(number)
    subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
    return [str(next(subnets)) for _ in range(int(number))]


def _join(scope: Scope, value: list[Any]) -> str:
    separator, items = value[0], scope.resolve(value[1])
    return str(separator).join(str(item) for item in (items if isinstance(items, list) else [items]))


def _split(scope: Scope, value: list[Any]) -> list[str]:
    return str(scope.resolve(value[1])).split(value[0])


def _select(scope: Scope, value: list[Any]) -> Any:
    items = scope.resolve(value[1])
    return items[int(scope.resolve(value[0]))] if isinstance(items, list) else UNKNOWN


def _find_in_map(scope: Scope, value: list[Any]) -> Any:
    outer, first, second = (scope.resolve(item) for item in value[:3])
    return scope.template["Mappings"][outer][first][second]


def _if(scope: Scope, value: list[Any]) -> Any:
    return scope.resolve(value[1] if scope.condition(value[0]) else value[2])


_FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Fn::GetAtt": Scope.attribute,
    "Fn::Sub": Scope.sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::If": _if,
    "Fn::Equals": lambda scope, value: scope.resolve(value[0]) == scope.resolve(value[1]),
    "Fn::Not": lambda scope, value: not scope.resolve(value[0]),
    "Fn::And": lambda scope, value: all(scope.resolve(item) for item in value),
    "Fn::Or": lambda scope, value: any(scope.resolve(item) for item in value),
    "Fn::ImportValue": lambda scope, value: scope.import_value(scope.resolve(value)),
    "Fn::GetAZs": lambda scope, value: [
        f"{scope.resolve(value) or scope.pseudo['AWS::Region']}{zone}" for zone in "abc"
    ],
    "Fn::Base64": lambda scope, value: base64.b64encode(str(scope.resolve(value)).encode()).decode(),
    "Fn::Cidr": _cidr,
    "Fn::Length": lambda scope, value: len(scope.resolve(value)),
    "Fn::ToJsonString": lambda scope, value: json.dumps(scope.resolve(value)),
}


def dependencies(template: dict[str, Any]) -> dict[str, set[str]]:
    """Return for every resource the resources it needs.

    Raises:
        ServiceError: they need each other in a circle.
    """
    resources = template["Resources"]
    needs = {
        name: {ref for ref in references(definition) if ref in resources} - {name}
        for name, definition in resources.items()
    }
    rest = dict(needs)
    while ready := [name for name, wanted in rest.items() if not wanted & rest.keys()]:
        for name in ready:
            del rest[name]
    if rest:
        raise validation(f"Circular dependency between resources: [{', '.join(sorted(rest))}]")
    return needs
