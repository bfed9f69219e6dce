"""Lint results kept between runs, so that an unchanged template is not linted again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from archlib.cache import Store, key_of
from archlib.checks.finding import SEVERITIES

_TEXTS = ("rule", "message", "fix", "url")


class ResultCache:
    """Results by content: the same template, rules, schemas, regions and day give the same findings.

    Args:
        folder: where the results go.
        today: part of the key, since rules about deprecated runtimes read the clock.
    """

    def __init__(self, folder: Path, *, today: date) -> None:
        self._store = Store(folder / "lint")
        self._today = today.isoformat()

    def key(self, template: dict[str, Any], regions: Sequence[str]) -> str:
        """Return the name under which the result for ``template`` in ``regions`` is kept."""
        return key_of(self._today, list(regions), template)

    def get(self, key: str) -> list[dict[str, Any]] | None:
        """Return the result kept under ``key``, or None; what looks like no result counts as none."""
        rows = self._store.get(key)
        return rows if isinstance(rows, list) and all(map(_is_row, rows)) else None

    def put(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Keep ``rows`` under ``key``."""
        self._store.put(key, rows)


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and row.keys() == {"severity", "path", *_TEXTS}
        and row["severity"] in SEVERITIES
        and isinstance(row["path"], list)
        and all(isinstance(row[key], str) for key in _TEXTS)
    )
