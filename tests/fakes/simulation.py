"""Discrete events in virtual time: processes are generators that yield what they wait for."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol, TypeVar


class Clock(Protocol):
    """The time everything here lives in: epoch seconds."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass(eq=False)
class Signal:
    """Something a process can wait for; fires for all who wait at that moment."""

    waiting: list[Callable[[], None]] = field(default_factory=list)

    def fire(self) -> None:
        """Let all who wait go on."""
        waiting, self.waiting = self.waiting, []
        for resume in waiting:
            resume()


Result = TypeVar("Result")
Steps = Generator["float | Signal", None, Result]
Process = Steps[None]


@dataclass(eq=False)
class Task:
    """A process that was started; ``cancel`` stops it where it stands."""

    process: Process
    cancelled: bool = False

    def cancel(self) -> None:
        """Never resume it again."""
        self.cancelled = True
        self.process.close()


class Simulation:
    """A queue of what happens when; :meth:`advance` lets everything happen that is due by the clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.now = clock.now()
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()

    def at(self, time: float, do: Callable[[], object]) -> None:
        """Call ``do`` when it is ``time``."""
        heapq.heappush(self._queue, (time, next(self._order), do))

    def start(self, process: Process) -> Task:
        """Run ``process`` up to its first wait, now, and the rest in its time."""
        task = Task(process)
        self.run(task)
        return task

    def advance(self) -> None:
        """Let everything happen that is due."""
        until = self.clock.now()
        while self._queue and self._queue[0][0] <= until:
            time, _, do = heapq.heappop(self._queue)
            self.now = max(self.now, time)
            do()
        self.now = max(self.now, until)

    def next_time(self) -> float | None:
        """Return when something happens next, ``None`` if nothing is planned."""
        return self._queue[0][0] if self._queue else None

    def run(self, task: Task) -> None:
        """Run a task up to its next wait."""
        if task.cancelled:
            return
        try:
            wait = next(task.process)
        except StopIteration:
            return
        if isinstance(wait, Signal):
            wait.waiting.append(lambda: self.at(self.now, lambda: self.run(task)))
        else:
            self.at(self.now + wait, lambda: self.run(task))
