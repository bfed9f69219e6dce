"""A run that is killed at any call, and started again, ends as if nothing had been, and does nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeCloudFormation
from fakes.clock import ScaledClock
from fakes.server import serve

TESTS = Path(__file__).parents[1]
SCALE = 0.004


class Zygote:
    """A process that deploys, again and again, on a fake that may kill it."""

    def __init__(self, folder: Path) -> None:
        self.clock = ScaledClock(SCALE)
        self.fake = FakeCloudFormation(self.clock)
        self.folder = folder
        self.kill_at: tuple[int, str] | None = None
        self._calls = 0
        self._pid = 0
        self._real = self.fake.call
        self.fake.call = self._call  # type: ignore[method-assign]

    @contextmanager
    def running(self) -> Iterator[None]:
        with serve(self.fake, self.clock) as url:
            arguments = [sys.executable, str(Path(__file__).with_name("killed_child.py"))]
            environment = {**os.environ, "PYTHONPATH": str(TESTS)}
            with subprocess.Popen(
                [*arguments, url, str(self.folder), str(SCALE)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            ) as self.process:  # fmt: skip
                yield
                self.say("").close()

    def say(self, text: str) -> Any:
        assert self.process.stdin is not None
        if text:
            self.process.stdin.write(f"{text}\n")
            self.process.stdin.flush()
        return self.process.stdin

    def deploy(self, version: str, name: str, *, kill_at: tuple[int, str] | None = None) -> int:
        """Return the exit code; -9 if it was killed."""
        assert self.process.stdout is not None
        self._calls, self.kill_at = 0, kill_at
        self.say(f"{version} {name}")
        self._pid = int(self.process.stdout.readline())
        return int(self.process.stdout.readline())

    def _call(self, operation: str, parameters: dict[str, Any], **how: Any) -> Any:
        self._calls += 1
        at, when = self.kill_at or (0, "")
        if self._calls == at and when == "before":
            os.kill(self._pid, signal.SIGKILL)
        try:
            return self._real(operation, parameters, **how)
        finally:
            if self._calls == at and when == "after":
                os.kill(self._pid, signal.SIGKILL)

    def executed(self) -> int:
        return sum(call.operation == "ExecuteChangeSet" and not call.error for call in self.fake.calls)


@pytest.mark.parametrize("exists", [False, True], ids=["create", "update"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_call_and_started_again(tmp_path: Path, when: str, exists: bool) -> None:  # noqa: FBT001
    killed = 0
    zygote = Zygote(tmp_path)
    with zygote.running():
        for at in range(1, 100):
            name = f"shop-{at}"
            if exists:
                assert zygote.deploy("old", name) == 0
            zygote.fake.calls.clear()
            if zygote.deploy("new", name, kill_at=(at, when)) == 0:
                break
            killed += 1
            assert zygote.deploy("new", name) == 0
            assert zygote.executed() == 1, f"killed {when} call {at}"
            stack = zygote.fake.stack(name)
            assert stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
            assert set(stack.resources) == {"Jobs", "Topic"}
            left = zygote.fake.call("ListChangeSets", {"StackName": name})["Summaries"]
            assert [item for item in left if item["ExecutionStatus"] == "AVAILABLE"] == []
    assert killed >= 8
