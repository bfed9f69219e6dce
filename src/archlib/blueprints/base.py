"""What every blueprint stands on: frozen settings, and one place to collect what is wrong with them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)

from archlib.core.app import App
from archlib.core.origin import at
from archlib.core.source import Source
from archlib.errors import ArchlibError, Problem, SettingsError
from archlib.units import format_duration, parse_duration


def _duration(value: Any) -> Any:
    if value is None:
        raise ValueError("must be a duration such as 30s, 5m, 12h or 4d")
    # pydantic takes a number for seconds, but nobody who reads it can tell the unit.
    return value if isinstance(value, timedelta) else parse_duration(str(value))


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+[smhd])+$", "examples": ["30s", "5m", "12h", "4d"]}),
]
"""A duration: ``30s``, ``5m``, ``12h``, ``4d``, or a ``timedelta`` in Python."""


class Settings(BaseModel):
    """Settings of a blueprint: frozen, and unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        coerce_numbers_to_str=True,
        # Most models are only ever parts of another one: each is compiled once, with the whole.
        defer_build=True,
    )

    @classmethod
    def describe(cls) -> dict[str, str]:
        """Return what each setting is: the text below it in its class, or what it was derived from.

        Pydantic could read these texts when the classes are made; but that costs every synthesis more time than all
        else, and only the JSON Schema and starter files need them.
        """
        described = {name: field.description for name, field in cls.model_fields.items() if field.description}
        for kind in reversed(cls.__mro__):
            if issubclass(kind, Settings) and "takes" not in vars(kind):
                described |= _texts(kind)
        return {name: described[name] for name in cls.model_fields if name in described}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in cls.describe().items():
            properties.get(name, {}).setdefault("description", text)
        return schema


@cache
def _texts(kind: type[Settings]) -> dict[str, str]:
    """Return the texts that stand below the fields of ``kind``."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    texts: dict[str, str] = {}
    for field, text in pairwise(definition.body if isinstance(definition, ast.ClassDef) else ()):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                texts[name] = inspect.cleandoc(words)
    return texts


class Blueprint:
    """Base of blueprints: build components into ``app`` from ``settings``.

    Subclasses set :attr:`name`, :attr:`Settings`, :attr:`starter` (the settings that ``archlib init`` writes) and
    :attr:`examples` (those it writes as comments, where the defaults are not enough), and build in ``__init__``; their
    parts are attributes.

    Args:
        app: the app the components go into.
        settings: what was chosen.
        source: where it was written, for messages; left out when the settings were made in Python.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Settings]]
    starter: ClassVar[Mapping[str, Any]] = {}
    examples: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, app: App, settings: Any, *, source: Source | None = None) -> None:
        self.app = app
        self.settings = settings
        self.source = source or Source()
        self._problems: list[Problem] = []

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Build what the setting at ``path`` asks for: its line is the origin, and its errors are collected."""
        origin = self.source.origin(*path)
        try:
            with at(origin):
                yield
        except ArchlibError as error:
            for problem in error.problems:
                exact = problem.origin not in {None, origin}
                at_field = self.source.origin(*path, *problem.field.split("."))
                self._problems.append(Problem(problem.message, problem.origin if exact else at_field))

    @contextmanager
    def about(self, field: str) -> Iterator[None]:
        """Say of which setting the errors are, inside what :meth:`at` collects."""
        try:
            yield
        except ArchlibError as error:
            raise type(error)([problem._replace(field=problem.field or field) for problem in error.problems]) from None

    def settle(self) -> None:
        """Raise everything that was collected since the last time, at once.

        Raises:
            SettingsError: something was wrong.
        """
        problems, self._problems = self._problems, []
        if problems:
            raise SettingsError(problems)
