"""Reads templates that may be wrong in any way: what is not plainly there is unknown, and unknown is skipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cfnlint.template import Template

Path = tuple[str | int, ...]
Place = tuple[Path, Any]


class Resource(NamedTuple):
    """A resource that has at least a type."""

    name: str
    type: str
    properties: dict[str, Any]
    condition: Any

    def path(self, *keys: str | int) -> list[str | int]:
        """Return the path of a property, or of the resource itself if it does not have that property."""
        if keys and keys[0] in self.properties:
            return ["Resources", self.name, "Properties", *keys]
        return ["Resources", self.name]

    def find(self, *keys: str) -> Iterator[Place]:
        """Yield each value ``keys`` can lead to, see :func:`find`."""
        return find(self.properties, ("Resources", self.name, "Properties"), *keys)

    def get(self, key: str) -> Any:
        """Return a property as it is written, or None."""
        return self.properties.get(key)

    def plain(self, key: str) -> list[Any] | None:
        """Return a property that is a list without functions between its items, else None."""
        values = self.properties.get(key)
        if not isinstance(values, list) or any(isinstance(item, dict) and "Fn::If" in item for item in values):
            return None
        return list(values)


def resources(cfn: Template, *types: str) -> dict[str, Resource]:
    """Return the resources of these types (all, without types) by logical id."""
    section = cfn.template.get("Resources")
    if not isinstance(section, dict):
        return {}
    found = {}
    for name, body in section.items():
        kind = body.get("Type") if isinstance(body, dict) else None
        if isinstance(kind, str) and (not types or kind in types):
            properties = body.get("Properties")
            found[str(name)] = Resource(
                str(name), kind, properties if isinstance(properties, dict) else {}, body.get("Condition")
            )
    return found


def complete(cfn: Template) -> bool:
    """Return whether the template shows all its resources: a macro, a module or a loop may add more."""
    section = cfn.template.get("Resources")
    return (
        "Transform" not in cfn.template
        and isinstance(section, dict)
        and not any(str(name).startswith("Fn::") for name in section)
        and not any(resource.type.endswith("::MODULE") for resource in resources(cfn).values())
    )


def branches(value: Any, path: Path) -> Iterator[Place]:
    """Yield what ``value`` can be: itself, or each branch of its conditions, without ``AWS::NoValue``."""
    match value:
        case {"Fn::If": [_, *choices]}:
            for index, choice in enumerate(choices, start=1):
                yield from branches(choice, (*path, "Fn::If", index))
        case {"Ref": "AWS::NoValue"}:
            return
        case _:
            yield path, value


def find(value: Any, path: Path, *keys: str) -> Iterator[Place]:
    """Yield each value that ``keys`` can lead to from ``value``; ``*`` stands for each item of a list."""
    for at, branch in branches(value, path):
        if not keys:
            yield at, branch
        elif keys[0] == "*":
            for index, item in enumerate(branch if isinstance(branch, list) else ()):
                yield from find(item, (*at, index), *keys[1:])
        elif isinstance(branch, dict) and keys[0] in branch:
            yield from find(branch[keys[0]], (*at, keys[0]), *keys[1:])


def each(value: Any, path: Path) -> Iterator[Place]:
    """Yield each item ``value`` can have, or ``value`` itself where one item stands for the list."""
    yield from find(value, path, "*") if isinstance(value, list) else branches(value, path)


def walk(value: Any, path: Path) -> Iterator[Place]:
    """Yield ``value`` and everything below it."""
    stack = [(path, value)]
    while stack:
        at, node = stack.pop()
        yield at, node
        if isinstance(node, dict):
            stack.extend(((*at, key), child) for key, child in node.items())
        elif isinstance(node, list):
            stack.extend(((*at, index), child) for index, child in enumerate(node))


def target(value: Any) -> tuple[str, str] | None:
    """Return the logical id and the attribute (empty for a Ref) that ``value`` refers to."""
    match value:
        case {"Ref": str(name)}:
            return name, ""
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return name, attribute
        case {"Fn::GetAtt": str(name)} if "." in name:
            name, _, attribute = name.partition(".")
            return name, attribute
    return None


def named(value: Any, known: dict[str, Resource]) -> Resource | None:
    """Return the resource ``value`` refers to, by whatever attribute, if it is one of ``known``."""
    found = target(value)
    return known.get(found[0]) if found else None


def number(value: Any) -> int | None:
    """Return ``value`` as a number, if it is one, or a text that CloudFormation reads as one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value) else None


def literal(value: Any, unknown: str = "") -> str | None:
    """Return the text ``value`` becomes, with ``unknown`` for each part that is not known; None if no part is."""
    match value:
        case str():
            return value
        case {"Fn::Sub": str(text) | [str(text), *_]}:
            return re.sub(r"\$\{[^!}][^}]*\}", unknown, text)
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(literal(part, unknown) or unknown for part in parts)
    return None


def dependencies(cfn: Template, name: str) -> set[str] | None:
    """Return everything that is created before ``name``; None if that cannot be told."""
    if cfn.graph is None:
        return None
    graph = cfn.graph.graph
    seen, todo = {name}, [name]
    while todo:
        current = todo.pop()
        for needed in graph.successors(current) if current in graph else ():
            if needed not in seen:
                seen.add(needed)
                todo.append(needed)
    return seen - {name}
