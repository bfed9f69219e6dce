from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
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
        write_texts(texts("new.yaml", "a.yaml", "b.yaml") | {"a.yaml": "changed"}, tmp_path)

    assert (tmp_path / MANIFEST).read_bytes() == before
    assert (tmp_path / "a.yaml").read_text() == "# a.yaml\n"
    assert {path.name for path in tmp_path.iterdir()} == {"a.yaml", "b.yaml", MANIFEST}


@pytest.mark.parametrize(
    "foreign",
    [
        '{"name": "my extension", "manifest_version": 3}',
        '{"app": "shop", "stacks": []}',
        '{"app": "shop", "environment": "dev", "stacks": 3}',
        "[]",
        "{",
        "\xff",
        "",
    ],
)
def test_a_manifest_of_something_else_is_refused(foreign: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(foreign, encoding="latin-1")

    with pytest.raises(OutputError) as caught:
        write_texts(texts("a.yaml"), tmp_path)

    assert f"file '{tmp_path / MANIFEST}': must be from archlib, got another one; move it" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]
    assert (tmp_path / MANIFEST).read_text(encoding="latin-1") == foreign


def test_those_who_write_at_once_do_not_mix(tmp_path: Path) -> None:
    def write(round_: int) -> None:
        names = [f"{index}.yaml" for index in range(30 + round_)]
        write_texts({**texts(*names), **dict.fromkeys(names, f"{round_}")}, tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))

    files = {path.name: path.read_text() for path in tmp_path.iterdir()}
    listed = [stack["file"] for stack in json.loads(files.pop(MANIFEST))["stacks"]]
    assert files.keys() == set(listed)
    assert set(files.values()) == {str(len(listed) - 30)}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")

    with pytest.raises(OutputError, match="choose another one with --out"):
        write_texts(texts("a.yaml"), tmp_path / "out")
