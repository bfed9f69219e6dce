"""What every blueprint stands on: frozen settings, and one place to collect what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from archlib.core.app import App
from archlib.core.origin import at
from archlib.core.source import Source
from archlib.errors import ArchlibError, Problem, SettingsError
from archlib.units import format_duration, parse_duration


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


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
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, coerce_numbers_to_str=True
    )


class Blueprint:
    """Base of blueprints: build components into ``app`` from ``settings``.

    Subclasses set :attr:`name`, :attr:`Settings` and :attr:`starter` (the settings that ``archlib init`` writes), and
    build in ``__init__``; their parts are attributes.

    Args:
        app: the app the components go into.
        settings: what was chosen.
        source: where it was written, for messages; left out when the settings were made in Python.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Settings]]
    starter: ClassVar[Mapping[str, Any]] = {}

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
            found = (Problem(problem.message, problem.origin or origin) for problem in error.problems)
            self._problems.extend(found)

    def settle(self) -> None:
        """Raise everything that was collected since the last time, at once.

        Raises:
            SettingsError: something was wrong.
        """
        problems, self._problems = self._problems, []
        if problems:
            raise SettingsError(problems)
