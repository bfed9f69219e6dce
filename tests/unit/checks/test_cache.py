from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from archlib.cache import cache_folder
from archlib.checks.cache import ResultCache
from archlib.checks.run import check
from archlib.core.artifact import StackArtifact

DAY = date(2030, 1, 2)
TEMPLATE: dict[str, Any] = {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}}
ROW = {
    "rule": "E3002",
    "severity": "error",
    "message": "wrong",
    "path": ["Resources", "Jobs"],
    "fix": "be right",
    "url": "https://example.com",
}


@pytest.fixture
def cache(tmp_path: Path) -> ResultCache:
    return ResultCache(tmp_path, today=DAY)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_returns_what_it_was_given(cache: ResultCache) -> None:
    key = cache.key(TEMPLATE, ["us-east-1"])

    assert cache.get(key) is None
    cache.put(key, [ROW])
    assert cache.get(key) == [ROW]


def test_remembers_that_nothing_was_wrong(cache: ResultCache) -> None:
    key = cache.key(TEMPLATE, ["us-east-1"])
    cache.put(key, [])

    assert cache.get(key) == []


def test_a_later_run_finds_what_an_earlier_one_kept(tmp_path: Path) -> None:
    one, other = ResultCache(tmp_path, today=DAY), ResultCache(tmp_path, today=DAY)
    one.put(one.key(TEMPLATE, ["us-east-1"]), [ROW])

    assert other.get(other.key(TEMPLATE, ["us-east-1"])) == [ROW]


def test_the_key_changes_with_everything_that_changes_the_result(tmp_path: Path) -> None:
    cache = ResultCache(tmp_path, today=DAY)
    keys = [
        cache.key(TEMPLATE, ["us-east-1"]),
        cache.key({**TEMPLATE, "Description": "x"}, ["us-east-1"]),
        cache.key({"Resources": {"Other": TEMPLATE["Resources"]["Jobs"]}}, ["us-east-1"]),
        cache.key(TEMPLATE, ["eu-west-1"]),
        cache.key(TEMPLATE, ["us-east-1", "eu-west-1"]),
        ResultCache(tmp_path, today=date(2030, 1, 3)).key(TEMPLATE, ["us-east-1"]),
    ]

    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("text", ["é", "🚀", "\ud800", "\x00", "a" * 100_000])
def test_any_text_can_be_part_of_a_template(cache: ResultCache, text: str) -> None:
    assert cache.key({"Description": text}, []) != cache.key({"Description": ""}, [])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b'[{"rule": "E3002", "path": ["Resour',
        b"null",
        b"{}",
        b'"text"',
        b"[1]",
        b"[null]",
        b'[{"rule": "E3002", "path": []}]',
        json.dumps([{**ROW, "path": "Resources"}]).encode(),
        json.dumps([{**ROW, "path": None}]).encode(),
        json.dumps([{**ROW, "severity": "fatal"}]).encode(),
        json.dumps([ROW, {**ROW, "message": 1}]).encode(),
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
    ids=lambda content: content[:40].decode("latin-1"),
)
def test_a_broken_or_foreign_file_counts_as_missing(cache: ResultCache, tmp_path: Path, content: bytes) -> None:
    key = cache.key(TEMPLATE, ["us-east-1"])
    cache.put(key, [ROW])
    (file,) = files(tmp_path)
    file.write_bytes(content)

    assert cache.get(key) is None
    cache.put(key, [ROW])
    assert cache.get(key) == [ROW]


def test_a_folder_in_the_place_of_the_file_counts_as_missing(cache: ResultCache, tmp_path: Path) -> None:
    key = cache.key(TEMPLATE, ["us-east-1"])
    cache.put(key, [ROW])
    (file,) = files(tmp_path)
    file.unlink()
    file.mkdir()

    assert cache.get(key) is None
    cache.put(key, [ROW])
    assert cache.get(key) is None
    assert files(tmp_path) == [], "what could not be put in its place is not left behind"


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    cache = ResultCache(tmp_path / "file", today=DAY)
    key = cache.key(TEMPLATE, ["us-east-1"])

    cache.put(key, [ROW])

    assert cache.get(key) is None


def test_several_writers_and_readers_never_meet_half_a_file(cache: ResultCache, tmp_path: Path) -> None:
    key = cache.key(TEMPLATE, ["us-east-1"])
    versions = [[{**ROW, "message": letter * 20_000}] * 3 for letter in "abcdefgh"]
    cache.put(key, versions[0])

    def write_and_read(number: int) -> list[dict[str, Any]] | None:
        cache.put(key, versions[number % len(versions)])
        return cache.get(key)

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(write_and_read, range(200)))

    assert all(rows in versions for rows in seen)
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"ARCHLIB_CACHE_DIR": "/chosen", "XDG_CACHE_HOME": "/xdg"}, "/chosen"),
        ("linux", {"XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}, "/xdg/archlib"),
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache/archlib"),
        ("linux", {"HOME": "/home/me", "XDG_CACHE_HOME": ""}, "/home/me/.cache/archlib"),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Caches/archlib"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/archlib"),
        ("win32", {"HOME": "/home/me"}, "/home/me/AppData/Local/archlib"),
    ],
)
def test_results_are_kept_where_the_system_keeps_such_things(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in ("ARCHLIB_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)

    assert cache_folder() == Path(expected)


def test_an_unchanged_template_is_not_linted_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ARCHLIB_CACHE_DIR", str(tmp_path))
    stack = StackArtifact("shop", {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"Wrong": 1}}}})
    once = check([stack], regions=["us-east-1"], today=DAY)
    (file,) = files(tmp_path)
    rows = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps([{**row, "message": "from the cache"} for row in rows]), encoding="utf-8")

    again = check([stack], regions=["us-east-1"], today=DAY)
    without = check([stack], regions=["us-east-1"], today=DAY, cache=False)

    assert "E3002" in {finding.rule for finding in once}
    assert {finding.message for finding in again} == {"from the cache"}
    assert [finding.rule for finding in again] == [finding.rule for finding in once]
    assert without == once


def test_the_same_template_in_two_stacks_is_linted_once_but_reported_for_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARCHLIB_CACHE_DIR", str(tmp_path))
    template = {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"Wrong": 1}}}}

    found = check([StackArtifact("one", template), StackArtifact("two", template)], regions=["us-east-1"], today=DAY)

    assert {finding.stack for finding in found if finding.rule == "E3002"} == {"one", "two"}
    assert len(files(tmp_path)) == 1
