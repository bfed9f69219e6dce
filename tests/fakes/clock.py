"""Virtual time for threads that really run.

`VirtualClock` jumps to the earliest wake-up as soon as every thread is asleep on it or has nothing to do. What a thread
does is read off its stack: one that waits inside ``threading``, ``queue``, ``concurrent.futures`` or ``selectors`` has
nothing to do until another thread gives it something; so does one that does not move at all (a lock, a socket). So a
pool of workers, the thread that waits for them and a reporter in between need no registration, and a thread that is
busy is never overtaken.
"""

from __future__ import annotations

import heapq
import sys
import threading
import time
from dataclasses import dataclass, field
from types import FrameType

EPOCH = 1_767_225_600.0  # 2026-01-01T00:00:00Z

_IDLE_FILES = (
    "threading.py",
    "queue.py",
    "selectors.py",
    "socketserver.py",
    "concurrent/futures/thread.py",
    "concurrent/futures/_base.py",
)
_QUIET = 0.001  # seconds between two looks that must both find nobody busy
_BLOCKED = 0.2  # seconds at one instruction after which a thread waits for something in C
_PATIENCE = 20.0  # seconds of real time a busy thread may take before the clock gives up


@dataclass(order=True)
class _Sleeper:
    wakes_at: float
    order: int
    thread: int = field(compare=False)
    awake: bool = field(default=False, compare=False)


class VirtualClock:
    """A clock whose ``sleep`` costs no time, for one thread or many.

    Args:
        start: epoch seconds at the beginning.
        limit: virtual seconds after which every sleep raises: a run that never ends fails, it does not hang.
    """

    def __init__(self, start: float = EPOCH, *, limit: float = 30 * 86_400) -> None:
        self._now = start
        self._end = start + limit
        self._changed = threading.Condition()
        self._sleepers: list[_Sleeper] = []
        self._order = 0
        self._waking = 0
        self._stands: dict[int, tuple[int, int, float]] = {}
        self._bystanders = set(sys._current_frames()) - {threading.get_ident()}
        self._jumped_at = time.monotonic()

    def now(self) -> float:
        """Return the virtual time in epoch seconds."""
        self._bystanders.discard(threading.get_ident())
        return self._now

    def sleep(self, seconds: float) -> None:
        """Return when ``seconds`` of virtual time have passed.

        Raises:
            TimeoutError: the limit is passed, or a thread is neither asleep nor idle for too long.
        """
        self._bystanders.discard(threading.get_ident())
        with self._changed:
            sleeper = _Sleeper(self._now + max(0.0, seconds), self._order, threading.get_ident())
            if sleeper.wakes_at > self._end:
                raise TimeoutError(f"virtual time would pass its limit, {self._end - EPOCH:g} s after the start")
            self._order += 1
            self._jumped_at = time.monotonic()
            heapq.heappush(self._sleepers, sleeper)
            while not sleeper.awake:
                first = self._sleepers[0] is sleeper
                if first:
                    self._jump_if_quiet()
                if not sleeper.awake:
                    self._changed.wait(_QUIET if first else _BLOCKED)
            self._waking -= 1

    def advance(self, seconds: float) -> None:
        """Move the time on at once, waking who is due."""
        with self._changed:
            self._now += seconds
            self._wake_due()

    def _jump_if_quiet(self) -> None:
        """Jump to the earliest wake-up when two looks in a row find nobody busy; called with the lock held."""
        if (busy := self._busy()) is None:
            seen = self._order, self._now
            if self._others():
                self._changed.wait(_QUIET)
                if seen != (self._order, self._now) or self._busy() is not None:
                    return
            self._now = max(self._now, self._sleepers[0].wakes_at)
            self._wake_due()
        elif time.monotonic() - self._jumped_at > _PATIENCE:
            raise TimeoutError(f"virtual time stands still: a thread is busy at {busy}")

    def _wake_due(self) -> None:
        while self._sleepers and self._sleepers[0].wakes_at <= self._now:
            heapq.heappop(self._sleepers).awake = True
            self._waking += 1
        self._jumped_at = time.monotonic()
        self._changed.notify_all()

    def _others(self) -> bool:
        return any(
            thread not in self._bystanders for thread in sys._current_frames() if thread != threading.get_ident()
        )

    def _busy(self) -> str | None:
        """Return where the first busy thread is; only who sleeps here or waits for other threads is not busy."""
        if self._waking:
            return "its return from sleep"
        asleep = {sleeper.thread for sleeper in self._sleepers} | {threading.get_ident()} | self._bystanders
        for thread, frame in sys._current_frames().items():
            if thread not in asleep and not _idle(frame) and not self._blocked(thread, frame):
                return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        return None

    def _blocked(self, thread: int, frame: FrameType) -> bool:
        """Tell whether the thread has been at the same instruction for so long that it waits for a lock or a socket."""
        now = time.monotonic()
        frame_id, instruction, since = self._stands.get(thread, (0, 0, now))
        if (frame_id, instruction) != (id(frame), frame.f_lasti):
            since = now
        self._stands[thread] = (id(frame), frame.f_lasti, since)
        return now - since > _BLOCKED


def _idle(frame: FrameType) -> bool:
    return frame.f_code.co_filename.endswith(_IDLE_FILES)


class ScaledClock:
    """A clock that moves by itself, for children in other processes: one virtual second is a moment of real time.

    Args:
        scale: real seconds per virtual second.
    """

    def __init__(self, scale: float = 0.001, start: float = EPOCH) -> None:
        self._scale, self._start = scale, start
        self._began = time.monotonic()

    def now(self) -> float:
        """Return the virtual time in epoch seconds."""
        return self._start + (time.monotonic() - self._began) / self._scale

    def sleep(self, seconds: float) -> None:
        """Wait for the moment that ``seconds`` are."""
        time.sleep(max(0.0, seconds) * self._scale)
