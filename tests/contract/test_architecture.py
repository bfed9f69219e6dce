"""Who may import whom, and what belongs to the command line only."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import archlib

ROOT = Path(__file__).parents[2]
SOURCE = Path(archlib.__file__).parent
FILES = {path.relative_to(SOURCE).as_posix(): path for path in sorted(SOURCE.rglob("*.py"))}


@cache
def used(path: Path) -> frozenset[str]:
    """Return what ``path`` imports (modules, and their packages) and calls."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {package for alias in node.names for package in (alias.name, alias.name.partition(".")[0])}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports name the whole path"
            found |= {str(node.module), str(node.module).partition(".")[0]}
        elif isinstance(node, ast.Call):
            found.add(ast.unparse(node.func))
    return frozenset(found)


def using(*names: str, outside: str = "") -> dict[str, frozenset[str]]:
    """Return which files outside of a package import or call any of ``names``."""
    found = {
        file: used(path) & set(names)
        for file, path in FILES.items()
        if not (outside and file.startswith(f"{outside}/"))
    }
    return {file: offending for file, offending in found.items() if offending}


def test_only_the_deployer_calls_aws() -> None:
    assert {file.split("/")[0] for file in using("boto3", "botocore")} == {"deploy"}


def test_only_the_command_line_draws_asks_and_exits() -> None:
    streams = ("print", "input", "exit", "sys.exit", "sys.stdout.write", "sys.stderr.write")

    assert using("click", "rich", *streams, outside="cli") == {}
    assert {"cli/commands.py", "cli/main.py"} <= set(using("click", "sys.exit")), "there is something to find"


def test_only_the_checks_know_cfn_lint() -> None:
    assert using("cfnlint", outside="checks") == {}
    assert "checks/linter.py" in using("cfnlint")


def test_nothing_that_is_built_depends_on_chance_or_the_clock() -> None:
    found = using("random", "secrets", "uuid", "hash", "id", "time.time", "date.today")
    assert {file.split("/")[0] for file in found} <= {"cli", "deploy", "local"}
    asking = {file for file in using("datetime.now", outside="cli") if not file.startswith(("deploy/", "local/"))}
    assert asking == {"checks/run.py"}, "waivers and rules about age ask for the day"


def test_the_import_contracts_are_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_import_contracts_know_every_part() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {each["name"]: each for each in configuration["tool"]["importlinter"]["contracts"]}
    parts = {
        f"archlib.{path.stem}" for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    groups = {
        f"archlib.components.{path.name}"
        for path in (SOURCE / "components").iterdir()
        if (path / "__init__.py").exists()
    }

    layers = {name for layer in contracts["imports go down only"]["layers"] for name in layer.split(" | ")}
    assert layers == parts - {"archlib.__init__"}
    ordered = contracts["groups build on the foundation, not the other way"]["layers"]
    assert {name for layer in ordered for name in layer.split(" | ")} == groups
    assert set(contracts["component groups meet only through protocols"]["modules"]) == set(ordered[0].split(" | "))
