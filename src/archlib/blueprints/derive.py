"""Settings derived from what a component takes, so that each setting is written down once.

The names, types and defaults are the constructor's, the descriptions those of its docstring. What a component takes
from the blueprint itself (its stack, its network, its key) is no setting.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, create_model
from troposphere import AWSHelperFn, GenericHelperFn

from archlib.blueprints.base import Duration, Settings
from archlib.cache import record
from archlib.units import format_duration

_GIVEN = frozenset({"self", "stack", "name", "key"})
_ENTRY = re.compile(r"^(\w+): ")
_ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?([^`]+)`")
_PLAIN = (str, int, float, bool)
_WORDS = {"None": "null", "True": "true", "False": "false"}
_PYTHON = re.compile(rf"\b({'|'.join(_WORDS)})\b")


class Derived(Settings):
    """Base of derived settings.

    Attributes:
        takes: the derived fields, which the constructor takes; a subclass may add others.
    """

    takes: ClassVar[tuple[str, ...]] = ()

    def arguments(self) -> dict[str, Any]:
        """Return what to pass to the constructor."""
        return {name: getattr(self, name) for name in self.takes}


def settings_of(taken_by: Callable[..., Any], *, without: Collection[str] = ()) -> Any:
    """Return the settings class of what ``taken_by`` takes: a component or one of its methods.

    Args:
        taken_by: the class whose constructor decides, or the method.
        without: parameters that the blueprint fills in itself.
    """
    if dataclasses.is_dataclass(taken_by):
        return _dataclass_settings(taken_by, frozenset(without))
    function: Any = vars(taken_by)["__init__"] if isinstance(taken_by, type) else taken_by
    hints = typing.get_type_hints(function)
    described = describe(taken_by)
    fields = {
        name: (hints[name], parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in _GIVEN and name not in without
    }
    title = (
        "".join(word.capitalize() for word in re.split(r"[._]", taken_by.__qualname__))
        if function is taken_by
        else taken_by.__name__
    )
    return _model(f"{title}Settings", f"Settings of {taken_by.__qualname__}.", fields, described)


@cache
def _dataclass_settings(kind: Any, without: frozenset[str] = frozenset()) -> Any:
    hints = typing.get_type_hints(kind)
    fields = {}
    for field in dataclasses.fields(kind):
        if field.name in without:
            continue
        default = field.default
        if default is None and not _convertible(hints[field.name]):
            continue  # another component, which only Python can pass
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        fields[field.name] = (hints[field.name], inspect.Parameter.empty if default is dataclasses.MISSING else default)
    return _model(f"{kind.__name__}Settings", (kind.__doc__ or "").split("\n")[0], fields, describe(kind))


def _model(name: str, doc: str, fields: Mapping[str, tuple[Any, Any]], described: Mapping[str, str]) -> Any:
    definitions: dict[str, Any] = {}
    for field, (annotation, default) in fields.items():
        given = ... if default is inspect.Parameter.empty else default
        shown: Any = {"default": format_duration(default)} if isinstance(default, timedelta) else None
        definitions[field] = (
            _convert(annotation),
            Field(given, description=_in_yaml(described.get(field)), json_schema_extra=shown),
        )
    model = create_model(name, __base__=Derived, __doc__=doc, **definitions)
    model.takes = tuple(fields)
    return model


def _in_yaml(text: str | None) -> str | None:
    """Return a docstring's ``text`` as a sentence for those who write YAML."""
    return text and _PYTHON.sub(lambda word: _WORDS[word[0]], text[0].upper() + text[1:])


def _convert(annotation: Any) -> Any:
    """Return the type that settings use for a constructor's ``annotation``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is timedelta:
        return Duration
    if annotation is Path:
        return LocalPath
    if annotation is AWSHelperFn:
        return Intrinsic
    if origin is Literal or annotation in {*_PLAIN, Any, type(None)}:
        return annotation
    if origin in {Union, types.UnionType}:
        converted = [_convert(argument) for argument in arguments]
        return Union[tuple(converted)]  # noqa: UP007  (built at run time)
    if origin in {Sequence, tuple, list}:
        return types.GenericAlias(tuple, (_convert(arguments[0]), ...))
    if origin in {Mapping, dict}:
        return types.GenericAlias(dict, (str, _convert(arguments[1])))
    if dataclasses.is_dataclass(annotation):
        return _nested(annotation)
    if isinstance(annotation, type) and annotation.__module__ == "datetime":
        return annotation
    raise TypeError(f"no setting can hold {annotation!r}; leave the parameter out of the settings")


def _convertible(annotation: Any) -> bool:
    try:
        _convert(annotation)
    except TypeError:
        return False
    return True


def _nested(kind: Any) -> Any:
    model = _dataclass_settings(kind)
    # The field people give most often may stand for the whole: `code: src/orders`.
    short = getattr(kind, "SHORT", None)

    def build(value: Any) -> Any:
        return kind(**value.arguments())

    def accept(value: Any) -> Any:
        if isinstance(value, kind):
            return model.model_construct(**{field: getattr(value, field) for field in model.takes})
        return {short: value} if short and isinstance(value, str) else value

    taken = Union[model, str] if short else model  # noqa: UP007  (built at run time)
    return Annotated[model, BeforeValidator(accept, json_schema_input_type=taken), AfterValidator(build)]


def _local_path(value: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    path = folder / value if folder else value
    record(path)
    return path


LocalPath = Annotated[Path, AfterValidator(_local_path), WithJsonSchema({"type": "string"})]
"""A path relative to the file that names it."""


def _intrinsic(value: Any) -> Any:
    if isinstance(value, AWSHelperFn):
        return value
    if isinstance(value, dict) and len(value) == 1 and re.match(r"(Ref|Fn::\w+)$", next(iter(value))):
        return GenericHelperFn(value)
    raise ValueError("must be an intrinsic function such as !Ref or !GetAtt")


Intrinsic = Annotated[Any, BeforeValidator(_intrinsic), WithJsonSchema({"type": "object", "maxProperties": 1})]
"""An intrinsic function, such as ``!GetAtt OrdersTable.Arn``."""


def describe(documented: Any) -> dict[str, str]:
    """Return what a Google-style docstring says about each argument or attribute."""
    entries: dict[str, str] = {}
    current, inside = "", False
    for line in inspect.cleandoc(documented.__doc__ or "").split("\n"):
        if line and not line.startswith(" "):
            inside = line in {"Args:", "Attributes:"}
        elif inside and (entry := _ENTRY.match(line[4:])):
            current = entry[1]
            entries.setdefault(current, line[4 + entry.end() :].strip())
        elif inside and current and line.strip():
            entries[current] += f" {line.strip()}"
    return {name: _ROLE.sub(r"\1", text) for name, text in entries.items()}
