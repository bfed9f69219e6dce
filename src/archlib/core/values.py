"""Values of properties: text known now, or an intrinsic function resolved at deployment."""

from __future__ import annotations

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

_VARIABLE = re.compile(r"\$\{[^{}]*\}")
_PLAIN = frozenset({str, bool, int, float})
_OWN_TO_DICT = (BaseAWSObject.to_dict, AWSHelperFn.to_dict)


def arn(service: str, resource: Value, *, region: Value = REGION, account: Value = ACCOUNT) -> Value:
    """Return the ARN of ``resource`` of ``service`` in this partition, region and account."""
    return join("arn:", PARTITION, f":{service}:", region, ":", account, ":", resource)


def join(*parts: Value) -> Value:
    """Return ``parts`` put together without a separator: plain text if all are, else a readable ``Fn::Sub``."""
    if all(isinstance(part, str) for part in parts):
        return "".join(str(part) for part in parts)
    texts = [_substitution(part) for part in _runs(parts)]
    if None in texts:
        return Join("", list(parts))
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


def encode(node: Any) -> Any:
    """Return ``node`` as plain dicts, lists and scalars, in one pass.

    Troposphere objects are validated on the way, as their own ``to_dict`` does.

    Raises:
        ValueError: a troposphere object misses a property or refuses a value.
        TypeError: something that has no form in a template.
    """
    # Every value of every template comes through here: scalars are told apart without a call.
    kind: Any = type(node)
    if kind in _PLAIN:
        return node
    if kind is dict:
        return {
            key if type(key) is str else str(key): value if type(value) in _PLAIN else encode(value)
            for key, value in node.items()
        }
    if kind is list or kind is tuple:
        return [value if type(value) in _PLAIN else encode(value) for value in node]
    if _encodes_itself(kind):
        return encode(node.to_dict())
    if isinstance(node, AWSHelperFn):
        return encode(node.data)
    if isinstance(node, BaseAWSObject):
        if node.do_validation:
            node._validate_props()  # noqa: SLF001  (what to_dict does before it walks the tree three times)
            node.validate()
        properties = node.properties
        return {key: encode(value) for key, value in node.resource.items() if value is not properties or properties}
    return _encode_other(node)


@cache
def _encodes_itself(kind: Any) -> bool:
    """Whether objects of ``kind`` have a form in templates of their own making."""
    return getattr(kind, "to_dict", None) not in {None, *_OWN_TO_DICT}


def _encode_other(node: Any) -> Any:
    match node:
        case _ if hasattr(node, "JSONrepr"):
            return encode(node.JSONrepr())
        case str() | bool() | int() | float():
            return node
        case Mapping():
            return {str(key): encode(value) for key, value in node.items()}
        case Sequence():
            return [encode(value) for value in node]
        case _:
            raise TypeError(f"a template cannot hold {type(node).__name__} {node!r}")


class Deferred(AWSHelperFn):
    """A property that is computed when the template is rendered, after all wiring has been done."""

    def __init__(self, compute: Any) -> None:
        self.compute = compute

    def to_dict(self) -> Any:
        """Return the value as plain data."""
        return encode(self.compute())
