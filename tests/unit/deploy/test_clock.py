"""The real time, and what ends it early."""

from __future__ import annotations

import threading
import time

from archlib.deploy.clock import Stop, SystemClock


def test_the_time_is_the_real_one() -> None:
    before = time.time()

    assert before <= SystemClock().now() <= time.time()


def test_a_sleep_lasts() -> None:
    began = time.monotonic()

    SystemClock().sleep(0.05)

    assert time.monotonic() - began >= 0.05


def test_being_asked_to_stop_ends_a_sleep() -> None:
    stop = Stop()
    assert not stop.requested
    threading.Timer(0.02, stop.request).start()
    began = time.monotonic()

    SystemClock(stop).sleep(30)

    assert stop.requested
    assert time.monotonic() - began < 10


def test_what_is_left_to_do_afterwards_does_not_spin() -> None:
    stop = Stop()
    stop.request()
    began = time.monotonic()

    SystemClock(stop).sleep(0.05)

    assert 0.05 <= time.monotonic() - began < 10
