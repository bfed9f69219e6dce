"""A commented blueprint file to start from, with every setting, written from the settings classes."""

from __future__ import annotations

import dataclasses
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from archlib.blueprints.base import Blueprint, Settings
from archlib.blueprints.derive import Derived
from archlib.blueprints.load import Document
from archlib.units import format_duration

_INDENT = "  "
_WIDTH = 100
_PLURAL = re.compile(r"(?<=us)es$|s$")


def starter(kind: type[Blueprint], app: str) -> str:
    """Return the text of a blueprint file for ``kind``: what its starter sets, and all else as comments."""
    lines = [
        f"# {(kind.__doc__ or kind.name).strip().splitlines()[0]}",
        "# Settings behind a '#' show their default or an example; remove the '#' to change one.",
        "# For completion in an editor: archlib schema --out archlib.schema.json",
        "",
    ]
    given: dict[str, Any] = {"blueprint": kind.name, "app": app, "environment": "dev"}
    described = Document.describe()
    for name, field in Document.model_fields.items():
        lines.extend(_comment(described.get(name), ""))
        if name == "settings":
            lines.append("settings:")
            lines.extend(_fields(kind.Settings, kind.starter, kind.examples, _INDENT))
        elif name in given:
            lines.append(f"{name}: {given[name]}")
        else:
            lines.append(f"# {name}: {_EXAMPLES.get(name) or _value(_default(field))}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


_EXAMPLES = {
    "environments": "{dev: {}, prod: {}}",
    "targets": '{prod: {account: "123456789012", region: eu-west-1, protected: true}}',
    "tags": "{team: shop}",
    "waivers": '[{resource: OrdersTable, rule: W9999, reason: "why it is right here", expires: 2030-01-31}]',
    "overrides": "{OrdersTable: {Properties.TableClass: STANDARD_INFREQUENT_ACCESS}}",
}


def _fields(model: type[Settings], given: Mapping[str, Any], examples: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield every field of ``model``: the given ones as they are, the others commented out."""
    described = model.describe()
    for name in _own_first(model):
        field = model.model_fields[name]
        yield from _comment(described.get(name), indent)
        yield from _entries(field.annotation, indent)
        nested, keyed = _nested(field.annotation)
        if name not in given:
            yield from (f"{indent}# {line}" for line in _example(name, field, examples.get(name)))
        elif nested is not None and keyed:
            yield f"{indent}{name}:"
            for key, entry in given[name].items():
                if isinstance(entry, Mapping):
                    yield f"{indent}{_INDENT}{key}:"
                    yield from _fields(nested, entry, examples.get(name, {}).get(key, {}), indent + 2 * _INDENT)
                else:
                    yield f"{indent}{_INDENT}{key}: {_value(entry)}"
        elif nested is not None and isinstance(given[name], Mapping):
            yield f"{indent}{name}:"
            yield from _fields(nested, given[name], examples.get(name, {}), indent + _INDENT)
        elif isinstance(given[name], str) and "\n" in given[name]:
            yield f"{indent}{name}: |"
            yield from (f"{indent}{_INDENT}{line}" for line in given[name].splitlines())
        else:
            yield f"{indent}{name}: {_value(given[name])}"


def _own_first(model: type[Settings]) -> Iterator[str]:
    """Yield the fields of ``model``: where it extends several others, what it is about before what it shares."""
    kinds = model.__mro__ if len(model.__bases__) > 1 and not issubclass(model, Derived) else ()
    names = [name for kind in kinds for name in vars(kind).get("__annotations__", ())]
    yield from dict.fromkeys(name for name in (*names, *model.model_fields) if name in model.model_fields)


def _example(name: str, field: FieldInfo, given: Any) -> Iterator[str]:
    """Yield the lines of a field that is not set: what is ``given`` for it, or else its default.

    For nested settings these are all of theirs, and where they stand behind names, those of one entry.
    """
    nested, keyed = _nested(field.annotation)
    if nested is None:
        yield f"{name}: {_value(_default(field) if given is None else given)}"
        return
    yield f"{name}:"
    indent = _INDENT
    entry = given or {}
    if keyed:
        key, entry = next(iter(entry.items()), (_name_of_one(name), {}))
        yield f"{_INDENT}{key}:"
        indent = 2 * _INDENT
    described = nested.describe()
    for inner_name, inner in nested.model_fields.items():
        yield from _comment(described.get(inner_name), indent)
        yield from _entries(inner.annotation, indent)
        # Settings inside settings are switched on one by one.
        mark = "" if inner.is_required() or _nested(inner.annotation)[0] is None else "# "
        yield from (f"{indent}{mark}{line}" for line in _example(inner_name, inner, entry.get(inner_name)))


def _name_of_one(section: str) -> str:
    """Return the name of an example in ``section``: ``my-rest-api`` in ``rest_apis``."""
    return f"my-{_PLURAL.sub('', section.replace('ies', 'ys')).replace('_', '-')}"


def _entries(annotation: Any, indent: str) -> Iterator[str]:
    """Yield what each entry takes, if ``annotation`` is a list of settings."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        for argument in arguments:
            yield from _entries(argument, indent)
    entry = _nested(arguments[0])[0] if origin is tuple else None
    described = entry.describe() if entry else {}
    for name, field in entry.model_fields.items() if entry else ():
        default = "required" if field.is_required() else _value(_default(field))
        yield from _comment(f"- {name} ({default}): {described.get(name)}", indent)


def _nested(annotation: Any) -> tuple[type[Settings] | None, bool]:
    """Return the settings class inside ``annotation``, and whether it stands behind names."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation, False
    if origin is Annotated:
        return _nested(arguments[0])
    if origin in {Union, types.UnionType}:
        found = [_nested(argument) for argument in arguments]
        return next((pair for pair in found if pair[0] is not None), (None, False))
    if origin in {dict, Mapping, typing.Mapping}:
        return _nested(arguments[1])[0], True
    return None, False


def _default(field: FieldInfo) -> Any:
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _comment(text: str | None, indent: str) -> Iterator[str]:
    words = (text or "").replace("``", "").split()
    line = ""
    for word in words:
        if line and len(indent) + len(line) + len(word) > _WIDTH:
            yield f"{indent}# {line}"
            line = ""
        line = f"{line} {word}".strip()
    if line:
        yield f"{indent}# {line}"


def _value(value: Any) -> str:
    """Return ``value`` as YAML on one line."""
    text = yaml.dump(_plain(value), default_flow_style=True, sort_keys=False, width=sys.maxsize, allow_unicode=True)
    return text.removesuffix("\n...\n").rstrip("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return format_duration(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
