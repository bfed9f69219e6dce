from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from archlib.local import LocalEngine
from archlib.local.server import environment
from local_stacks import Stacks, template


def ask(port: int, path: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@contextmanager
def serving(state: Path, *options: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "archlib.local.server", "--port", str(port), "--state", str(state), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = monotonic() + 30
        while True:
            try:
                ask(port, "/_archlib/health")
                break
            except OSError:
                assert monotonic() < deadline
                assert process.poll() is None
                sleep(0.05)
        yield port, process
        process.terminate()


def test_a_stock_engine_has_no_overlay(tmp_path: Path) -> None:
    known = template({"Jobs": {"Type": "AWS::SQS::Queue"}}, name="known")
    lacking = template({"Traces": {"Type": "AWS::XRay::Group", "Properties": {"GroupName": "a"}}}, name="lacking")

    with serving(tmp_path, "--stock") as (port, process):
        stacks = Stacks(f"http://127.0.0.1:{port}")

        assert stacks.apply(known) == "CREATE_COMPLETE"
        try:
            stacks.apply(lacking)
        except stacks.client("cloudformation").exceptions.ClientError as error:
            assert "Unrecognized resource types: [AWS::XRay::Group]" in str(error)  # noqa: PT017  (of this client only)
        else:
            raise AssertionError("it was created")
        assert ask(port, "/_archlib/recorded") == (200, [])
        assert ask(port, "/_archlib/health") == (200, {"pid": process.pid, "stock": True, "stacks": 1})


def test_two_engines_cannot_share_their_state(tmp_path: Path) -> None:
    with serving(tmp_path, "--stock"):
        command = [sys.executable, "-m", "archlib.local.server", "--port", "1", "--state", str(tmp_path)]
        second = subprocess.run(command, capture_output=True, text=True, check=False)

    assert second.returncode == 1
    assert second.stderr == f"another engine uses {tmp_path}\n"


def test_it_ends_on_a_signal_with_its_state(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with serving(tmp_path, "--stock") as (port, process):
            stacks = Stacks(f"http://127.0.0.1:{port}")
            stacks.apply(template({"Jobs": {"Type": "AWS::SQS::Queue"}}, name=f"on-{number.name.lower()}"))
            process.send_signal(number)
            assert process.wait(20) == 0

    kept = (tmp_path / "services" / "cloudformation.json").read_text()
    assert "on-sigterm" in kept
    assert "on-sigint" in kept


def test_only_this_machine_is_served(running: LocalEngine) -> None:
    port = int(running.endpoint.rpartition(":")[2])
    outside = socket.gethostbyname(socket.gethostname())

    if not outside.startswith("127."):
        with socket.socket() as other:
            other.settimeout(5)
            assert other.connect_ex((outside, port)) != 0
    # Whoever holds the wildcard address would be in the way.
    with socket.socket() as other:
        other.bind(("127.0.0.2", port))


def test_an_unknown_question_names_the_known_ones(running: LocalEngine) -> None:
    port = int(running.endpoint.rpartition(":")[2])

    assert ask(port, "/_archlib/nothing") == (404, {"known": ["health", "recorded"]})


def test_functions_find_no_credentials_of_the_user(tmp_path: Path) -> None:
    outer = {
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SESSION_TOKEN": "real",
        "AWS_PROFILE": "prod",
        "AWS_ENDPOINT_URL": "https://example.com",
        "MINISTACK_HOST": "example.com",
        "HOME": "/home/ada",
    }

    inner = environment(outer, 4599, tmp_path)

    assert {"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "MINISTACK_HOST"}.isdisjoint(inner)
    assert inner["AWS_ACCESS_KEY_ID"] == "000000000000"
    assert inner["AWS_SHARED_CREDENTIALS_FILE"] == inner["AWS_CONFIG_FILE"] == "/dev/null"
    assert inner["HOME"] == "/home/ada"
    assert (inner["BIND_HOST"], inner["GATEWAY_PORT"]) == ("127.0.0.1", "4599")
