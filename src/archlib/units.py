"""Durations and other values as people write them, and as AWS wants them."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(\d+)([smhd])")


def parse_duration(text: str) -> timedelta:
    """Return the duration ``text`` names: digits and one of ``s m h d``, like ``30s``, ``5m`` or ``1h30m``.

    Raises:
        ValueError: ``text`` is not such a duration.
    """
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise ValueError(f"must be a duration such as 30s, 5m, 12h or 4d, got {text!r}")
    try:
        return timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in _DURATION.findall(text)))
    except (OverflowError, ValueError):
        raise ValueError("must be a duration of at most 999999999d") from None


def format_duration(duration: timedelta) -> str:
    """Return ``duration`` the way :func:`parse_duration` reads it, largest units first."""
    if duration < timedelta(0):
        return f"-{format_duration(-duration)}"
    rest, fraction = divmod(duration, timedelta(seconds=1))
    if fraction:  # only to be shown: nothing is measured in parts of a second
        return f"{duration.total_seconds():g}s"
    parts = []
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def show(value: Any) -> str:
    """Return ``value`` as messages show it to those who write Python and to those who write YAML."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case timedelta():
            return format_duration(value)
        case Path():
            return repr(str(value))
        case dict():
            return f"{{{', '.join(f'{key!r}: {show(each)}' for key, each in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(show, value))}]"
        case _ if is_dataclass(value) and not isinstance(value, type):
            parts = (f"{field.name}: {show(getattr(value, field.name))}" for field in fields(value))
            return f"{{{', '.join(parts)}}}"
        case _:
            return repr(value)


def seconds(duration: timedelta) -> int:
    """Return ``duration`` in seconds, the unit of most AWS properties.

    Raises:
        ValueError: it is not whole seconds.
    """
    whole, fraction = divmod(duration, timedelta(seconds=1))
    if fraction:
        raise ValueError(f"must be whole seconds, got {format_duration(duration)}")
    return whole
