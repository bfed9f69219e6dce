"""What takes longer than it used to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import TYPE_CHECKING

from archlib.deploy.models import StackEvent

if TYPE_CHECKING:
    from archlib.deploy.watch import History

Usual = Mapping[tuple[str, str], float]
"""(logical id, ``CREATE``, ``UPDATE`` or ``DELETE``) -> seconds."""

_FACTOR, _MARGIN = 2.0, 60.0


def usual(events: Iterable[StackEvent]) -> Usual:
    """Return how long things took in ``events`` (oldest first): the median for each resource and action."""
    began: dict[tuple[str, str, str], float] = {}
    took: dict[tuple[str, str], list[float]] = {}
    for event in events:
        key = (event.stack_id, *action(event))
        if event.status.endswith("_IN_PROGRESS"):
            began.setdefault(key, event.time)
        elif (start := began.pop(key, None)) is not None and event.status.endswith("_COMPLETE"):
            took.setdefault(action(event), []).append(event.time - start)
    return {key: median(seconds) for key, seconds in took.items()}


def action(event: StackEvent) -> tuple[str, str]:
    """Return the logical id, and what is done to it."""
    return event.resource, event.status.split("_")[0]


def in_progress(history: History) -> tuple[tuple[StackEvent, float], ...]:
    """Return what is being worked on: the latest event of each resource, and when the work on it began."""
    open_: dict[tuple[str, str], tuple[StackEvent, float]] = {}
    for event in history.events:
        key = (event.stack_id, event.resource)
        if event.of_stack:
            continue
        if event.status.endswith("_IN_PROGRESS"):
            before = open_.get(key)
            same = before is not None and action(before[0]) == action(event)
            open_[key] = (event, before[1] if before is not None and same else event.time)
        else:
            open_.pop(key, None)
    return tuple(open_.values())


def slow(history: History, usual: Usual, now: float) -> tuple[tuple[str, float, float], ...]:
    """Return what takes more than twice, and a minute more than, the usual time: logical id, seconds, usual seconds."""
    return tuple(
        (event.resource, now - began, known)
        for event, began in in_progress(history)
        if (known := usual.get(action(event))) is not None and now - began > max(_FACTOR * known, known + _MARGIN)
    )
