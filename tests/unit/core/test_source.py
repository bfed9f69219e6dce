from __future__ import annotations

from pathlib import Path

import pytest

from archlib.core.source import Lines, Source, parse_yaml, read_yaml
from archlib.errors import SourceError


def write(folder: Path, content: str | bytes) -> Path:
    file = folder / "shop.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_reads_values_as_people_mean_them(tmp_path: Path) -> None:
    content, _ = read_yaml(
        write(
            tmp_path,
            "yes: yes\ncount: 12\nrate: 0.5\nzip: 0123\ntime: 12:30\nday: 2026-01-02\nnone:\non: off\nflag: true\n"
            "quoted: 'true'\nlist: [a, 1]\nref: !Ref Jobs\natt: !GetAtt Jobs.Arn\nsub: !Sub ['${a}', {a: !Ref Jobs}]\n",
        )
    )

    assert content == {
        "yes": "yes",
        "count": 12,
        "rate": 0.5,
        "zip": "0123",
        "time": "12:30",
        "day": "2026-01-02",
        "none": None,
        "on": "off",
        "flag": True,
        "quoted": "true",
        "list": ["a", 1],
        "ref": {"Ref": "Jobs"},
        "att": {"Fn::GetAtt": ["Jobs", "Arn"]},
        "sub": {"Fn::Sub": ["${a}", {"a": {"Ref": "Jobs"}}]},
    }


def test_knows_the_line_of_every_key(tmp_path: Path) -> None:
    _, lines = read_yaml(write(tmp_path, "a: 1\n\nb:\n  c: 2\n  d:\n    - x\n    - y: 3\n"))

    assert lines["b", "c"] == 4
    assert lines["b", "d", 1, "y"] == 7


def test_aliases_stand_for_what_they_name(tmp_path: Path) -> None:
    content, _ = read_yaml(write(tmp_path, "a: &x {b: 1}\nc: *x\n"))

    assert content == {"a": {"b": 1}, "c": {"b": 1}}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("a: 1\nb: [1,\n", 3, "must be YAML"),
        ("a:\n  - 1\n b: 2\n", 3, "must be YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "key 'a' must stand once, got it again (first on line 1)"),
        (BOMB, 1, "must have at most 100,000 values once aliases are expanded"),
        ("a: &x [*x]\n", 1, "must not be nested this deep"),
        ("[" * 20_000, 1, "must"),
        ("a: !Unknown x\n", 1, "tag '!Unknown' is not one of CloudFormation's"),
        ("? [a, b]\n: 1\n", 1, "a key must be text"),
        ("a: b: c\n", 1, "must be YAML"),
        ("\ta: 1\n", 1, "must be YAML"),
        (b"a: 1\nb: \xff\xfe\n", 2, "must be UTF-8, got byte 0xff"),
        ("a: \x00\n", 1, "must be YAML"),
    ],
)
def test_refuses_with_the_line(tmp_path: Path, content: str | bytes, line: int, message: str) -> None:
    file = write(tmp_path, content)

    with pytest.raises(SourceError) as caught:
        read_yaml(file)

    problem = caught.value.problems[0]
    assert message in problem.message
    assert problem.origin is not None
    assert (problem.origin.file, problem.origin.line) == (str(file), line)


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist; check the path, or make one with: archlib init"):
        read_yaml(tmp_path / "nothing.yaml")
    with pytest.raises(SourceError, match="is a folder; name the YAML or Python file in it"):
        read_yaml(tmp_path)


def test_the_most_exact_line_wins_then_the_first_place() -> None:
    lines: Lines = {("settings", "a"): 2, ("settings", "a", "b"): 3, ("environments", "dev", "a"): 9, (): 1}
    source = Source("/x/shop.yaml", lines).under(("environments", "dev"), ("settings",))

    assert str(source.origin("a", "b")).endswith("shop.yaml:3")
    assert str(source.origin("a", "c")).endswith("shop.yaml:9")
    assert str(source.origin("z")).endswith("shop.yaml:1")
    assert Source().origin("a") is None


def test_parses_single_values() -> None:
    assert parse_yaml("5") == 5
    assert parse_yaml("[a, b]") == ["a", "b"]
    assert parse_yaml("5m") == "5m"
    assert parse_yaml("a: b: c") == "a: b: c"
