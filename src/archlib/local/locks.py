"""Locks on folders, which end with the process that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = ".lock"


@contextmanager
def locked(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of ``folder``.

    Args:
        folder: it exists.
        wait: until another process lets go of it.

    Raises:
        BlockingIOError: another process holds it, and ``wait`` is False.
    """
    import fcntl  # noqa: PLC0415  (not on Windows, where this module must be importable)

    with (folder / _NAME).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def is_locked(folder: Path) -> bool:
    """Say whether a process holds the lock of ``folder``."""
    try:
        with locked(folder, wait=False):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False
