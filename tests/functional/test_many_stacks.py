"""Many stacks at once take hardly longer than the longest way through them, and keep the pace."""

from __future__ import annotations

from pathlib import Path

from archlib.deploy.limiter import AWS
from many_stacks import deploy, random_stacks


def test_many_stacks_keep_the_pace_and_hardly_wait_for_each_other(tmp_path: Path) -> None:
    outcome = deploy(random_stacks(12, 7), tmp_path, seed=7)

    assert outcome.busiest <= AWS * 10 + 1
    assert 1.0 <= outcome.seconds / outcome.critical_path < 1.3


def test_the_pace_is_what_holds_the_calls_back(tmp_path: Path) -> None:
    """The bound above would mean nothing if there were fewer calls than it allows."""
    assert deploy(random_stacks(12, 7), tmp_path, seed=7, rate=100.0).busiest > AWS * 10 + 1
