"""Values of properties: text known now, or an intrinsic function resolved at deployment."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

from troposphere import AWSHelperFn, BaseAWSObject, Join, Ref, Sub

Value = str | AWSHelperFn

PARTITION = Ref("AWS::Partition")
REGION = Ref("AWS::Region")
ACCOUNT = Ref("AWS::AccountId")
URL_SUFFIX = Ref("AWS::URLSuffix")

PSEUDO_PARAMETERS = frozenset(
    {
        "AWS::AccountId",
        "AWS::NoValue",
        "AWS::NotificationARNs",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    }
)
SUBSTITUTION = re.compile(r"\$\{([^!{}][^{}]*)\}")
_VARIABLE = re.compile(r"\$\{[^{}]*\}")
_PLAIN = frozenset({str, bool, int})
_OWN_TO_DICT = (BaseAWSObject.to_dict, AWSHelperFn.to_dict)


def arn(service: str, resource: Value, *, region: Value = REGION, account: Value = ACCOUNT) -> Value:
    """Return the ARN of ``resource`` of ``service`` in this partition, region and account."""
    return join("arn:", PARTITION, f":{service}:", region, ":", account, ":", resource)


def join(*parts: Value) -> Value:
    """Return ``parts`` put together without a separator: plain text if all are, else a readable ``Fn::Sub``."""
    if all(isinstance(part, str) for part in parts):
        return "".join(str(part) for part in parts)
    runs = list(_runs(parts))
    texts = [_substitution(part) for part in runs]
    if None in texts:
        return Join("", runs)
    return Sub("".join(str(text) for text in texts))


def _runs(parts: Sequence[Value]) -> Iterator[Value]:
    """Yield ``parts`` with neighbouring texts put together."""
    for plain, group in groupby(parts, key=lambda part: isinstance(part, str)):
        run = list(group)
        yield from ["".join(map(str, run))] if plain else run


def _substitution(part: Value) -> str | None:
    """Return ``part`` as it reads inside ``Fn::Sub``, or None if it cannot stand there."""
    if isinstance(part, str):
        # Only what is closed again can be escaped.
        return None if "${" in _VARIABLE.sub("", part) else part.replace("${", "${!")
    match part.data if hasattr(part, "data") else None:
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str(text)}:
            return text
        case _:
            return None


def encode(node: Any, names: set[str] | None = None) -> Any:
    """Return ``node`` as plain dicts, lists and scalars, in one pass.

    Troposphere objects are validated on the way, as their own ``to_dict`` does.

    Args:
        node: anything that a template can hold.
        names: gets the :func:`references` of what is returned.

    Raises:
        ValueError: a troposphere object misses a property or refuses a value.
        TypeError: something that has no form in a template.
    """
    return _encode(node, set() if names is None else names)


def _encode(node: Any, names: set[str]) -> Any:  # noqa: C901, PLR0912  (every further call costs on every value)
    # Every value of every template comes through here: scalars are told apart without a call.
    kind: Any = type(node)
    if kind in _PLAIN:
        return node
    if kind is dict:
        if len(node) == 1:
            _note(node, names)
        mapping = {}
        for key, value in node.items():
            mapping[key if type(key) is str else str(key)] = value if type(value) in _PLAIN else _encode(value, names)
        return mapping
    if kind is list or kind is tuple:
        sequence = list(node)
        for index, value in enumerate(sequence):
            if type(value) not in _PLAIN:
                sequence[index] = _encode(value, names)
        return sequence
    form, required, validates = _form(kind)
    if form == "own":
        return _encode(node.to_dict(), names)
    if form == "helper":
        return _encode(node.data, names)
    if form == "object":
        if node.do_validation:
            # What to_dict does before it walks the tree three times.
            if not required <= node.properties.keys():
                node._validate_props()  # noqa: SLF001  (says which property is missing)
            if validates:
                node.validate()
        mapping = _encode(node.resource, names)
        if not node.properties:
            mapping.pop("Properties", None)
        return mapping
    return _encode_other(node, names)


@cache
def _form(kind: Any) -> tuple[str, frozenset[str], bool]:
    """Return how objects of ``kind`` become plain, the properties they must have, and whether they check themselves."""
    if getattr(kind, "to_dict", None) not in {None, *_OWN_TO_DICT}:
        return "own", frozenset(), False
    if issubclass(kind, AWSHelperFn):
        return "helper", frozenset(), False
    if issubclass(kind, BaseAWSObject):
        required = frozenset(name for name, (_, needed) in kind.props.items() if needed)
        return "object", required, kind.validate is not BaseAWSObject.validate
    return "other", frozenset(), False


def _encode_other(node: Any, names: set[str]) -> Any:
    match node:
        case _ if hasattr(node, "JSONrepr"):
            return _encode(node.JSONrepr(), names)
        case float() if not math.isfinite(node):
            raise ValueError(f"a template cannot hold the number {node!r}; JSON has none like it")
        case str() | bool() | int() | float():
            return node
        case Mapping():
            return _encode(dict(node), names)
        case Sequence():
            return _encode(list(node), names)
        case _:
            raise TypeError(f"a template cannot hold {type(node).__name__} {node!r}")


def references(node: Any) -> set[str]:
    """Return the names that plain ``node`` refers to by ``Ref``, ``Fn::GetAtt`` or ``Fn::Sub``.

    A reference that is malformed counts as one to the empty name.
    """
    names: set[str] = set()
    if isinstance(node, dict):
        if len(node) == 1:
            _note(node, names)
        names.update(*map(references, node.values()))
    elif isinstance(node, list):
        names.update(*map(references, node))
    return names


def _note(node: dict[Any, Any], names: set[str]) -> None:
    """Add what ``node`` refers to if it is an intrinsic, apart from what is inside its arguments."""
    ((key, value),) = node.items()
    if key == "Ref":
        names.add(value if isinstance(value, str) else "")
    elif key == "Fn::GetAtt":
        match value:
            case str(text):
                names.add(text.split(".")[0] if "." in text else "")
            case [str(target), str() | Mapping() | AWSHelperFn()]:
                names.add(target)
            case _:
                names.add("")
    elif key == "Fn::Sub":
        match value:
            case str(text):
                names.update(_substituted(text))
            case [str(text), Mapping() as variables]:
                names.update(_substituted(text) - variables.keys())
            case _:
                names.add("")


def _substituted(text: str) -> set[str]:
    return {name.split(".")[0] for name in SUBSTITUTION.findall(text)}


class Deferred(AWSHelperFn):
    """A property that is computed when the template is rendered, after all wiring has been done."""

    def __init__(self, compute: Any) -> None:
        self.compute = compute

    def to_dict(self) -> Any:
        """Return the value as plain data."""
        return encode(self.compute())
