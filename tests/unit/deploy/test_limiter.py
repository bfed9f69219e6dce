"""One pace for all: even, slower when told to, and those who act before those who watch."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest

from archlib.deploy.clock import Clock
from archlib.deploy.limiter import Limiter
from fakes import VirtualClock


class Impatient:
    """A clock whose sleeps end early, as they do when a run is asked to stop."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.sleeps = 0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        self.time += min(seconds, 0.1)


def turns(clock: Clock, limiter: Limiter, count: int, *, patient: bool = False) -> list[float]:
    times = []
    for _ in range(count):
        limiter.take(patient=patient)
        times.append(clock.now())
    return times


def test_the_first_call_waits_for_nothing() -> None:
    clock = VirtualClock()
    began = clock.now()

    Limiter(clock).take()

    assert clock.now() == began


@pytest.mark.parametrize("rate", [0.5, 3.0, 100.0])
def test_calls_are_spaced_evenly(rate: float) -> None:
    clock = VirtualClock()

    times = turns(clock, Limiter(clock, rate=rate), 10)

    assert [after - before for before, after in pairwise(times)] == pytest.approx([1 / rate] * 9)


def test_a_pause_is_not_saved_up_for_a_burst() -> None:
    clock = VirtualClock()
    limiter = Limiter(clock, rate=2.0)
    limiter.take()
    clock.sleep(60)

    times = turns(clock, limiter, 3)

    assert [after - before for before, after in pairwise(times)] == pytest.approx([0.5, 0.5])


def test_threads_share_the_pace() -> None:
    clock = VirtualClock()
    limiter = Limiter(clock, rate=2.0)
    times: list[float] = []

    def work() -> None:
        times.extend(turns(clock, limiter, 5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    gaps = [after - before for before, after in pairwise(sorted(times))]
    assert len(times) == 20
    assert min(gaps) == pytest.approx(0.5)
    assert sum(gaps) == pytest.approx(9.5)


def test_who_watches_lets_those_who_act_go_first() -> None:
    order: list[str] = []

    class Clock:
        """While somebody sleeps, somebody else acts, once."""

        time = 0.0
        acted = False

        def now(self) -> float:
            return self.time

        def sleep(self, seconds: float) -> None:
            self.time += seconds
            if not self.acted:
                self.acted = True
                limiter.take()
                order.append("actor")

    limiter = Limiter(Clock(), rate=1.0)
    limiter.take()

    limiter.take(patient=True)
    order.append("watcher")

    assert order == ["actor", "watcher"]


def test_who_watches_alone_waits_no_longer_than_anyone() -> None:
    clock = VirtualClock()

    times = turns(clock, Limiter(clock, rate=3.0), 10, patient=True)

    assert [after - before for before, after in pairwise(times)] == pytest.approx([1 / 3] * 9)


def test_a_sleep_that_ends_early_does_not_break_the_pace() -> None:
    clock = Impatient()

    times = turns(clock, Limiter(clock, rate=1.0), 3)

    assert [after - before for before, after in pairwise(times)] == pytest.approx([1.0, 1.0])
    assert clock.sleeps > 2


def test_being_refused_halves_the_pace_down_to_a_floor() -> None:
    limiter = Limiter(VirtualClock(), rate=3.0)

    rates = []
    for _ in range(6):
        limiter.throttled()
        rates.append(limiter.rate)

    assert rates == [1.5, 0.75, 0.375, 0.2, 0.2, 0.2]


def test_being_served_brings_the_pace_back_slowly_and_never_above_the_start() -> None:
    limiter = Limiter(VirtualClock(), rate=3.0)
    limiter.throttled()

    limiter.succeeded()
    assert limiter.rate == pytest.approx(1.52)

    for _ in range(1000):
        limiter.succeeded()
    assert limiter.rate == 3.0


def test_the_slower_pace_holds_for_the_next_calls() -> None:
    clock = VirtualClock()
    limiter = Limiter(clock, rate=2.0)
    limiter.throttled()

    times = turns(clock, limiter, 3)

    assert [after - before for before, after in pairwise(times)] == pytest.approx([1.0, 1.0])
