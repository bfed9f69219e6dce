"""The wheel: what is in it, and that it works where only it is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "archlib"
OFFLINE = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", folder)
    run(*pip, ROOT, cwd=folder)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with the wheel in it, and the dependencies of this one."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(folder, system_site_packages=False, symlinks=os.name != "nt")
    places = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    executable = Path(places["scripts"], "python.exe" if os.name == "nt" else "python")
    run(sys.executable, "-m", "pip", "--python", executable, "install", *OFFLINE, wheel, cwd=folder)
    # Only a search path: the .pth files there, one of which leads to this source tree, are not read.
    Path(places["purelib"], "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return executable


def test_the_wheel_has_every_module_and_data_file_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}

    wanted = {
        f"archlib/{path.relative_to(SOURCE).as_posix()}"
        for path in SOURCE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert packed == wanted
    assert {
        "archlib/py.typed",
        "archlib/core/suppressions.json",
        "archlib/checks/cfnlintrc.yaml",
        "archlib/components/functions/function.py",
    } <= packed


def test_the_wheel_says_what_it_needs_and_how_it_may_be_used(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = HeaderParser().parsestr(archive.read(f"{folder}/METADATA").decode())
        scripts = archive.read(f"{folder}/entry_points.txt").decode()
        license_text = archive.read(f"{folder}/licenses/LICENSE").decode()

    needed = metadata.get_all("Requires-Dist") or []
    assert (metadata["Name"], metadata["Requires-Python"]) == ("archlib", ">=3.11")
    assert license_text == (ROOT / "LICENSE").read_text()
    assert "archlib = archlib.cli.main:main" in scripts
    assert {row.split(">")[0] for row in needed if "extra" not in row} == {
        *("awacs", "cfn-lint", "click", "jinja2", "pydantic", "pyyaml", "rich", "troposphere"),
    }


def test_the_wheel_works_where_only_it_is_installed(python: Path, tmp_path: Path) -> None:
    place = "import archlib, json, sys; print(json.dumps([archlib.__file__, sys.prefix]))"
    file, prefix = json.loads(run(python, "-c", place, cwd=tmp_path).stdout)
    assert Path(file).is_relative_to(prefix)
    assert Path(prefix).resolve() == python.parents[1].resolve()

    archlib = python.with_name(f"archlib{python.suffix}")
    run(archlib, "init", "serverless", cwd=tmp_path)
    result = run(archlib, "synth", "--json", cwd=tmp_path, ARCHLIB_CACHE_DIR=str(tmp_path / "cache"))

    assert [stack["name"] for stack in json.loads(result.stdout)["stacks"]] == [
        f"my-app-dev-{stack}" for stack in ("foundation", "data", "app", "monitoring")
    ]
    assert (tmp_path / "out" / "manifest.json").exists()


def test_types_of_the_wheel_are_seen_by_type_checkers(python: Path, tmp_path: Path) -> None:
    file = tmp_path / "use.py"
    file.write_text("from archlib import App\n\nreveal_type(App('shop').name)\nApp(3)\n")

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", str(python), "--no-incremental", str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 'Revealed type is "builtins.str"' in done.stdout or 'Revealed type is "str"' in done.stdout
    assert 'Argument 1 to "App" has incompatible type "int"' in done.stdout
    assert "py.typed" not in done.stdout
