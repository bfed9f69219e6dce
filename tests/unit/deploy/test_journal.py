"""What a run was doing: whole or not at all, and never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from archlib.deploy.journal import Entry, Journal, is_alive, state_folder

ENTRY = Entry("change-set", "arn:stack", "arn:change-set", "archlib-token", True, 0, '{"Statement": []}')


def silent(text: str) -> None:
    raise AssertionError(text)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "made" / "on-demand", silent)


def test_what_is_kept_comes_back_with_the_process(journal: Journal) -> None:
    journal.put("shop", ENTRY)

    assert journal.get("shop") == replace(ENTRY, pid=os.getpid())
    assert journal.get("other") is None


def test_the_last_entry_counts_and_dropping_forgets(journal: Journal) -> None:
    journal.put("shop", ENTRY)
    journal.put("shop", Entry("delete", "arn:stack", "", "next"))

    entry = journal.get("shop")
    assert entry is not None
    assert entry.phase == "delete"

    journal.drop("shop")
    journal.drop("shop")
    assert journal.get("shop") is None


def test_files_are_whole_and_only_the_users(journal: Journal, tmp_path: Path) -> None:
    journal.put("shop", ENTRY)

    folder = tmp_path / "made" / "on-demand"
    (file,) = folder.iterdir()
    assert json.loads(file.read_text())["stack_id"] == "arn:stack"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_names_that_look_alike_on_disk_do_not_meet(journal: Journal) -> None:
    journal.put("a", ENTRY)
    journal.put("A", Entry("delete", "", "", "second"))

    first, second = journal.get("a"), journal.get("A")
    assert first is not None
    assert second is not None
    assert (first.token, second.token) == ("archlib-token", "second")


@pytest.mark.parametrize(
    "content", ["", "{", '{"phase": "execute"', "[]", "{}", '{"phase": "x", "surplus": 1}', "\xff"]
)
def test_a_broken_file_is_as_none(journal: Journal, tmp_path: Path, content: str) -> None:
    journal.put("shop", ENTRY)
    (file,) = (tmp_path / "made" / "on-demand").iterdir()
    file.write_bytes(content.encode("latin-1"))

    assert journal.get("shop") is None
    journal.put("shop", ENTRY)
    assert journal.get("shop") is not None


def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told: list[str] = []
    journal = Journal(tmp_path / "file" / "below", told.append)

    journal.put("shop", ENTRY)
    journal.put("shop", ENTRY)
    journal.drop("shop")

    assert len(told) == 1
    assert "the journal cannot be written" in told[0]
    assert journal.get("shop") is None


def test_what_cannot_be_dropped_is_left(tmp_path: Path) -> None:
    journal = Journal(tmp_path, silent)
    journal.put("shop", ENTRY)
    (file,) = tmp_path.iterdir()
    file.unlink()
    file.mkdir()

    journal.drop("shop")

    assert file.exists()


def test_without_a_folder_nothing_is_kept() -> None:
    journal = Journal(None, silent)

    journal.put("shop", ENTRY)
    journal.drop("shop")

    assert journal.get("shop") is None


def test_a_death_while_writing_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    journal = Journal(tmp_path, told.append)
    journal.put("shop", ENTRY)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    journal.put("shop", Entry("delete", "", "", "never"))
    monkeypatch.undo()

    kept = Journal(tmp_path, silent).get("shop")
    assert kept is not None
    assert kept.phase == "change-set"
    assert "No space left" in told[0]


def test_who_lives_and_who_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()

    assert is_alive(os.getpid())
    assert not is_alive(gone.pid)
    assert not is_alive(0)
    assert not is_alive(-1)

    def others(_: int, __: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", others)
    assert is_alive(12345)


def test_the_folder_is_where_the_system_keeps_such_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert state_folder() == Path("/somewhere/archlib")

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert state_folder() == Path("/home/ada/.local/state/archlib")
