"""What the package shows to its users."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from importlib import import_module, metadata
from importlib import resources as files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import archlib
import archlib.blueprints
import archlib.checks

SOURCE = Path(archlib.__file__).parent
BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
MODULES = sorted(module.name for module in pkgutil.walk_packages(archlib.__path__, "archlib."))
PACKAGES = (archlib.checks, archlib.blueprints)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", archlib.__all__)
def test_the_package_gives_each_name_when_it_is_asked_for(name: str) -> None:
    found: Any = getattr(archlib, name)

    assert found.__name__ == name
    assert found.__doc__
    assert found.__module__.startswith("archlib.")


def test_type_checkers_see_the_same_names_as_programs() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}

    assert seen
    assert seen == archlib._HOMES
    assert sorted(seen) == sorted(archlib.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'archlib' has no attribute 'Nothing'"):
        archlib.Nothing  # noqa: B018  (the access is the test)
    assert not hasattr(archlib, "import_everything")


def test_everything_can_be_imported_at_once() -> None:
    assert run("from archlib import *; print(App.__name__, load.__name__)") == "App load"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_names_what_a_package_shows(package: ModuleType) -> None:
    public = {name for name, value in vars(package).items() if name[0] != "_" and not isinstance(value, ModuleType)}

    assert set(package.__all__) == public
    assert len(set(package.__all__)) == len(package.__all__)


def test_all_names_only_what_is_there() -> None:
    assert len(MODULES) > 50
    for module in ("archlib", *MODULES):
        found = import_module(module)
        assert [name for name in getattr(found, "__all__", ()) if not hasattr(found, name)] == [], module


HEAVY = ("boto3", "cfnlint", "pydantic", "troposphere", "yaml")


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import archlib", HEAVY),
        ("import archlib.errors, archlib.units", HEAVY),
        ("import archlib.checks", ("boto3", "cfnlint", "pydantic")),
        ("import archlib.workflow", ("boto3", "cfnlint")),
        ("import archlib.deploy, archlib.local", ("boto3", "botocore", "ministack")),
        ("from archlib.cli.commands import cli; cli.main(['--help'], standalone_mode=False)", HEAVY),
        *(
            (f"from archlib.cli.commands import cli; cli.main({command}, standalone_mode=False)", ("boto3", "botocore"))
            for command in (
                ["deploy", "--help"],
                ["local", "endpoint", "--help"],
                ["list"],
                ["explain", str(BLUEPRINTS / "static-site.yaml"), "AccessLogsBucket"],
            )
        ),
    ],
)
def test_nothing_slow_is_imported_before_it_is_needed(code: str, heavy: tuple[str, ...]) -> None:
    loaded = run(f"import sys\n{code}\nprint([name for name in {heavy!r} if name in sys.modules])").splitlines()[-1]

    assert loaded == "[]"


def documented(body: list[ast.stmt], where: str) -> list[str]:
    """Return the public classes and functions in ``body`` that have no docstring."""
    missing = []
    for node in body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or node.name.startswith("_"):
            continue
        decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
        if not ast.get_docstring(node) and not decorators & {"overload", "override"}:
            missing.append(f"{where}.{node.name}")
        if isinstance(node, ast.ClassDef):
            missing += documented(node.body, f"{where}.{node.name}")
    return missing


def test_everything_public_has_a_docstring() -> None:
    files = sorted(SOURCE.rglob("*.py"))
    assert len(files) > 50
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        first = (ast.get_docstring(tree) or "").split("\n\n")[0]

        assert first.endswith("."), f"{path} says in one sentence what it is"
        assert documented(tree.body, str(path)) == []


def test_type_hints_are_shipped() -> None:
    assert files.files("archlib").joinpath("py.typed").is_file()


def test_the_command_line_is_installed() -> None:
    (script,) = [entry for entry in metadata.entry_points(group="console_scripts") if entry.name == "archlib"]

    assert script.value == "archlib.cli.main:main"
    assert metadata.version("archlib")
