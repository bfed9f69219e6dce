"""``archlib build``: what it prints, keeps and returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from archlib.cli.commands import cli

SPEC = """\
version: 0.2
env:
  secrets-manager: {TOKEN: app/token}
  exported-variables: [TAG]
phases:
  install:
    runtime-versions: {python: "3.13"}
  build:
    commands:
      - export TAG=$STAGE-1
      - echo "building with $TOKEN"
      - echo made > made.txt
reports:
  unit: {files: ['*.txt']}
artifacts:
  files: [made.txt]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "source" / "buildspec.yml"
    path.parent.mkdir()
    path.write_text(SPEC, encoding="utf-8")
    return path


def test_a_build_prints_what_became_of_it(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = CliRunner().invoke(cli, ["build", str(file), "--out", str(out), "--env", "TOKEN=abc=def", "-e", "STAGE=dev"])

    assert done.exit_code == 0, done.output
    assert [line.split()[:2] for line in done.stdout.splitlines()[:3]] == [
        ["install", "SUCCEEDED"], ["build", "SUCCEEDED"], ["upload_artifacts", "SUCCEEDED"],
    ]  # fmt: skip
    assert done.stdout.splitlines()[3:] == [
        "exported TAG=dev-1", f"artifact main: 1 file in {out / 'artifacts'}", "report unit: 1 file, JUNITXML",
    ]  # fmt: skip
    assert 'build  $ echo "building with $TOKEN"\nbuild  building with ****\n' in done.stderr
    assert "note: runtime-versions: not installed (python 3.13)" in done.stderr
    assert (out / "artifacts" / "made.txt").read_text(encoding="utf-8") == "made\n"
    assert [path.name for path in file.parent.iterdir()] == ["buildspec.yml"]


def test_the_source_may_be_elsewhere(file: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file.write_text("version: 0.2\nphases: {build: {commands: [ls]}}\n", encoding="utf-8")
    (elsewhere / "here.txt").touch()

    done = CliRunner().invoke(cli, ["build", str(file), "--source", str(elsewhere)])

    assert "build  here.txt" in done.stderr


def test_json_is_all_there_is_on_standard_output(file: Path) -> None:
    done = CliRunner().invoke(cli, ["build", str(file), "--json", "-e", "TOKEN=secret-value"])

    data = json.loads(done.stdout)
    assert (data["schema_version"], data["type"], data["status"]) == (1, "build", "SUCCEEDED")
    assert [phase["name"] for phase in data["phases"]] == ["install", "build", "upload_artifacts"]
    assert data["artifacts"][0]["folder"] is None
    assert "secret-value" not in done.stdout


def test_artifacts_that_are_not_kept_are_told(file: Path) -> None:
    assert "artifact main: 1 file, not kept: name a folder with --out" in CliRunner().invoke(
        cli, ["build", str(file), "-e", "TOKEN=x"]
    ).stdout  # fmt: skip


def test_a_failed_build_tells_its_command_and_its_code(file: Path) -> None:
    file.write_text("version: 0.2\nphases: {build: {commands: ['sh -c \"exit 7\"']}}\n", encoding="utf-8")

    done = CliRunner().invoke(cli, ["build", str(file)])

    assert done.exit_code == 30
    assert done.stderr.splitlines()[-1] == 'error: build: sh -c "exit 7" ended with code 7'


def test_a_build_without_its_artifacts_tells_what_is_missing(file: Path) -> None:
    file.write_text(
        "version: 0.2\nphases: {build: {commands: ['true']}}\nartifacts: {files: [dist]}\n", encoding="utf-8"
    )

    done = CliRunner().invoke(cli, ["build", str(file)])

    assert done.exit_code == 30
    assert done.stderr.splitlines()[-1] == "error: upload_artifacts: artifacts: no file matches 'dist'"


def test_what_would_rule_a_terminal_is_taken_out(file: Path) -> None:
    file.write_text(
        "version: 0.2\nphases: {build: {commands: ['printf \"\\033[31mred\\033[0m\\n\"']}}\n", encoding="utf-8"
    )

    assert "build  red\n" in CliRunner().invoke(cli, ["build", str(file)]).stderr


@pytest.mark.parametrize("pair", ["STAGE", "=dev"])
def test_a_variable_has_a_name_and_a_value(pair: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = CliRunner().invoke(cli, ["build", str(file), "--env", pair])

    assert str(done.exception) == f"--env must be NAME=VALUE, got {pair!r}"


def test_a_wrong_file_is_told_with_its_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from archlib.cli.commands import run  # noqa: PLC0415  (the one place where errors become text)

    file.write_text(SPEC.replace("  build:", "  biuld:"), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["archlib", "build", str(file)])

    assert run() == 1
    assert f"{file}:8: phases.biuld: unknown key 'biuld'; did you mean 'build'?" in capsys.readouterr().err
