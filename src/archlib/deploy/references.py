"""References inside templates: who names whom, and how names are changed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from archlib.core.artifact import Template

_SUBSTITUTION = re.compile(r"\$\{([^!{}][^{}]*)\}")

Kind = Literal["thing", "condition", "mapping"]


class Reference(NamedTuple):
    """A name that a template uses.

    Attributes:
        kind: ``thing`` for resources and parameters, which share their names.
        name: of what is referred to.
    """

    kind: Kind
    name: str


def references(node: Any) -> Iterator[Reference]:
    """Yield what a resource, an output, a condition or a part of one refers to."""
    match node:
        case list():
            for each in node:
                yield from references(each)
        case dict() if len(node) == 1:
            yield from _of_function(*next(iter(node.items())))
        case dict():
            for value in node.values():
                yield from references(value)


def _of_function(name: str, value: Any) -> Iterator[Reference]:
    """Yield what a mapping with one entry refers to, which is a function if it is called like one."""
    match name, value:
        case "Ref", str():
            yield Reference("thing", value)
            return
        case "Fn::GetAtt", str():
            yield Reference("thing", value.partition(".")[0])
            return
        case "Fn::GetAtt", [str() as first, *rest]:
            yield Reference("thing", first)
            yield from references(rest)
            return
        case "Fn::Sub", str():
            yield from _of_text(value, ())
            return
        case "Fn::Sub", [str() as text, dict() as variables]:
            yield from _of_text(text, variables)
            yield from references(list(variables.values()))
            return
        case "Fn::If", [str() as condition, *rest]:
            yield Reference("condition", condition)
            yield from references(rest)
            return
        case "Condition", str():
            yield Reference("condition", value)
            return
        case "Fn::FindInMap", [str() as mapping, *rest]:
            yield Reference("mapping", mapping)
            yield from references(rest)
            return
    yield from references(value)


def _of_text(text: str, variables: Collection[str]) -> Iterator[Reference]:
    for found in _SUBSTITUTION.finditer(text):
        name = found[1].partition(".")[0].strip()
        if found[1].strip() not in variables:
            yield Reference("thing", name)


def needs(resource: Mapping[str, Any], names: Collection[str]) -> set[str]:
    """Return which of ``names``, logical ids of resources, ``resource`` needs."""
    after = resource.get("DependsOn", ())
    named = {after} if isinstance(after, str) else set(after)
    found = (each.name for each in references(_body(resource)) if each.kind == "thing")
    return (named | set(found)) & set(names)


def _body(resource: Mapping[str, Any]) -> list[Any]:
    return [value for key, value in resource.items() if key not in {"Type", "DependsOn", "Condition"}]


_KINDS: Mapping[str, Kind] = {"Parameters": "thing", "Conditions": "condition", "Mappings": "mapping"}


def spread(
    resources: Mapping[str, Mapping[str, Any]], template: Mapping[str, Any], sections: Sequence[str]
) -> set[tuple[str, str]]:
    """Return what ``resources`` use of ``sections`` of ``template``, also by conditions: section and name of each."""
    todo = [each for resource in resources.values() for each in references(_body(resource))]
    todo += [
        Reference("condition", resource["Condition"]) for resource in resources.values() if "Condition" in resource
    ]
    used: set[tuple[str, str]] = set()
    while todo:
        kind, name = todo.pop()
        for section in sections:
            if _KINDS[section] == kind and name in template.get(section, {}) and (section, name) not in used:
                used.add((section, name))
                todo += references(template[section][name]) if kind == "condition" else ()
    return used


def renamed(template: Template, names: Mapping[str, str]) -> Template:
    """Return ``template`` with other logical ids for resources; nothing but references to them changes.

    Args:
        template: the template.
        names: old id -> new id; all change at once, so two can swap. None of the new ids may be one of the
            :func:`variables` of the template, which would hide it.
    """
    result = dict(template)
    result["Resources"] = {
        names.get(name, name): _renamed_resource(resource, names) for name, resource in template["Resources"].items()
    }
    if "Outputs" in template:
        result["Outputs"] = {
            name: {key: _renamed(value, names) if key != "Condition" else value for key, value in output.items()}
            for name, output in template["Outputs"].items()
        }
    return result


def _renamed_resource(resource: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    result = {}
    for key, value in resource.items():
        if key == "DependsOn":
            result[key] = (
                names.get(value, value) if isinstance(value, str) else [names.get(each, each) for each in value]
            )
        else:
            result[key] = value if key in {"Type", "Condition"} else _renamed(value, names)
    return result


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    match node:
        case list():
            return [_renamed(each, names) for each in node]
        case {"Ref": str(name)} if len(node) == 1:
            return {"Ref": names.get(name, name)}
        case {"Fn::GetAtt": str(name)} if len(node) == 1:
            first, dot, attribute = name.partition(".")
            return {"Fn::GetAtt": f"{names.get(first, first)}{dot}{attribute}"}
        case {"Fn::GetAtt": [str(name), *rest]} if len(node) == 1:
            return {"Fn::GetAtt": [names.get(name, name), *_renamed(rest, names)]}
        case {"Fn::Sub": str(text)} if len(node) == 1:
            return {"Fn::Sub": _renamed_text(text, names, ())}
        case {"Fn::Sub": [str(text), dict() as variables]} if len(node) == 1:
            values = {key: _renamed(value, names) for key, value in variables.items()}
            return {"Fn::Sub": [_renamed_text(text, names, variables), values]}
        case dict():
            return {key: _renamed(value, names) for key, value in node.items()}
        case _:
            return node


def _renamed_text(text: str, names: Mapping[str, str], variables: Collection[str]) -> str:
    def replaced(found: re.Match[str]) -> str:
        inner = found[1].strip()
        name, dot, attribute = inner.partition(".")
        if inner in variables or name not in names:
            return found[0]
        return f"${{{names[name]}{dot}{attribute}}}"

    return _SUBSTITUTION.sub(replaced, text)


def variables(node: Any) -> set[str]:
    """Return the names of the variables that texts with substitutions have of their own."""
    match node:
        case {"Fn::Sub": [str(), dict() as own]} if len(node) == 1:
            return set(own) | variables(list(own.values()))
        case dict():
            return variables(list(node.values()))
        case list():
            return {name for each in node for name in variables(each)}
        case _:
            return set()
