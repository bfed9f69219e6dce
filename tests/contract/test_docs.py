"""What the documentation says is true: its code runs, its files load, its tables are current."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import click
import pytest
import yaml

from archlib import load
from archlib.cli.commands import COMMANDS, cli
from archlib.core.source import read_yaml
from archlib.core.target import Target
from archlib.deploy.diagnose import STATES
from archlib.deploy.reporter import Report
from archlib.errors import ArchlibError
from archlib.local import LocalEngine

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("[A-Z]*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]  # fmt: skip
CI_FILES = [
    path for path in sorted((ROOT / "examples" / "ci").iterdir()) if path.suffix in {".yml", ""} and path.is_file()
]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)[^)]*\)")
LINES_MAX = 45


def blocks(*languages: str) -> Iterator[Any]:
    """Yield the fenced blocks of the pages, each with where it is and its language."""
    for page in dict.fromkeys(PAGES):
        text = page.read_text(encoding="utf-8")
        for found in FENCE.finditer(text):
            if found[1] in languages:
                line = text.count("\n", 0, found.start()) + 1
                yield pytest.param(found[2], id=f"{page.relative_to(ROOT).as_posix()}:{line}")


def run(arguments: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **variables}
    return subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=folder, env=env)


def commands() -> Iterator[Any]:
    """Yield every use of the command line in the pages and the files for CI, without its name."""
    for page in dict.fromkeys(PAGES):
        text = page.read_text(encoding="utf-8")
        shown = [
            line for found in FENCE.finditer(text) if found[1] in {"sh", "console"} for line in found[2].splitlines()
        ]
        inline = re.findall(r"`(archlib [^`]+)`", FENCE.sub("", text))
        yield from _commands(page, [*shown, *inline])
    for path in CI_FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        yield from _commands(path, [line for line in lines if not line.strip().startswith(("#", "//"))])


def _commands(path: Path, lines: list[str]) -> Iterator[Any]:
    for line in dict.fromkeys(lines):
        quoted = re.search(r"sh '(.*)'", line)
        for found in re.findall(r"(?:^|[\s$(])archlib (?!\w+ \|)(.+)", quoted[1] if quoted else line):
            lexer = shlex.shlex(found, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words: list[str] = []
            for word in lexer:
                if set(word) <= set("|&;<>()"):
                    break
                words.append(word)
            yield pytest.param(words, id=f"{path.relative_to(ROOT).as_posix()}: {' '.join(words)}")


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that ``words`` name, and what they give it."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words:
        context = click.Context(command)
        inner = command.get_command(context, words[0])
        if inner is None:
            break
        command, words = inner, words[1:]
    return command, words


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_runs_and_is_short(path: Path, tmp_path: Path) -> None:
    done = run([sys.executable, str(path)], tmp_path)

    assert done.returncode == 0, done.stderr
    assert "Resources:" in done.stdout
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < LINES_MAX
    assert lines[0].startswith('"""'), "it says what it shows"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_an_app_for_the_command_line_too(path: Path) -> None:
    assert load(path).assemble()


@pytest.mark.parametrize("code", list(blocks("python")))
def test_the_python_in_the_pages_runs(code: str, tmp_path: Path) -> None:
    try:
        done = run([sys.executable, "-W", "error", "-c", code], ROOT, XDG_STATE_HOME=str(tmp_path))
    finally:
        LocalEngine(tmp_path / "archlib" / "local").stop()

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", list(commands()))
def test_every_command_shown_takes_what_it_is_given(words: list[str]) -> None:
    command, given = find(words)
    try:
        command.make_context("archlib", list(given))
    except click.MissingParameter:
        assert not any(word.startswith("-") for word in given), "what is shown with options is complete"
    except click.exceptions.NoArgsIsHelpError:
        assert words


@pytest.mark.parametrize("text", list(blocks("yaml")))
def test_the_yaml_in_the_pages_is_a_blueprint_that_builds(text: str, tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(text, encoding="utf-8")
    content, _ = read_yaml(file)

    assert "blueprint" in content
    for environment in content.get("environments", {}) or ["dev"]:
        assert load(file, environment=environment).assemble()


def test_there_is_something_to_try_in_the_readme() -> None:
    assert EXAMPLES
    languages = {found[1] for found in FENCE.finditer(PAGES[0].read_text(encoding="utf-8"))}

    assert {"python", "yaml"} <= languages


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"archlib {command}" in PAGES[0].read_text(encoding="utf-8")


def test_every_command_shown_exists() -> None:
    seen: set[str] = set()
    for page in dict.fromkeys(PAGES):
        shown = re.findall(r"(?:^\$ |`|&& )archlib ([a-z]+)\b", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert [command for command in shown if command not in COMMANDS] == [], page
        seen |= set(shown)
    assert {"init", "synth", "check"} <= seen


@pytest.mark.parametrize("page", [page for page in PAGES if page.name == "deploying.md" or page.parent.name == "ci"])
def test_every_option_of_the_deployer_that_is_named_exists(page: Path) -> None:
    known: set[str] = set()
    waiting = [cli.get_command(click.Context(cli), name) for name in COMMANDS]
    while waiting:
        command = waiting.pop()
        assert command is not None
        known |= {option for parameter in command.params for option in parameter.opts}
        waiting += command.commands.values() if isinstance(command, click.Group) else []

    named = set(re.findall(r"`(--[a-z-]+)", page.read_text(encoding="utf-8")))

    assert named
    assert named <= known


def rows(page: str, head: str) -> list[list[str]]:
    """Return the cells of the table of ``page`` under the first column ``head``."""
    text = (ROOT / page).read_text(encoding="utf-8")
    table = re.search(rf"^\| {head} \|.*\n\| ---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


@pytest.mark.parametrize("page", ["docs/deploying.md", "examples/ci/README.md"])
def test_the_exit_codes_are_those_of_the_errors(page: str) -> None:
    waiting: list[type[ArchlibError]] = [ArchlibError]
    codes = {0, 10, 11}  # done, changes, drift: no errors
    while waiting:
        kind = waiting.pop()
        codes.add(kind.exit_code)
        waiting += kind.__subclasses__()

    assert [int(row[0]) for row in rows(page, "Code")] == sorted(codes)


def test_every_state_after_a_failure_is_told() -> None:
    told = {status for row in rows("docs/deploying.md", "Status") for status in re.findall(r"`([A-Z_]+)`", row[0])}

    assert STATES.keys() - {"DELETE_COMPLETE"} <= told


def test_the_kinds_of_json_lines_are_those_that_are_written() -> None:
    reports = [kind.__name__.lower() for kind in get_args(Report)]

    sources = "".join(path.read_text() for path in (ROOT / "src" / "archlib" / "cli").glob("*.py"))
    written = re.findall(r'(?:self\.write|record)\("(\w+)"', sources)

    told = [row[0].strip("`") for row in rows("docs/deploying.md", "`type`")]
    assert told[: len(reports)] == reports
    assert sorted(told[len(reports) :]) == sorted(set(written))


def test_all_that_a_target_can_have_is_told() -> None:
    told = {name for row in rows("docs/deploying.md", "Key") for name in re.findall(r"`(\w+)`", row[0])}

    assert told == {field.name for field in fields(Target)}


def test_every_link_between_the_pages_leads_somewhere() -> None:
    seen = 0
    for page in dict.fromkeys(PAGES):
        links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
        assert [link for link in links if not (page.parent / link).exists()] == [], page
        seen += len(links)
    assert seen > 5


def test_generated_files_are_current() -> None:
    done = run([sys.executable, str(ROOT / ".ci" / "generate.py"), "--check"], ROOT)

    assert done.returncode == 0, done.stderr


def test_what_the_readme_prints_is_what_the_command_prints(tmp_path: Path) -> None:
    """The numbers under the first blueprint of the README are those of that blueprint."""
    text = PAGES[0].read_text(encoding="utf-8")
    first = next(found[2] for found in FENCE.finditer(text) if found[1] == "yaml")
    (tmp_path / "archlib.yaml").write_text(first, encoding="utf-8")
    shown = re.search(r"\$ archlib synth archlib\.yaml\n((?:out/.*\n)+)(\d+ stacks, \d+ resources)", text)
    assert shown is not None

    stacks = load(tmp_path / "archlib.yaml").assemble()

    counts = [(stack.name, len(stack.template["Resources"])) for stack in stacks]
    assert shown[1] == "".join(f"out/{name}.yaml  {count} resources\n" for name, count in counts)
    assert shown[2] == f"{len(stacks)} stacks, {sum(count for _, count in counts)} resources"


def test_code_of_examples_is_what_the_blueprints_deploy() -> None:
    used = set()
    for file in sorted((ROOT / "blueprints").glob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        used |= {(file.parent / found).resolve() for found in re.findall(r"\.\./examples/apps/[\w.-]+", text)}

    assert used
    assert used == set((ROOT / "examples" / "apps").iterdir())
    definitions = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "examples").rglob("*.yaml")]
    assert definitions
    assert all(definitions)
