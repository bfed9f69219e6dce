"""Files of a synthesis on the disk: all of them, or none."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from errno import EISDIR
from pathlib import Path
from typing import Any

from archlib.errors import OutputError

MANIFEST = "manifest.json"


def write_texts(texts: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    """Write ``texts`` (file name -> text, the manifest among them) into ``folder``, and return the files.

    Templates that an earlier synthesis of the same app and environment left in the folder and that are no longer
    needed are removed; everything else is left alone.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stale = _written_before(folder, json.loads(texts[MANIFEST])) - texts.keys()
        _replace(folder, texts)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        message = f"folder {str(folder)!r}: cannot be written: {error.strerror}; choose another one with --out"
        raise OutputError(message) from None
    return tuple(folder / name for name in texts)


def _written_before(folder: Path, manifest: Mapping[str, Any]) -> set[str]:
    """Return the templates of the same app and environment that an earlier synthesis wrote."""
    try:
        earlier = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if any(earlier.get(key) != manifest.get(key) for key in ("app", "environment")):
            return set()
        names = {str(stack["file"]) for stack in earlier["stacks"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {name for name in names if Path(name).name == name and (folder / name).is_file()}


def _replace(folder: Path, texts: Mapping[str, str]) -> None:
    """Write ``texts`` into ``folder`` once all of them are on the disk, so that no file is ever half of one."""
    for name in texts:
        if (folder / name).is_dir():
            raise IsADirectoryError(EISDIR, f"{name} is a folder")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".archlib-") as staged:
        for name, text in texts.items():
            Path(staged, name).write_text(text, encoding="utf-8", newline="\n")
        for name in texts:
            Path(staged, name).replace(folder / name)
