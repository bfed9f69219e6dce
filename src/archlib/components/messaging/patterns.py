"""Event patterns and filter policies: what AWS would only refuse at deployment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from troposphere import AWSHelperFn

EVENT_KEYS = ("account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version")

_OR = "$or"
_OPERATORS = frozenset(
    {
        *("anything-but", "cidr", "equals-ignore-case", "exists", "numeric"),
        *("prefix", "suffix", "wildcard"),
    }
)


def pattern_problems(pattern: Mapping[str, Any], keys: Collection[str] = (), path: str = "") -> Iterator[str]:
    """Yield what is wrong with ``pattern``, each as ``<where> must be <allowed>, got <value>``.

    Args:
        pattern: an EventBridge event pattern, or an SNS filter policy.
        keys: the keys allowed at the top; empty: any.
        path: where the pattern is, for the messages.
    """
    where = path or "it"
    if not isinstance(pattern, Mapping) or not pattern:
        yield f"{where} must be a mapping with at least one key, got {pattern!r}"
        return
    for key, value in pattern.items():
        inner = f"{path}.{key}" if path else str(key)
        if key == _OR:
            if not isinstance(value, list) or not value:
                yield f"{inner} must be a list of patterns, got {value!r}"
                continue
            for position, choice in enumerate(value):
                yield from pattern_problems(choice, keys, f"{inner}[{position}]")
        elif keys and key not in keys:
            yield f"{where} must have keys among {', '.join(keys)}, got {key!r}"
        elif isinstance(value, Mapping):
            yield from pattern_problems(value, (), inner)
        elif not isinstance(value, list) or not value:
            yield f"{inner} must be a list of values, got {value!r}"
        else:
            yield from _leaf_problems(value, inner)


def _leaf_problems(values: list[Any], path: str) -> Iterator[str]:
    for value in values:
        match value:
            case None | str() | bool() | int() | float() | AWSHelperFn():
                continue
            case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::Sub": _} if len(value) == 1:
                continue
            case {**operators} if operators and _OPERATORS.issuperset(operators):
                continue
            case _:
                yield f"{path} must hold text, numbers or operators such as prefix, got {value!r}"
