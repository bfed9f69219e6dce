"""One pace for all calls to an account and region."""

from __future__ import annotations

import random
import threading

from archlib.deploy.clock import Clock

AWS = 3.0
LOCAL = 100.0
_FLOOR = 0.2
_GAIN = 0.02
_SHORT_QUEUE = 0.5


class Limiter:
    """Spaces calls evenly, slows down when the service says that it is too much, and speeds up again slowly.

    Args:
        clock: what waits.
        rate: calls a second at the start, and at most.
    """

    def __init__(self, clock: Clock, *, rate: float = AWS) -> None:
        self._clock = clock
        self._most = self._rate = rate
        self._free = 0.0
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        """Return the calls a second that are allowed now."""
        return self._rate

    def take(self, *, patient: bool = False) -> None:
        """Wait for the turn of one call.

        Args:
            patient: let others go first who are not: whoever only watches must not hold up whoever acts.
        """
        while True:
            with self._lock:
                now = self._clock.now()
                queue = self._free - now
                if not patient or queue <= _SHORT_QUEUE:
                    turn = max(now, self._free)
                    self._free = turn + 1 / self._rate
                    break
            self._clock.sleep(random.uniform(queue / 2, queue))  # noqa: S311  (spreads calls, guards nothing)
        # Being asked to stop ends a sleep early; the pace holds all the same.
        while (left := turn - self._clock.now()) > 0:
            self._clock.sleep(left)

    def throttled(self) -> None:
        """Halve the pace: the service refused a call."""
        with self._lock:
            self._rate = max(_FLOOR, self._rate / 2)

    def succeeded(self) -> None:
        """Quicken the pace a little: the service took a call."""
        with self._lock:
            self._rate = min(self._most, self._rate + _GAIN)
