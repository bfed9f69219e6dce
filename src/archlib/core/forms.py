"""Whether rendered resources have the form that CloudFormation gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_FORMS = {
    "Ref": "the name of a resource or parameter",
    "Fn::GetAtt": "'<resource>.<attribute>', or a list of the two",
    "Fn::Sub": "text, or a list of text and a mapping",
}
_MAPPINGS = frozenset({"Properties", "Metadata", "CreationPolicy", "UpdatePolicy"})


def wrong_reference(key: str, value: Any) -> str:
    """Return how the argument of a reference must be and is not; nothing if it is right."""
    match value:
        case str():
            right = key != "Fn::GetAtt" or "." in value
        case [str(), str()]:
            right = key == "Fn::GetAtt"
        case [str(), dict()]:
            right = key != "Ref"
        case _:
            right = False
    return "" if right else f"{key} must be {_FORMS[key]}, got {value!r}"


def wrong_attribute(key: str, value: Any) -> str:
    """Return how the attribute ``key`` of a resource must be and is not; nothing if it is right."""
    if key in _MAPPINGS:
        return "" if isinstance(value, dict) else f"{key} must be a mapping, got {value!r}"
    if key == "DependsOn":
        names = value if isinstance(value, list) else [value]
        right = all(isinstance(name, str) for name in names)
        return "" if right else f"{key} must be the name of a resource, or a list of them, got {value!r}"
    # A transform may let policies be functions.
    right = isinstance(value, str) or (key.endswith("Policy") and isinstance(value, dict))
    return "" if right else f"{key} must be text, got {value!r}"


def wrong_attributes(resource: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the attributes of ``resource``."""
    for key, value in resource.items():
        # Nearly all are as they should be, which is told without a call.
        if type(value) is not (dict if key in _MAPPINGS else str) and (wrong := wrong_attribute(key, value)):
            yield wrong


def wrong_references(node: Any) -> Iterator[str]:
    """Yield what is wrong with the references inside ``node``."""
    if isinstance(node, dict):
        for key, value in node.items():
            if len(node) == 1 and key in _FORMS and (wrong := wrong_reference(key, value)):
                yield wrong
            else:
                yield from wrong_references(value)
    elif isinstance(node, list):
        for value in node:
            yield from wrong_references(value)
