"""Values of properties: text known now, or an intrinsic function resolved at deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from troposphere import AWSHelperFn, BaseAWSObject, Join, Ref, Sub

Value = str | AWSHelperFn

PARTITION = Ref("AWS::Partition")
REGION = Ref("AWS::Region")
ACCOUNT = Ref("AWS::AccountId")
URL_SUFFIX = Ref("AWS::URLSuffix")

_PLAIN = frozenset({str, bool, int, float})
_OWN_TO_DICT = (BaseAWSObject.to_dict, AWSHelperFn.to_dict)


def arn(service: str, resource: Value, *, region: Value = REGION, account: Value = ACCOUNT) -> Value:
    """Return the ARN of ``resource`` of ``service`` in this partition, region and account."""
    return join("arn:", PARTITION, f":{service}:", region, ":", account, ":", resource)


def join(*parts: Value) -> Value:
    """Return ``parts`` put together without a separator: plain text if all are, else a readable ``Fn::Sub``."""
    if all(isinstance(part, str) for part in parts):
        return "".join(str(part) for part in parts)
    texts = [_substitution(part) for part in parts]
    if None in texts:
        return Join("", list(parts))
    return Sub("".join(str(text) for text in texts))


def _substitution(part: Value) -> str | None:
    """Return ``part`` as it reads inside ``Fn::Sub``, or None if it cannot stand there."""
    if isinstance(part, str):
        return part.replace("${", "${!")
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
    kind = type(node)
    if kind in _PLAIN:
        return node
    if kind is dict:
        return {key if type(key) is str else str(key): encode(value) for key, value in node.items()}
    if kind is list or kind is tuple:
        return [encode(value) for value in node]
    return _encode_object(node)


def _encode_object(node: Any) -> Any:
    match node:
        case BaseAWSObject() if type(node).to_dict in _OWN_TO_DICT:
            if node.do_validation:
                node._validate_props()  # noqa: SLF001  (what to_dict does before it walks the tree three times)
                node.validate()
            properties = node.properties
            return {key: encode(value) for key, value in node.resource.items() if value is not properties or properties}
        case AWSHelperFn() if type(node).to_dict in _OWN_TO_DICT:
            return encode(node.data)
        case _ if hasattr(node, "to_dict"):
            return encode(node.to_dict())
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
