from __future__ import annotations

from pathlib import Path

import pytest

from archlib.cache import Store, content, fingerprint, key_of, record, recording


def test_the_content_of_a_folder_follows_names_bytes_and_rights(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    (folder / "inner").mkdir(parents=True)
    file = folder / "inner" / "a.py"
    seen = [content(folder)]
    for change in (
        lambda: file.write_text("one"),
        lambda: file.write_text("two"),
        lambda: file.chmod(0o755),
        lambda: file.rename(folder / "b.py"),
        (folder / "b.py").unlink,
    ):
        change()
        seen.append(content(folder))

    assert len(set(seen[:-1])) == len(seen) - 1, "every change is seen"
    assert seen[-1] == seen[0], "and nothing else counts"


def test_a_file_that_goes_away_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1")
    before = content(file)
    file.unlink()

    assert content(file) != before


def test_inputs_are_collected_inside_the_block_only(tmp_path: Path) -> None:
    record(tmp_path / "before")
    with recording() as inputs:
        record(tmp_path / "a")
        record(tmp_path / "a")
    record(tmp_path / "after")

    assert inputs.paths == {tmp_path / "a"}
    assert inputs.complete
    assert set(inputs.contents()) == {str(tmp_path / "a")}


def test_what_depends_on_more_than_files_is_not_complete() -> None:
    with recording() as inputs:
        record(None)

    assert not inputs.complete


def test_the_key_follows_its_parts_and_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = {key_of("a"), key_of("b"), key_of("a", "b"), key_of(["a"])}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    schemas = tmp_path / "aws" / "cfn-lint" / "schemas"
    schemas.mkdir(parents=True)
    before = fingerprint.__wrapped__()
    (schemas / "version.json").write_text("{}", encoding="utf-8")

    assert len(keys) == 4
    assert key_of("a") in keys
    assert fingerprint.__wrapped__() != before, "newer schemas of cfn-lint change what it finds"


@pytest.mark.parametrize("value", [None, [], {"a": [1, "ü", None]}, "text"])
def test_a_store_gives_back_what_it_was_given(tmp_path: Path, value: object) -> None:
    Store(tmp_path).put("abcd", value)

    assert Store(tmp_path).get("abcd") == value
    assert Store(tmp_path).get("abce") is None


def test_a_link_that_leads_elsewhere_is_a_change(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    link = tmp_path / "current"
    seen = []
    for name in ("one", "two"):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / name)
        with recording() as inputs:
            record(link)
        seen.append(inputs.contents())

    assert [list(contents) for contents in seen] == [[str(link)], [str(link)]]
    assert seen[0] != seen[1]
