"""Time as the deployer sees it, so that tests can have their own."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time and waits."""

    def now(self) -> float:
        """Return the seconds since 1970."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``, or less if the run is asked to stop."""
        ...


class Stop:
    """Asks a run to stop, from a signal handler or another thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def request(self) -> None:
        """Ask."""
        self._event.set()

    @property
    def requested(self) -> bool:
        """Return whether somebody asked."""
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Wait for ``seconds``, or until somebody asks."""
        self._event.wait(seconds)


class SystemClock:
    """The real time.

    Args:
        stop: ends a sleep early.
    """

    def __init__(self, stop: Stop | None = None) -> None:
        self._stop = stop or Stop()
        # Setting the clock of the machine must not stop what is paced by it.
        self._start = time.time() - time.monotonic()

    def now(self) -> float:
        """Return the seconds since 1970."""
        return self._start + time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``, or less if the run is asked to stop."""
        if self._stop.requested:
            time.sleep(min(seconds, 1.0))  # what is left to do, such as tidying up, must not spin
        else:
            self._stop.wait(seconds)
