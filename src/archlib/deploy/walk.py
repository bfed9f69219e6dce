"""Run work along a dependency graph, as parallel as the graph allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Walked(Generic[T]):
    """What came of a walk.

    Attributes:
        results: node -> what its work returned.
        errors: node -> what its work raised.
        skipped: nodes behind one that failed, each with the failed or skipped nodes that it needs.
    """

    results: dict[str, T]
    errors: dict[str, Exception]
    skipped: dict[str, frozenset[str]]


def walk(graph: Mapping[str, AbstractSet[str]], work: Callable[[str], T], *, workers: int = 8) -> Walked[T]:
    """Call ``work`` once for each node, after the nodes it depends on.

    A node starts as soon as its own dependencies are done and never waits for unrelated ones. When a node fails, the
    nodes behind it are skipped and the rest still runs. Returns when all work has ended.

    Args:
        graph: node -> the nodes it depends on.
        work: called in a worker thread.
        workers: most calls at a time, 1 or more.

    Raises:
        graphlib.CycleError: the graph has a cycle; no work was done.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    walked: Walked[T] = Walked({}, {}, {})
    running: dict[Future[T], str] = {}
    with ThreadPoolExecutor(max_workers=workers) as pool:
        while sorter.is_active():
            for node in sorter.get_ready():
                if lost := graph.get(node, frozenset()) & (walked.errors.keys() | walked.skipped.keys()):
                    walked.skipped[node] = frozenset(lost)
                    sorter.done(node)
                else:
                    running[pool.submit(work, node)] = node
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                node = running.pop(future)
                try:
                    walked.results[node] = future.result()
                except Exception as error:  # noqa: BLE001  (handed on in the result)
                    walked.errors[node] = error
                sorter.done(node)
    return walked
