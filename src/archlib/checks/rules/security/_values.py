"""Reads values: what they say, what they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from archlib.checks.rules.read import Path, Place, branches, walk

UNKNOWN = "${?}"
_VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")
_ACCOUNTS_OWN = tuple(map(ip_network, ("10.0.0.0/8", "fc00::/7")))
_MOST = 8
_ANYTHING = re.compile(r"(?:arn:)?[*?]+|arn:[^:]*:[^:]*:[^:]*:[*?]*:[*?]*(?:[:/][*?]*)*")
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


def is_everywhere(cidr: Any) -> bool:
    """Whether ``cidr`` is the internet, or as much of it as no single party has: a half or a quarter is no limit."""
    try:
        network: Any = ip_network(cidr, strict=False) if isinstance(cidr, str) else None
    except ValueError:
        return False
    if network is None or network.prefixlen > _MOST:
        return False
    return not any(network.version == own.version and network.subnet_of(own) for own in _ACCOUNTS_OWN)


def is_anything(value: Any) -> bool:
    """Whether ``value``, a pattern or an address range, leaves nothing and nobody out."""
    written = without_variables(text(value), "x")
    return _ANYTHING.fullmatch(written) is not None or is_everywhere(written)


def is_function(value: Any) -> bool:
    """Whether ``value`` is a function of CloudFormation."""
    return isinstance(value, dict) and len(value) == 1 and all(re.match(r"Ref$|Fn::", str(key)) for key in value)


def composition(value: Any) -> str:
    """Return the :func:`text` that ``Fn::Sub`` or ``Fn::Join`` makes, nothing for any other value."""
    composed = isinstance(value, dict) and len(value) == 1 and value.keys() <= {"Fn::Sub", "Fn::Join"}
    return text(value) if composed else ""


def variables(written: str) -> list[str]:
    """Return what stands for the unknown parts of :func:`text`, in order."""
    return _VARIABLE.findall(written)


def without_variables(written: str, unknown: str = "") -> str:
    """Return only what is written out in :func:`text`, with ``unknown`` in the places of the rest."""
    return _VARIABLE.sub(unknown, written)


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
