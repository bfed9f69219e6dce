"""Lines of JSON for programs: what each of them has."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

SCHEMA_VERSION = 1
"""Grows when a field changes its meaning or goes; new fields and types may come at any time."""


def record(kind: str, /, **fields: Any) -> str:
    """Return one line: an object with ``schema_version``, ``type`` and ``time``.

    Args:
        kind: its ``type``.
        fields: what it tells, as plain data; ``time`` instead of now.
    """
    head = {"schema_version": SCHEMA_VERSION, "type": kind, "time": iso(datetime.now(UTC).timestamp())}
    # ASCII alone: whatever AWS says reaches any terminal as text.
    return json.dumps({**head, **fields})


def iso(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
