from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archlib.local.locks import is_locked, locked

HOLD = """
import sys
from pathlib import Path
from archlib.local.locks import locked
with locked(Path(sys.argv[1]), wait=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_seen_by_other_processes_and_ends_with_its_holder(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        assert is_locked(tmp_path)
        with pytest.raises(BlockingIOError), locked(tmp_path, wait=False):
            pass

        holder.kill()
        holder.wait()
    assert not is_locked(tmp_path)
    with locked(tmp_path, wait=False):
        assert is_locked(tmp_path)


def test_a_folder_that_is_not_there_is_not_locked(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "nothing")
