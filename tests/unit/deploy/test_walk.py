"""Work along a graph: in order, each once, and no more waiting than the graph asks for."""

from __future__ import annotations

import threading
from graphlib import CycleError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlib.deploy.walk import walk

Graph = dict[str, set[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    names = [f"n{index}" for index in range(draw(st.integers(0, 12)))]
    graph = {
        name: draw(st.sets(st.sampled_from(names[:index]))) if index else set() for index, name in enumerate(names)
    }
    order = draw(st.permutations(names))
    return {name: graph[name] for name in order}


def behind(graph: Graph, bad: set[str]) -> set[str]:
    """Return the nodes that need one of ``bad``, directly or through others."""
    found: set[str] = set()
    while more := {node for node, needs in graph.items() if needs & (bad | found)} - found:
        found |= more
    return found


@given(graph=graphs(), data=st.data())
def test_each_node_is_done_once_after_those_it_needs_and_skips_go_through(graph: Graph, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.sampled_from(sorted(graph)))) if graph else set()
    lock = threading.Lock()
    started: list[str] = []
    ended: list[str] = []

    def work(node: str) -> str:
        with lock:
            started.append(node)
            assert graph[node] <= set(ended), "it began before what it needs had ended"
        if node in bad:
            raise ValueError(node)
        with lock:
            ended.append(node)
        return node.upper()

    walked = walk(graph, work, workers=data.draw(st.integers(1, 4)))

    skipped = behind(graph, bad)
    assert sorted(started) == sorted(graph.keys() - skipped)
    assert walked.results == {node: node.upper() for node in graph.keys() - skipped - bad}
    assert {node: str(error) for node, error in walked.errors.items()} == {node: node for node in bad - skipped}
    failed = bad - skipped
    assert walked.skipped == {node: graph[node] & (failed | skipped) for node in skipped}


def test_nobody_waits_for_strangers() -> None:
    # a is slow; c needs only b, so it must not wait until the first row is done.
    c_ran = threading.Event()

    def work(node: str) -> bool:
        if node == "a":
            return c_ran.wait(10)
        if node == "c":
            c_ran.set()
        return True

    assert walk({"a": set(), "b": set(), "c": {"b"}}, work).results == {"a": True, "b": True, "c": True}


def test_what_can_run_at_the_same_time_does() -> None:
    together = threading.Barrier(5, timeout=10)

    walked = walk({f"n{index}": set() for index in range(5)}, lambda _: together.wait(), workers=5)

    assert sorted(walked.results.values()) == [0, 1, 2, 3, 4]


def test_no_more_than_the_workers_run_at_a_time() -> None:
    lock, now, most = threading.Lock(), [0], [0]
    pair = threading.Barrier(2, timeout=10)

    def work(_: str) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        pair.wait()
        with lock:
            now[0] -= 1

    walk({f"n{index}": set() for index in range(6)}, work, workers=2)

    assert most == [2]


def test_a_cycle_is_found_before_any_work() -> None:
    done: list[str] = []

    with pytest.raises(CycleError):
        walk({"free": set(), "a": {"b"}, "b": {"a"}}, done.append)

    assert done == []


def test_the_rest_runs_on_after_a_failure() -> None:
    failed = threading.Event()

    def work(node: str) -> bool:
        if node == "bad":
            failed.set()
            raise RuntimeError("no")
        return failed.wait(10)

    walked = walk({"bad": set(), "slow": set(), "after": {"slow"}, "behind": {"bad", "slow"}}, work)

    assert walked.results == {"slow": True, "after": True}
    assert walked.skipped == {"behind": {"bad"}}


def test_what_ends_a_program_is_not_kept_as_a_result() -> None:
    def work(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        walk({"a": set()}, work)
