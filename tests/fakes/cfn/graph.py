"""Runs what is to be done with many resources side by side, each one after those it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fakes.cfn.world import Operation, World
from fakes.simulation import Process, Steps, Task


def run_all(
    world: World,
    operation: Operation,
    steps: Mapping[str, Callable[[], Steps[bool]]],
    needs: Mapping[str, set[str]],
    on_cancel: Callable[[str], None],
    *,
    keep_going: bool,
) -> Steps[list[str]]:
    """Run all steps and return the names of those that failed.

    The first failure, or the end of the operation, cancels what runs; with ``keep_going`` only what needs the failed
    one is left out.
    """
    waiting = list(steps)
    running: dict[str, Task] = {}
    failed: list[str] = []
    finished: list[str] = []
    signal = operation.signal

    def perform(name: str) -> Process:
        succeeded = yield from steps[name]()
        running.pop(name, None)
        finished.append(name)
        if not succeeded:
            failed.append(name)
        signal.fire()

    try:
        while True:
            if operation.cancelled or (failed and not keep_going):
                return failed
            blocked = _blocked(waiting, failed, needs)
            pending = {*waiting, *running}
            for name in [name for name in waiting if name not in blocked and not needs.get(name, set()) & pending]:
                waiting.remove(name)
                _start(world, name, perform(name), running)
            if finished:  # some ended at once: look again who is ready
                finished.clear()
            elif running:
                yield signal
                finished.clear()
            else:
                return failed
    finally:
        for name, task in list(running.items()):
            task.cancel()
            on_cancel(name)


def _start(world: World, name: str, process: Process, running: dict[str, Task]) -> None:
    task = Task(process)
    running[name] = task
    world.simulation.run(task)


def _blocked(waiting: list[str], failed: list[str], needs: Mapping[str, set[str]]) -> set[str]:
    """Return those that need, directly or not, something that failed."""
    blocked = set(failed)
    while more := {name for name in waiting if name not in blocked and needs.get(name, set()) & blocked}:
        blocked |= more
    return blocked & set(waiting)


def reverse(needs: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the order for deletion: what needs a thing goes before it."""
    result: dict[str, set[str]] = {name: set() for name in needs}
    for name, wanted in needs.items():
        for other in wanted:
            result.setdefault(other, set()).add(name)
    return result
