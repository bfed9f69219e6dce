"""Where in the user's own files a thing was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_override: ContextVar[Origin | None] = ContextVar("origin", default=None)


class Origin(NamedTuple):
    """A file and a line in it, counted from 1; or what on the command line asked, with line 0."""

    file: str
    line: int

    def __str__(self) -> str:
        try:
            shown = str(Path(self.file).relative_to(Path.cwd()))
        except (ValueError, OSError):
            shown = self.file
        return f"{shown}:{self.line}" if self.line else shown


def here() -> Origin | None:
    """Return the line that asked: the one set by :func:`at`, or the first frame outside archlib."""
    if (origin := _override.get()) is not None:
        return origin
    frame = sys._getframe(1)  # noqa: SLF001  (the documented way to see the caller without building a traceback)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            return Origin(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return None


@contextmanager
def at(origin: Origin | None) -> Iterator[None]:
    """Make ``origin`` the answer of :func:`here` inside the block; None changes nothing."""
    if origin is None:
        yield
        return
    token = _override.set(origin)
    try:
        yield
    finally:
        _override.reset(token)
