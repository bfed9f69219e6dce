"""What the documentation says is true: its code runs, its files load, its tables are current."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from archlib import load
from archlib.cli.commands import COMMANDS
from archlib.core.source import read_yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("[A-Z]*.md"))]
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


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, check=False, cwd=folder)


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
def test_the_python_in_the_pages_runs(code: str) -> None:
    done = run([sys.executable, "-W", "error", "-c", code], ROOT)

    assert done.returncode == 0, done.stderr


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
