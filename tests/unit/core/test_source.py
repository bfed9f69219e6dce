from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
        ("a: &x {b: 1}\nc:\n  <<: *x\n  d: 1\n  d: 2\n", 5, "key 'd' must stand once, got it again"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  <<: *x\n", 4, "key '<<' must stand once, got it again"),
        ("a:\n  <<: text\n", 2, "'<<' must be a mapping or a list of mappings"),
        ("a: &x\n  <<: *x\n", 1, "must not be nested this deep"),
        ("a: 1\nb: " + "9" * 5000 + "\n", 2, "must be a number that JSON has, got 9999"),
        ("a: 1\nb: " + "9" * 500 + ".0\n", 2, "must be a number that JSON has, got 9999"),
        ("Resources: {}\nb: .inf\n", 2, "must be a number that JSON has, got .inf; quote it if it is text"),
        ("Resources: {}\nb: .NaN\n", 2, "must be a number that JSON has, got .NaN"),
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


def test_merge_keys_bring_what_is_not_there_already(tmp_path: Path) -> None:
    content, lines = read_yaml(
        write(
            tmp_path,
            "a: &a {x: 1, y: {deep: 1}}\nb: &b\n  x: 2\n  z: 2\n  <<: *a\n"
            "one:\n  <<: *a\n  y: [3]\nmany:\n  <<: [*b, *a]\nnew:\n  <<: {x: 9}\ntext:\n  '<<': 5\n",
        )
    )

    assert content["b"] == {"x": 2, "y": {"deep": 1}, "z": 2}
    assert content["one"] == {"x": 1, "y": [3]}
    assert content["many"] == {"x": 2, "y": {"deep": 1}, "z": 2}
    assert content["new"] == {"x": 9}
    assert content["text"] == {"<<": 5}
    assert lines["one", "x"] == 1
    assert lines["one", "y"] == lines["one", "y", 0] == 8
    assert lines["many", "z"] == 4


def test_what_is_merged_counts_against_bombs(tmp_path: Path) -> None:
    bomb = "a: &a {x: 1}\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{','.join(['*' + chr(97 + n)] * 10)}]}}\n" for n in range(8)
    )

    with pytest.raises(SourceError, match="must have at most 100,000 values once aliases are expanded"):
        read_yaml(write(tmp_path, bomb))


TEMPLATE = "Resources: {}\nMetadata:\n"


@pytest.mark.parametrize(
    ("text", "in_template", "in_blueprint"),
    [
        ("0x1F", 31, "0x1F"),
        ("017", 15, "017"),
        ("0b11", 3, "0b11"),
        ("1_000", 1000, "1_000"),
        ("yes", True, "yes"),
        ("Off", False, "Off"),
        ("12:30", 750, "12:30"),
        ("1.5e+3", 1500.0, "1.5e+3"),
        (".5", 0.5, ".5"),
        ("08", "08", "08"),
        ("1e3", "1e3", "1e3"),
        ("2012-10-17", "2012-10-17", "2012-10-17"),
        ("y", "y", "y"),
        ("'0x1F'", "0x1F", "0x1F"),
        ("~", None, None),
        ("-3", -3, -3),
        ("!Ref 3", {"Ref": "3"}, {"Ref": "3"}),
        ("!Sub true", {"Fn::Sub": "true"}, {"Fn::Sub": "true"}),
        ("!GetAZs", {"Fn::GetAZs": ""}, {"Fn::GetAZs": ""}),
        ("!ValueOf [Vpc, Tags.A]", {"Fn::ValueOf": ["Vpc", "Tags.A"]}, {"Fn::ValueOf": ["Vpc", "Tags.A"]}),
        ("!Select [0x1, [a]]", {"Fn::Select": [1, ["a"]]}, {"Fn::Select": ["0x1", ["a"]]}),
    ],
)
def test_a_template_is_read_as_aws_reads_it(tmp_path: Path, text: str, in_template: Any, in_blueprint: Any) -> None:
    template, _ = read_yaml(write(tmp_path, f"{TEMPLATE}  value: {text}\n"))
    blueprint, _ = read_yaml(write(tmp_path, f"blueprint: serverless\nvalue: {text}\n"))

    assert repr(template["Metadata"]["value"]) == repr(in_template)
    assert repr(blueprint["value"]) == repr(in_blueprint)


def test_knows_the_line_of_what_is_inside_a_function(tmp_path: Path) -> None:
    _, lines = read_yaml(write(tmp_path, "a: !If\n  - Big\n  - !Sub\n    - '${x}'\n    - x: 1\n  - 2\n"))

    assert lines["a", "Fn::If", 2] == 6
    assert lines["a", "Fn::If", 1, "Fn::Sub", 1, "x"] == 5


def test_json_is_read_with_all_its_escapes(tmp_path: Path) -> None:
    value = {
        "Resources": {},
        "Description": "\U0001f600 \u00e9 \\ud83d\\ude00 \\\U0001f600 / \t\"'#: {}",
        "Tab": [1, None, True],
    }

    assert read_yaml(write(tmp_path, json.dumps(value)))[0] == value
    assert read_yaml(write(tmp_path, json.dumps(value, indent="\t", ensure_ascii=False)))[0] == value
    with pytest.raises(SourceError, match="must be YAML"):
        read_yaml(write(tmp_path, '{"a": "\\ud83d"}'))
