"""cfn-lint in processes of its own, which load while the templates are still being built."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Any, Self


class Workers:
    """Processes that lint; for the command line, since scripts without a main guard cannot start processes.

    Args:
        regions: what the processes get ready for.
        count: how many there are.
    """

    def __init__(self, regions: Sequence[str], *, count: int = 2) -> None:
        # The words of some findings follow the order of sets; in these processes it is the same everywhere.
        os.environ.setdefault("PYTHONHASHSEED", "0")
        self._pool = ProcessPoolExecutor(count, get_context("spawn"), _get_ready, (tuple(regions),))
        # An interrupt is for the command, which then ends its processes: for them it is blocked from their first line.
        mask = getattr(signal, "pthread_sigmask", lambda *_: ())
        before = mask(getattr(signal, "SIG_BLOCK", 0), {signal.SIGINT})
        for _ in range(count):
            self._pool.submit(int)
        mask(getattr(signal, "SIG_SETMASK", 0), before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        # Nobody needs what they may still be loading.
        for process in active_children():
            process.terminate()

    def __call__(self, templates: Sequence[dict[str, Any]], regions: Sequence[str]) -> Iterable[list[dict[str, Any]]]:
        """Return what is wrong with each of ``templates``; the largest starts first."""
        largest = sorted(range(len(templates)), key=lambda place: -len(templates[place]["Resources"]))
        started = {place: self._pool.submit(_lint, templates[place], tuple(regions)) for place in largest}
        return [started[place].result() for place in range(len(templates))]


def _get_ready(regions: tuple[str, ...]) -> None:
    # Short-lived and full of small objects: collecting garbage takes longer here than it saves memory.
    gc.disable()
    Thread(target=_end_with_parent, daemon=True).start()
    from archlib.checks.linter import get_ready  # noqa: PLC0415  (the parent never imports cfn-lint)

    get_ready(regions)


def _end_with_parent() -> None:
    """Wait for the command to end, however it does: a process of the pool would not notice."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _lint(template: dict[str, Any], regions: tuple[str, ...]) -> list[dict[str, Any]]:
    from archlib.checks.linter import lint  # noqa: PLC0415

    return lint(template, regions)
