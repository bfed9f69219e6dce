from __future__ import annotations

from pathlib import Path

import pytest

from archlib import load
from archlib.blueprints.base import Blueprint
from archlib.blueprints.load import schema
from archlib.blueprints.registry import BUILT_IN, blueprint, names
from archlib.blueprints.starter import starter
from archlib.errors import SettingsError

MODULE = '''\
from archlib import Stack
from archlib.blueprints import Blueprint, Settings
from archlib.components.messaging.queue import Queue


class {title}Settings(Settings):
    """What can be chosen."""

    names: tuple[str, ...] = ()
    """Names of the queues."""


class {title}(Blueprint):
    """Nothing but queues."""

    name = "{name}"
    Settings = {title}Settings
    starter = {{"names": ["jobs"]}}

    def __init__(self, app, settings, *, source=None):
        super().__init__(app, settings, source=source)
        for name in settings.names:
            with self.at("names"):
                Queue(app.stack("queues"), name)
        self.settle()
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with two blueprints, one of which has the name of a built-in one."""
    for name, title in (("queues", "Queues"), ("serverless", "Serverless")):
        (tmp_path / f"{name}_of_others.py").write_text(MODULE.format(name=name, title=title))
    information = tmp_path / "of_others-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: of-others\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[archlib.blueprints]\nqueues = queues_of_others:Queues\nserverless = serverless_of_others:Serverless\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_blueprints_know_their_name(name: str) -> None:
    found = blueprint(name)

    assert issubclass(found, Blueprint)
    assert found.name == name
    assert names()[name]


def test_an_unknown_blueprint_is_refused_with_what_there_is() -> None:
    with pytest.raises(SettingsError) as caught:
        blueprint("severless")

    known = ", ".join(sorted(BUILT_IN))
    assert str(caught.value) == f"blueprint must be one of {known}, got 'severless'; did you mean 'serverless'?"


@pytest.mark.usefixtures("package")
def test_other_packages_add_blueprints() -> None:
    assert names()["queues"] == "from queues_of_others"
    assert blueprint("queues").name == "queues"
    known = ", ".join(sorted({*BUILT_IN, "queues"}))
    with pytest.raises(SettingsError, match=f"blueprint must be one of {known}, got 'queue'; did you mean 'queues'"):
        blueprint("queue")


@pytest.mark.usefixtures("package")
def test_nobody_takes_the_place_of_a_built_in_blueprint() -> None:
    assert blueprint("serverless").__module__ == "archlib.blueprints.serverless"
    assert names()["serverless"] == BUILT_IN["serverless"][1]


@pytest.mark.usefixtures("package")
def test_added_blueprints_are_started_loaded_and_described_like_the_built_in_ones(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(starter(blueprint("queues"), "shop"))

    (data,) = [stack for stack in load(file).assemble() if stack.name == "shop-dev-queues"]

    assert "JobsQueue" in data.template["Resources"]
    assert data.origins["JobsQueue"].line == file.read_text().splitlines().index("  names: [jobs]") + 1
    assert schema()["properties"]["blueprint"]["enum"] == sorted({*BUILT_IN, "queues"})
    file.write_text("blueprint: queues\napp: shop\nsettings:\n  name: []\n  names: [Jobs, More]\n")
    with pytest.raises(SettingsError, match="unknown key 'name'; did you mean 'names'"):
        load(file)
    file.write_text("blueprint: queues\napp: shop\nsettings:\n  names: [Jobs, More]\n")
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert [
        (problem.message.split(":")[0], problem.origin and problem.origin.line) for problem in caught.value.problems
    ] == [
        ("queue 'Jobs'", 4),
        ("queue 'More'", 4),
    ]
