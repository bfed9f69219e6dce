from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from archlib.core.package import measure, pack, package_problem, write_zip

TEXT = "def handler(event, context):\n    return 1\n"


def folder(path: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    return path


def archive(path: Path, files: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    return path


def test_says_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("t", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    linked = folder(tmp_path / "linked", {"index.py": TEXT})
    (linked / "shadow").symlink_to(tmp_path / "text.txt")

    assert package_problem(tmp_path / "none").startswith("must exist")
    assert "a folder or a zip file" in package_problem(tmp_path / "text.txt")
    assert "at least one file" in package_problem(tmp_path / "empty")
    damaged = archive(tmp_path / "damaged.zip", {"index.py": TEXT})
    damaged.write_bytes(damaged.read_bytes().replace(b"PK\x01\x02", b"PK\x01\x09"))
    assert "which is damaged" in package_problem(damaged)
    assert "got 'shadow', which leads outside" in package_problem(linked)
    assert package_problem(folder(tmp_path / "good", {"index.py": TEXT})) == ""


def test_refuses_names_that_are_not_utf_8(tmp_path: Path) -> None:
    folder(tmp_path, {"index.py": TEXT})
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text("coffee", encoding="utf-8")
    except OSError:
        pytest.skip("this file system has no such names")

    assert package_problem(tmp_path) == r"must hold files with names in UTF-8, got 'caf\udce9.txt'; rename it"


def test_measures_what_is_in_a_folder_or_zip(tmp_path: Path) -> None:
    files = {"app/index.py": TEXT}

    assert measure(folder(tmp_path / "code", files)) == (len(TEXT), {"app/index.py"})
    assert measure(archive(tmp_path / "code.zip", files)) == (len(TEXT), {"app/index.py"})


def test_the_hash_is_of_the_content_only(tmp_path: Path) -> None:
    one, same, other = (folder(tmp_path / name, {"index.py": TEXT}) for name in ("one", "same", "other"))
    os.utime(same / "index.py", (0, 0))
    (same / "__pycache__").mkdir()
    (same / "__pycache__" / "index.pyc").write_bytes(b"compiled")
    (other / "index.py").write_text(TEXT + "\n")

    assert pack(one).sha256 == pack(same).sha256 != pack(other).sha256
    assert write_zip(one) == write_zip(same) != write_zip(other)


@pytest.mark.parametrize("change", ["rename", "executable", "move"])
def test_the_hash_sees_names_and_modes(tmp_path: Path, change: str) -> None:
    path = folder(tmp_path, {"index.py": TEXT})
    before = pack(path).sha256
    match change:
        case "rename":
            (path / "index.py").rename(path / "main.py")
        case "executable":
            (path / "index.py").chmod(0o755)
        case "move":
            (path / "app").mkdir()
            (path / "index.py").rename(path / "app" / "index.py")

    assert pack(path).sha256 != before


def test_the_zip_holds_the_files_readable_for_lambda(tmp_path: Path) -> None:
    path = folder(tmp_path, {"index.py": TEXT, "app/tool.sh": "#!/bin/sh\n"})
    (path / "index.py").chmod(0o600)
    (path / "app" / "tool.sh").chmod(0o700)

    with zipfile.ZipFile(io.BytesIO(write_zip(path))) as made:
        modes = {entry.filename: entry.external_attr >> 16 for entry in made.infolist()}

    assert modes == {"app/tool.sh": 0o755, "index.py": 0o644}


def test_a_zip_is_uploaded_as_it_is(tmp_path: Path) -> None:
    path = archive(tmp_path / "code.zip", {"index.py": TEXT})

    assert write_zip(path) == path.read_bytes()


def test_leaves_local_secrets_out(tmp_path: Path) -> None:
    folder(tmp_path, {"index.py": TEXT})
    before = pack(tmp_path)
    (tmp_path / ".env").write_text("KEY=value", encoding="utf-8")

    assert pack(tmp_path) == before
