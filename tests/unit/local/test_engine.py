from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep

import pytest

from archlib.errors import EngineError
from archlib.local import EngineStatus, LocalEngine
from local_stacks import Stacks, template

QUEUE = template({"Jobs": {"Type": "AWS::SQS::Queue"}}, {"Url": {"Ref": "Jobs"}}, name="kept")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(tmp_path / "local")
    yield engine
    engine.reset()


def port_of(engine: LocalEngine) -> int:
    return int(engine.endpoint.rpartition(":")[2])


def kill(engine: LocalEngine) -> None:
    pid = engine.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = monotonic() + 10
    while engine.status().running:
        assert monotonic() < deadline
        sleep(0.02)


def test_an_engine_is_started_once_and_answers(engine: LocalEngine) -> None:
    assert engine.status() == EngineStatus(running=False)

    endpoint = engine.start()

    assert endpoint.startswith("http://127.0.0.1:")
    assert engine.start() == endpoint == engine.endpoint
    status = engine.status()
    assert (status.running, status.endpoint, status.stacks) == (True, endpoint, 0)
    assert status.since is not None
    assert abs((datetime.now(UTC) - status.since).total_seconds()) < 60
    assert Stacks(endpoint).client("sts").get_caller_identity()["Account"] == "000000000000"


def test_an_engine_stops_and_keeps_its_state(engine: LocalEngine) -> None:
    endpoint = engine.start()
    stacks = Stacks(endpoint)
    assert stacks.apply(QUEUE) == "CREATE_COMPLETE"
    url = stacks.outputs("kept")["Url"]
    stacks.client("sqs").send_message(QueueUrl=url, MessageBody="hello")

    assert engine.stop()
    assert not engine.stop()
    assert engine.status() == EngineStatus(running=False)

    assert engine.start() == endpoint, "URLs of queues contain the port"
    assert engine.status().stacks == 1
    (message,) = stacks.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "hello"


def test_an_engine_that_is_killed_has_kept_what_was_done_a_while_ago(engine: LocalEngine) -> None:
    stacks = Stacks(engine.start())
    stacks.apply(QUEUE)
    kept = engine.folder / "state" / "services" / "cloudformation.json"
    deadline = monotonic() + 10
    while not kept.exists():
        assert monotonic() < deadline
        sleep(0.05)
    sleep(0.5)

    kill(engine)
    engine.start()

    assert stacks.describe("kept")["StackStatus"] == "CREATE_COMPLETE"


def test_reset_deletes_everything(engine: LocalEngine) -> None:
    stacks = Stacks(engine.start())
    stacks.apply(QUEUE)

    engine.reset()

    assert not engine.status().running
    assert {path.name for path in engine.folder.iterdir()} <= {".lock"}
    engine.start()
    assert engine.status().stacks == 0


def test_two_starts_at_once_start_one_engine(engine: LocalEngine) -> None:
    others = [LocalEngine(engine.folder) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        started = set(pool.map(LocalEngine.start, others))

    assert len(started) == 1
    assert engine.endpoint in started


def test_two_folders_have_two_engines(engine: LocalEngine, tmp_path: Path) -> None:
    other = LocalEngine(tmp_path / "other")

    try:
        assert engine.start() != other.start()
    finally:
        other.reset()


def test_an_engine_that_does_not_run_has_no_endpoint(engine: LocalEngine) -> None:
    for ask in (lambda: engine.endpoint, engine.recorded):
        with pytest.raises(EngineError, match="the local engine is not running; start it: archlib local start"):
            ask()


@pytest.mark.parametrize("record", ['{"pid": %d, "port": 1}', "{}", "nonsense", '{"pid": "x", "port": 4566}', "[]"])
def test_what_a_dead_engine_left_is_no_obstacle(engine: LocalEngine, record: str) -> None:
    engine.folder.mkdir()
    # The pid is alive, but belongs to somebody else: to this test.
    (engine.folder / "engine.json").write_text(record.replace("%d", str(os.getpid())))

    assert engine.status() == EngineStatus(running=False)
    assert not engine.stop()
    assert engine.start()


def test_the_port_of_what_was_kept_must_be_free(engine: LocalEngine) -> None:
    engine.start()
    port = port_of(engine)
    engine.stop()

    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(EngineError, match=f"port {port} of the local engine belongs to another program"):
            engine.start()
        assert not engine.status().running


def test_the_first_port_is_one_that_nobody_uses(engine: LocalEngine) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 4566))
            other.listen()
        except OSError:
            pass  # An engine of somebody else is there, which is as good.

        assert not engine.start().endswith(":4566")


def test_an_engine_that_ends_at_its_start_says_why(engine: LocalEngine) -> None:
    engine.folder.mkdir()
    (engine.folder / "state").write_text("a file where a folder must be")

    with pytest.raises(EngineError, match=r"(?s)the local engine ended at its start:.*FileExistsError.*state"):
        engine.start()
    (engine.folder / "state").unlink()


@pytest.mark.parametrize("do", [LocalEngine.start, LocalEngine.reset], ids=["start", "reset"])
def test_a_folder_that_cannot_be_written_is_said(do: Callable[[LocalEngine], object], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    engine = LocalEngine(file if do is LocalEngine.reset else file / "below")

    with pytest.raises(
        EngineError, match=r"the folder .*file.* of the local engine cannot be written: .*; correct its"
    ):
        do(engine)


def test_an_engine_that_hangs_is_said(engine: LocalEngine) -> None:
    engine.start()
    pid = engine.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EngineError, match=f"runs but does not answer; end it: kill -9 {pid};"):
            engine.start()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_without_ministack_it_is_said_what_to_install(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ministack", None)

    with pytest.raises(EngineError, match=r'needs MiniStack; run: pip install "archlib\[local\]"'):
        engine.start()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"XDG_STATE_HOME": "/some/where"}, "/some/where/archlib/local"), ({}, "/home/ada/.local/state/archlib/local")],
)
def test_the_folder_is_that_for_state(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    for name, value in (variables | {"HOME": "/home/ada"}).items():
        monkeypatch.setenv(name, value)

    assert LocalEngine().folder == Path(expected)


def test_an_engine_outlives_the_process_that_starts_it(engine: LocalEngine) -> None:
    code = "import sys, pathlib; from archlib.local import LocalEngine; LocalEngine(pathlib.Path(sys.argv[1])).start()"
    subprocess.run([sys.executable, "-c", code, engine.folder], check=True)

    assert engine.status().running
    assert json.loads((engine.folder / "engine.json").read_text())["pid"] == engine.status().pid
