"""Reads values: what they say, what they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from archlib.checks.rules.read import Path, Place, branches, walk

UNKNOWN = "${?}"
_VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")
_LONE_VARIABLE = re.compile(r"\$\{([^!{}.?]+)(?:\.[^{}]+)?\}")


def entries(value: Any, path: Path = ()) -> Iterator[Place]:
    """Yield what is in a list, or the one thing in its place; of each ``Fn::If`` all branches."""
    for at, branch in branches(value, path):
        if isinstance(branch, list):
            for index, item in enumerate(branch):
                yield from entries(item, (*at, index))
        elif branch is not None:
            yield at, branch


def objects(value: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield those of :func:`entries` that are objects."""
    return ((at, item) for at, item in entries(value, path) if isinstance(item, dict))


def texts(value: Any) -> list[str]:
    """Return those of :func:`entries` that are plain text."""
    return [item for _, item in entries(value) if isinstance(item, str)]


def strings(node: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text inside ``node``, at any depth."""
    return ((at, item) for at, item in walk(node, path) if isinstance(item, str))


def is_true(value: Any) -> bool:
    """Whether CloudFormation takes ``value`` for true."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def is_false(value: Any) -> bool:
    """Whether CloudFormation takes ``value`` for false."""
    return value is False or (isinstance(value, str) and value.lower() == "false")


def text(value: Any) -> str:
    """Return ``value`` as text in which ``${Name}`` and ``${Name.Attribute}`` stand for what is not known yet."""
    match value:
        case str() | int() | float():
            return str(value)
        case {"Ref": str(name)} | {"Fn::GetAtt": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str(template)}:
            return str(template)
        case {"Fn::Sub": [str(template), dict(variables)]}:
            return _VARIABLE.sub(lambda found: text(variables.get(found[1], found[0])), template)
        case {"Fn::Join": [str(separator), list(parts)]}:
            return str(separator).join(map(text, parts))
        case {"Fn::Base64": inner}:
            return text(inner)
        case dict():
            return UNKNOWN + " ".join(text(part) for part in value.values())
        case list():
            return " ".join(map(text, value))
        case _:
            return UNKNOWN


def mentions(value: Any) -> set[str]:
    """Return the names of the parameters and resources that ``value`` refers to, however deep."""
    names = {name.split(".")[0] for name in _VARIABLE.findall(text(value))}
    return {name for name in names if name != "?" and not name.startswith("AWS::")}


def reference(value: Any) -> str | None:
    """Return the name that ``value`` is a reference to and nothing else; None for anything else."""
    found = _LONE_VARIABLE.fullmatch(text(value)) if isinstance(value, dict) else None
    return found[1] if found else None
