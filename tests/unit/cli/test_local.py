from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archlib.cli.local import command
from archlib.errors import EngineError
from archlib.local import LocalEngine
from local_stacks import Stacks, template

TRACES = {"Traces": {"Type": "AWS::XRay::Group", "Properties": {"GroupName": "a"}}}


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalEngine]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    engine = LocalEngine()
    yield engine
    engine.reset()


def local(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=answer, catch_exceptions=False)


def test_an_engine_is_started_shown_and_stopped(engine: LocalEngine) -> None:
    url = local("start").output.strip()
    assert url == engine.endpoint
    assert local("start").output.strip() == local("endpoint").output.strip() == url
    Stacks(url).apply(template(TRACES))

    shown = local("status").output

    assert shown.startswith(f"running at {url} since 20")
    assert f"1 stack, state in {engine.folder}" in shown
    assert "recorded locally: any/Traces (AWS::XRay::Group)" in shown
    told = json.loads(local("status", "--json").output)
    assert (told["running"], told["endpoint"], told["stacks"]) == (True, url, 1)
    assert (told["schema_version"], told["type"]) == (1, "local")
    assert [each["logical_id"] for each in told["recorded"]] == ["Traces"]

    assert local("stop").output == "stopped\n"
    assert local("stop").output == "it was not running\n"
    assert local("status").output == "not running; start it: archlib local start\n"
    assert json.loads(local("status", "--json").output)["running"] is False
    with pytest.raises(EngineError, match="is not running"):
        local("endpoint")


def test_deleting_everything_is_asked_for(engine: LocalEngine) -> None:
    engine.start()

    refused = local("reset", answer="n\n")
    assert refused.exit_code == 1
    assert refused.stderr == "not deleted\n"
    assert engine.status().running

    assert local("reset", answer="y\n").output.endswith("deleted\n")
    assert not (engine.folder / "state").exists()
    assert local("reset", "--yes").output == "deleted\n"
