"""Files of a synthesis on the disk: all of them, or none."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EISDIR
from pathlib import Path
from typing import Any

from archlib.errors import OutputError

MANIFEST = "manifest.json"


def write_texts(texts: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    """Write ``texts`` (file name -> text, the manifest among them) into ``folder``, and return the files.

    Templates that an earlier synthesis of the same app and environment left in the folder and that are no longer
    needed are removed; everything else is left alone. If anything fails, the folder is as it was before.

    Raises:
        OutputError: the folder cannot be written, or has a manifest of something else.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone_in(folder):
            stale = _written_before(folder, json.loads(texts[MANIFEST])) - texts.keys()
            _replace(folder, texts, stale)
    except OSError as error:
        message = f"folder {str(folder)!r}: cannot be written: {error.strerror}; choose another one with --out"
        raise OutputError(message) from None
    return tuple(folder / name for name in texts)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let others who write into ``folder`` wait; the lock goes with the process, however that ends."""
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:  # Windows cannot lock folders
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network drives know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _written_before(folder: Path, manifest: Mapping[str, Any]) -> set[str]:
    """Return the templates of the same app and environment that an earlier synthesis wrote."""
    file = folder / MANIFEST
    if not file.is_file():
        return set()
    try:
        earlier = json.loads(file.read_text(encoding="utf-8"))
        same = all(earlier[key] == manifest[key] for key in ("app", "environment"))
        names = {str(stack["file"]) for stack in earlier["stacks"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        message = f"file {str(file)!r}: must be from archlib, got another one; move it, or choose a folder with --out"
        raise OutputError(message) from None
    return {name for name in names if same and Path(name).name == name and (folder / name).is_file()}


def _replace(folder: Path, texts: Mapping[str, str], stale: Collection[str]) -> None:
    """Write ``texts`` into ``folder`` and remove ``stale``: no file is ever half of one, and a failure undoes all."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".archlib-") as staged:
        new, old = Path(staged, "new"), Path(staged, "old")
        new.mkdir()
        old.mkdir()
        for name, text in texts.items():
            (new / name).write_text(text, encoding="utf-8", newline="\n")
        try:
            for name in (*texts, *stale):
                _keep(folder / name, old)
                if name in texts:
                    (new / name).replace(folder / name)
                else:
                    (folder / name).unlink()
        except BaseException:
            for name in texts:
                if not (new / name).exists() and not (old / name).exists():
                    (folder / name).unlink()
            for file in old.iterdir():
                file.replace(folder / file.name)
            raise


def _keep(file: Path, folder: Path) -> None:
    """Copy ``file``, if there is one, into ``folder``."""
    if file.is_dir():
        raise IsADirectoryError(EISDIR, f"{file.name} is a folder")
    if file.exists():
        shutil.copy2(file, folder)
