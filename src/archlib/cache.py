"""Results kept between runs: the same inputs, code and day give the same result.

Imports nothing slow: what is found here saves importing the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_LIBRARIES = ("awacs", "cfnlint", "pydantic", "troposphere", "yaml")
_inputs: ContextVar[Inputs | None] = ContextVar("inputs", default=None)


def cache_folder() -> Path:
    """Return the folder for results: ``ARCHLIB_CACHE_DIR``, or ``archlib`` in the user's cache folder."""
    if chosen := os.environ.get("ARCHLIB_CACHE_DIR"):
        return Path(chosen)
    return user_cache() / "archlib"


def user_cache() -> Path:
    """Return the folder in which this system's programs keep what they can make again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


class Store:
    """JSON values by key, each in a file of its own below ``folder``.

    Safe against several writers (each file appears whole or not at all) and against broken files (they count as
    missing). A folder that cannot be written is no error: everything is then made again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> Any:
        """Return the value kept under ``key``, or None."""
        try:
            return json.loads(self._file(key).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` under ``key``."""
        file = self._file(key)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
        except OSError:
            return
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(value, stream)
            Path(name).replace(file)
        except OSError:
            Path(name).unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"


def key_of(*parts: Any) -> str:
    """Return the key for a result that depends on ``parts`` (JSON values) and on the code that makes it."""
    text = json.dumps([fingerprint(), *parts], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def fingerprint() -> str:
    """Return a text that changes with Python, archlib, the libraries it stands on, and cfn-lint's schemas."""
    digest = hashlib.sha256(sys.version.encode())
    files = [Path(folder, name) for folder, _, names in os.walk(_HERE) for name in names if not name.endswith(".pyc")]
    for library in _LIBRARIES:
        spec = find_spec(library)
        package = Path(spec.origin).parent if spec and spec.origin else Path()
        files += [package / "__init__.py", package / "version.py", package / "data" / "schemas" / "version.json"]
    # cfn-lint prefers downloaded schemas over its own when they are newer.
    files.append(user_cache() / "aws" / "cfn-lint" / "schemas" / "version.json")
    for file in sorted(files):
        try:
            state = file.stat()
        except OSError:
            continue
        digest.update(f"{file} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Inputs:
    """The files and folders that something is made from.

    Attributes:
        paths: what is known.
        complete: nothing else plays a part.
    """

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self.complete = True

    def contents(self) -> dict[str, str]:
        """Return the content of each path, see :func:`content`."""
        return {str(path): content(path) for path in sorted(self.paths)}


@contextmanager
def recording() -> Iterator[Inputs]:
    """Collect what :func:`record` is told inside the block."""
    inputs = Inputs()
    token = _inputs.set(inputs)
    try:
        yield inputs
    finally:
        _inputs.reset(token)


def record(path: Path | None) -> None:
    """Say that what is being made depends on the file or folder ``path``, or with None on more than can be named."""
    inputs = _inputs.get()
    if inputs is None:
        return
    if path is None:
        inputs.complete = False
    else:
        inputs.paths.add(path.absolute())


def content(path: Path) -> str:
    """Return a text that changes with the content of the file or folder ``path``, or with it going away."""
    # Where a link leads is part of what is found behind it.
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape"))
    if path.is_dir():
        files = []
        for folder, folders, names in os.walk(path):
            files += [Path(folder, name) for name in names]
            links = sorted(str(Path(folder, name).resolve()) for name in folders if Path(folder, name).is_symlink())
            digest.update("\n".join(links).encode("utf-8", "surrogateescape"))
        files.sort()
    else:
        files = [path]
    for file in files:
        try:
            data = file.read_bytes()
            executable = os.access(file, os.X_OK)
        except OSError:
            digest.update(b"missing\n")
            continue
        digest.update(f"{file.relative_to(path)} {executable} {len(data)}\n".encode("utf-8", "surrogateescape") + data)
    return digest.hexdigest()
