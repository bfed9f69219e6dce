"""The processes that lint: they find what this process finds, and never outlive the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archlib.checks import check
from archlib.checks.workers import Workers
from archlib.core.artifact import StackArtifact

BLUEPRINT = """
blueprint: serverless
app: shop
settings:
  tables:
    orders: {partition_key: customer}
"""


def stack(name: str, **properties: object) -> StackArtifact:
    resources = {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": properties}}
    return StackArtifact(name, {"Resources": resources})


def test_workers_find_what_this_process_finds_in_the_same_order() -> None:
    stacks = [stack("a", Wrong=1), stack("b", DelaySeconds="never"), stack("c", DelaySeconds=3)]
    with Workers(["us-east-1"], count=1) as workers:
        found = check(stacks, regions=["us-east-1"], cache=False, lint=workers)

    assert found == check(stacks, regions=["us-east-1"], cache=False)
    assert {finding.stack for finding in found if finding.severity == "error"} == {"a", "b"}


def children_of(group: int) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.getpgid(int(process.name)) == group:
                found.append(int(process.name))
        except ProcessLookupError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads the processes from /proc")
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_process_outlives_an_interrupted_command(tmp_path: Path, ending: signal.Signals, code: int) -> None:
    (tmp_path / "archlib.yaml").write_text(BLUEPRINT, encoding="utf-8")
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from archlib.cli.main import main; main()"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", program, "synth"],
        cwd=tmp_path,
        env={**os.environ, "ARCHLIB_CACHE_DIR": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while len(children_of(command.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    (os.killpg if ending == signal.SIGINT else os.kill)(command.pid, ending)
    _, errors = command.communicate(timeout=20)
    while children_of(command.pid) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert command.returncode == code
    assert ending == signal.SIGKILL or b"Traceback" not in errors, "what is killed cannot tidy up"
    assert children_of(command.pid) == []
    assert not (tmp_path / "out").exists()
