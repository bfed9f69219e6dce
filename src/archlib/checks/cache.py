"""Lint results kept between runs, so that an unchanged template is not linted again."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from archlib.checks.finding import SEVERITIES

_HERE = Path(__file__).parent
_TEXTS = ("rule", "message", "fix", "url")


def cache_folder() -> Path:
    """Return the folder for results: ``ARCHLIB_CACHE_DIR``, or ``archlib`` in the user's cache folder."""
    if chosen := os.environ.get("ARCHLIB_CACHE_DIR"):
        return Path(chosen)
    return _user_cache() / "archlib"


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


class ResultCache:
    """Results by content: the same template, rules, schemas, regions and day give the same findings.

    Safe against several writers (each file appears whole or not at all) and against broken files (they count as
    missing). A folder that cannot be written is no error: everything is then linted again.

    Args:
        folder: where the results go.
        today: part of the key, since rules about deprecated runtimes read the clock.
    """

    def __init__(self, folder: Path, *, today: date) -> None:
        self._folder = folder
        self._salt = f"{_fingerprint()} {today.isoformat()}"

    def key(self, template: dict[str, Any], regions: Sequence[str]) -> str:
        """Return the name under which the result for ``template`` in ``regions`` is kept."""
        text = json.dumps([self._salt, list(regions), template], separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def get(self, key: str) -> list[dict[str, Any]] | None:
        """Return the result kept under ``key``, or None."""
        try:
            rows = json.loads(self._file(key).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return rows if isinstance(rows, list) and all(map(_is_row, rows)) else None

    def put(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Keep ``rows`` under ``key``."""
        file = self._file(key)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
        except OSError:
            return
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(rows, stream)
            Path(name).replace(file)
        except OSError:
            Path(name).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / "lint" / key[:2] / f"{key}.json"


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and row.keys() == {"severity", "path", *_TEXTS}
        and row["severity"] in SEVERITIES
        and isinstance(row["path"], list)
        and all(isinstance(row[key], str) for key in _TEXTS)
    )


def _fingerprint() -> str:
    """Return what results depend on beside the template, without importing cfn-lint."""
    spec = find_spec("cfnlint")
    package = Path(spec.origin).parent if spec and spec.origin else Path()
    # cfn-lint prefers downloaded schemas over its own when they are newer.
    files = (
        package / "version.py",
        package / "data" / "schemas" / "version.json",
        _user_cache() / "aws" / "cfn-lint" / "schemas" / "version.json",
    )
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        try:
            digest.update(file.read_bytes())
        except OSError:
            digest.update(b"-")
    for file in sorted(_HERE.rglob("*.py")):
        state = file.stat()
        digest.update(f"{file.name} {state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()
