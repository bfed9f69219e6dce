from __future__ import annotations

import json
from pathlib import Path

import pytest

from archlib.errors import OutputError
from archlib.output import MANIFEST, write_texts


def texts(*names: str, environment: str = "dev") -> dict[str, str]:
    manifest = json.dumps({"app": "shop", "environment": environment, "stacks": [{"file": name} for name in names]})
    return {**{name: f"# {name}\n" for name in names}, MANIFEST: manifest}


def test_writes_every_file_and_removes_those_of_before_but_no_others(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine", encoding="utf-8")
    write_texts(texts("a.yaml", "b.yaml"), tmp_path)

    files = write_texts(texts("b.yaml"), tmp_path)

    assert {path.name for path in files} == {"b.yaml", MANIFEST}
    assert {path.name for path in tmp_path.iterdir()} == {"b.yaml", MANIFEST, "mine.yaml"}


def test_what_another_environment_wrote_stays(tmp_path: Path) -> None:
    write_texts(texts("shop-dev.yaml"), tmp_path)
    write_texts(texts("shop-prod.yaml", environment="prod"), tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"shop-dev.yaml", "shop-prod.yaml", MANIFEST}


def test_line_ends_are_the_same_everywhere(tmp_path: Path) -> None:
    write_texts(texts("a.yaml"), tmp_path)

    assert (tmp_path / "a.yaml").read_bytes() == b"# a.yaml\n"


def test_writes_nothing_where_one_file_cannot_be_written(tmp_path: Path) -> None:
    write_texts(texts("a.yaml"), tmp_path)
    before = (tmp_path / MANIFEST).read_bytes()
    (tmp_path / "b.yaml").mkdir()

    with pytest.raises(OutputError, match=r"cannot be written: b.yaml is a folder; choose another one with --out"):
        write_texts(texts("a.yaml", "b.yaml"), tmp_path)

    assert (tmp_path / MANIFEST).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"a.yaml", "b.yaml", MANIFEST}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")

    with pytest.raises(OutputError, match="choose another one with --out"):
        write_texts(texts("a.yaml"), tmp_path / "out")
