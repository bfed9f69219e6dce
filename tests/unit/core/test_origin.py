from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from troposphere import sqs

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.queue import Queue
from archlib.core.origin import Origin, at, here

ONE, OTHER = Origin("/shop.yaml", 3), Origin("/shop.yaml", 7)


def line_of(text: str) -> Origin:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return Origin(__file__, next(number for number, line in enumerate(lines, 1) if line.strip() == text))


def test_is_the_line_that_asked() -> None:
    found = here()

    assert found == line_of("found = here()")


def test_skips_the_frames_of_the_library(stack: Stack) -> None:
    queue = Queue(stack, "jobs")  # all its resources come from here

    line = line_of('queue = Queue(stack, "jobs")  # all its resources come from here')
    assert queue.origin == line
    assert {stack.origins[title] for title in stack.template.resources} == {line}


def test_is_the_call_and_not_where_the_object_was_made(stack: Stack) -> None:
    resource = sqs.Queue("Jobs")
    stack.add(resource)

    assert stack.origins["Jobs"] == line_of("stack.add(resource)")


def test_what_wiring_makes_comes_from_the_line_that_wired(app: App) -> None:
    stack = Stack(app, "code")
    jobs = Queue(stack, "jobs")
    worker = Function(stack, "worker", code=Code(inline="def handler(event, context):\n    return event\n"))
    worker.consume(jobs)

    assert stack.origins["WorkerFromJobs"] == line_of("worker.consume(jobs)")
    policy = stack.permissions["WorkerFunctionPolicy"]
    assert [each.origin for each in policy if "jobs" in each.why] == [line_of("worker.consume(jobs)")] * 2


def test_may_be_set_from_outside() -> None:
    with at(ONE):
        assert here() == ONE

    assert here() != ONE


def test_the_innermost_wins_and_the_outer_one_comes_back() -> None:
    with at(ONE):
        with at(OTHER):
            assert here() == OTHER
        assert here() == ONE


def test_none_changes_nothing() -> None:
    with at(ONE), at(None):
        assert here() == ONE


def test_an_error_inside_resets_it() -> None:
    with pytest.raises(ZeroDivisionError), at(ONE):
        raise ZeroDivisionError

    assert here() != ONE


def test_threads_do_not_see_each_others() -> None:
    def ask(origin: Origin) -> bool:
        with at(origin):
            return all(here() == origin for _ in range(1000))

    with at(ONE), ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, [Origin("/shop.yaml", number) for number in range(20)]))


def test_reads_as_people_write_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert str(Origin(str(tmp_path / "code" / "shop.py"), 12)) == "code/shop.py:12"
    assert str(Origin("/elsewhere/shop.py", 1)) == "/elsewhere/shop.py:1"


def test_a_working_directory_that_is_gone_is_no_error(tmp_path: Path) -> None:
    script = "import os; from archlib.core.origin import Origin; os.rmdir(os.getcwd()); print(Origin('/shop.py', 1))"
    gone = tmp_path / "gone"
    gone.mkdir()

    done = subprocess.run([sys.executable, "-c", script], cwd=gone, capture_output=True, text=True, check=True)

    assert done.stdout == "/shop.py:1\n"


def test_sorts_by_file_and_line() -> None:
    assert sorted([Origin("b", 1), Origin("a", 10), Origin("a", 9)]) == [
        Origin("a", 9),
        Origin("a", 10),
        Origin("b", 1),
    ]
