"""The script with which instances start the FastAPI apps."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import jinja2
import pytest
import yaml

from functional.apps.fakes import APPS

BLUEPRINTS = APPS.parents[1] / "blueprints"


class Instance:
    """A folder in which the start script runs, with commands that only note how they are called."""

    def __init__(self, folder: Path, blueprint: str) -> None:
        text = (BLUEPRINTS / f"{blueprint}.yaml").read_text(encoding="utf-8")
        self.user_data = yaml.safe_load(text)["settings"]["application"]["instances"]["user_data"]
        self.folder = folder
        self.unit = folder / "blog.service"
        self.calls = folder / "calls"
        commands = folder / "commands"
        (folder / "venv" / "bin").mkdir(parents=True)
        commands.mkdir()
        for name in ("dnf", "python3.14", "useradd", "systemctl", "curl", "journalctl", "../venv/bin/pip"):
            self.command(name, 0)
        self.path = f"{commands}:/usr/bin:/bin"

    def command(self, name: str, result: int | str) -> None:
        file = self.folder / "commands" / name
        file.write_text(f'#!/bin/bash\necho "{Path(name).name} $*" >> {self.calls}\nexit {result}\n', encoding="utf-8")
        file.chmod(0o755)

    def start(self) -> int:
        """Run the script as an instance does, and return how it ends."""
        given = {
            "app": "blog", "stage": "prod", "folder": "/opt/blog", "environment_file": "/etc/blog/environment",
            "port": 8080, **self.user_data["variables"],
        }  # fmt: skip
        text = (BLUEPRINTS / self.user_data["path"]).read_text(encoding="utf-8")
        script = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text).render(given)  # noqa: S701
        script = "set -euo pipefail\n" + script.replace("/etc/systemd/system", str(self.folder))
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env={"PATH": self.path}, check=False, capture_output=True
        )
        return done.returncode


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path, "fastapi-ec2")


@pytest.mark.parametrize(
    ("blueprint", "tried"),
    [("fastapi-ec2", ["/health", "/users?limit=1"]), ("multi-tier", ["/api/health", "/api/ready"])],
)
def test_an_instance_starts_the_service_and_tries_it(tmp_path: Path, blueprint: str, tried: list[str]) -> None:
    instance = Instance(tmp_path, blueprint)

    assert instance.start() == 0

    unit = instance.unit.read_text(encoding="utf-8").splitlines()
    assert {"User=service", "WorkingDirectory=/opt/blog", "EnvironmentFile=/etc/blog/environment"} <= set(unit)
    (command,) = [line for line in unit if line.startswith("ExecStart=")]
    assert command.startswith("ExecStart=/opt/blog/venv/bin/uvicorn --factory main:production --host 0.0.0.0")
    assert re.search(r"--port 8080 +--workers \d+ ", command)
    calls = instance.calls.read_text(encoding="utf-8").splitlines()
    assert [call.split()[0] for call in calls] == [
        *("dnf", "python3.14", "pip", "useradd", "systemctl", "systemctl", "curl", "curl")
    ]
    assert calls[5] == "systemctl enable --now blog.service"
    assert [call.rpartition(" ")[2] for call in calls[6:]] == [f"http://localhost:8080{path}" for path in tried]


@pytest.mark.parametrize(("vendored", "option"), [(True, "--no-index --find-links wheels"), (False, "--only-binary")])
def test_an_instance_needs_no_internet_for_vendored_packages(
    instance: Instance, *, vendored: bool, option: str
) -> None:
    if vendored:
        (instance.folder / "wheels").mkdir()

    assert instance.start() == 0

    (call,) = [line for line in instance.calls.read_text(encoding="utf-8").splitlines() if line.startswith("pip ")]
    assert option in call
    assert ("--no-index" in call) == vendored
    assert call.endswith("--requirement requirements.txt")


@pytest.mark.parametrize("command", ["dnf", "python3.14", "../venv/bin/pip", "useradd", "systemctl", "curl"])
def test_an_instance_fails_with_any_of_its_steps(instance: Instance, command: str) -> None:
    instance.command(command, 7)

    assert instance.start() != 0


@pytest.mark.parametrize("blueprint", ["fastapi-ec2", "multi-tier"])
@pytest.mark.parametrize("failing", ["health", "probe"])
def test_an_instance_fails_with_either_request(tmp_path: Path, blueprint: str, failing: str) -> None:
    instance = Instance(tmp_path, blueprint)
    path = instance.user_data["variables"][failing]
    instance.command("curl", f'$([[ "$*" == *"{path}" ]] && echo 22 || echo 0)')

    assert instance.start() == 1
    assert "journalctl --unit blog " in instance.calls.read_text(encoding="utf-8")
