"""Actors that really run in threads, but one at a time and in an order that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fakes.clock import EPOCH

_REAL_LIMIT = 30.0  # seconds of real time one actor may run without calling or sleeping


class Killed(BaseException):
    """Ends an actor where it stands, as a signal that cannot be caught would; every later call raises it again."""


class Stuck(AssertionError):  # noqa: N818 - as Killed
    """The run took too many steps or too much virtual time, or an actor stopped without calling or sleeping."""


@dataclass(eq=False)
class Actor:
    """One of those who act: its clock for its code, itself as ``caller`` for its transport.

    Args:
        kill_at: the pause (call or sleep, counted from 1) at which the actor is killed.
    """

    name: str
    scheduler: Scheduler
    kill_at: int | None = None
    wakes_at: float = 0.0
    pauses: int = 0
    parked: bool = False
    finished: bool = False
    result: Any = None
    error: BaseException | None = None
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def now(self) -> float:
        """Return the virtual time, the same for all actors."""
        return self.scheduler.now()

    def sleep(self, seconds: float) -> None:
        """Let the others run until ``seconds`` have passed."""
        self._park(self.now() + max(0.0, seconds))

    def pause(self) -> None:
        """Let the scheduler choose who goes on; the transport calls this before every request."""
        self._park(self.now())

    def kill(self) -> None:
        """Kill the actor where it pauses now."""
        self.kill_at = 0

    def _park(self, wakes_at: float) -> None:
        self.pauses += 1
        self._die_if_killed()
        if not self.scheduler.running or self.finished:
            self.scheduler.sleep(wakes_at - self.now())
            return
        if self.parked:
            raise Stuck(f"actor {self.name!r} has two active threads")
        self.wakes_at = wakes_at
        self.parked = True
        self.scheduler.turn.release()
        self.go.acquire()
        self._die_if_killed()

    def _die_if_killed(self) -> None:
        if self.kill_at is not None and self.pauses >= self.kill_at:
            raise Killed(self.name)


class Scheduler:
    """Runs actors one at a time; at every call and every sleep ``choose`` says which of the runnable ones goes on.

    It is itself a clock: give it to the fake service. Outside of :meth:`run` its ``sleep`` just moves the time.

    Args:
        choose: gets the number of runnable actors (at least 2), returns the index of the one to go on.
        max_steps: how many times an actor may go on before the run counts as endless.
        max_seconds: how much virtual time may pass.
    """

    def __init__(
        self,
        choose: Callable[[int], int] = lambda count: 0,
        *,
        start: float = EPOCH,
        max_steps: int = 20_000,
        max_seconds: float = 7 * 86_400,
    ) -> None:
        self._choose = choose
        self._now = start
        self._end = start + max_seconds
        self._max_steps = max_steps
        self.actors: list[Actor] = []
        self.turn = threading.Semaphore(0)
        self.running = False
        self.steps: list[str] = []

    def actor(self, name: str, *, kill_at: int | None = None) -> Actor:
        """Return a new actor, to be given to its clients as caller and to its code as clock."""
        actor = Actor(name, self, kill_at)
        self.actors.append(actor)
        return actor

    def now(self) -> float:
        """Return the virtual time in epoch seconds."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the time on; for the test itself, before and after the run."""
        self._now += max(0.0, seconds)

    def jump(self, seconds: float) -> None:
        """Move the time on for all actors, as when a machine was suspended."""
        self._now += seconds

    def run(self, work: dict[Actor, Callable[[], object]]) -> None:
        """Run all to their ends; each actor then has its ``result`` or its ``error``.

        Raises:
            Stuck: too many steps, too much time, or an actor that waits for something else.
        """
        threads = [threading.Thread(target=self._perform, args=item, daemon=True) for item in work.items()]
        for actor in work:
            actor.parked, actor.finished, actor.wakes_at = True, False, self._now
        self.running = True
        try:
            for thread in threads:
                thread.start()
            while any(not actor.finished for actor in work):
                self._step([actor for actor in work if not actor.finished])
        finally:
            self.running = False
            for actor in work:
                actor.go.release()
        for thread in threads:
            thread.join(_REAL_LIMIT)

    def _step(self, alive: list[Actor]) -> None:
        runnable = [actor for actor in alive if actor.wakes_at <= self._now]
        if not runnable:
            self._now = min(actor.wakes_at for actor in alive)
            runnable = [actor for actor in alive if actor.wakes_at <= self._now]
        if len(self.steps) >= self._max_steps or self._now > self._end:
            self._give_up(alive, f"no end after {len(self.steps)} steps and {self._now - EPOCH:g} virtual seconds")
        actor = runnable[self._choose(len(runnable)) if len(runnable) > 1 else 0]
        self.steps.append(actor.name)
        actor.parked = False
        actor.go.release()
        if not self.turn.acquire(timeout=_REAL_LIMIT):
            self._give_up(alive, f"actor {actor.name!r} neither calls, sleeps nor ends")

    def _give_up(self, alive: list[Actor], reason: str) -> None:
        for actor in alive:
            actor.kill()
        raise Stuck(reason)

    def _perform(self, actor: Actor, do: Callable[[], object]) -> None:
        actor.go.acquire()
        try:
            actor.result = do()
        except BaseException as error:  # noqa: BLE001 - the test judges it
            actor.error = error
        actor.finished = True
        self.turn.release()
