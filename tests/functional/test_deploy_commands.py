"""The commands of the deployer as people, shells and programs meet them: streams, exit codes, lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from archlib.cli.commands import cli
from archlib.deploy.aws import Aws
from archlib.local import LocalEngine
from terminals import on_a_terminal

APP = """
from datetime import timedelta

from archlib import App, Stack
from archlib.components.messaging.queue import Queue
from troposphere import Output, Ref

app = App("shop", "dev", removal="Delete")
stack = Stack(app, "data")
jobs = Queue(stack, "jobs")
stack.template.add_output(Output("AdminPassword", Value=Ref(jobs.resource)))
"""
# What every line has, and what AWS calls by the same names stands elsewhere.
HEAD = {"schema_version", "type", "time"}
MAIN = "from archlib.cli.main import main\nmain()\n"
WITHOUT = "import sys\nfor name in {names}:\n    sys.modules[name] = None\n"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    made = LocalEngine(tmp_path_factory.mktemp("engine"))
    made.start()
    yield made
    made.reset()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: LocalEngine) -> str:
    """The app, in a folder and with a state of its own; the engine answers."""
    monkeypatch.setenv("ARCHLIB_ENDPOINT", engine.endpoint)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = tmp_path / "shop.py"
    path.write_text(APP, encoding="utf-8")
    return str(path)


def archlib(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def records(done: Result) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for each in found:
        assert each.keys() >= HEAD
        assert each["schema_version"] == 1
        assert each["time"].endswith("Z")
    return found


def test_an_app_from_plan_to_destroy(file: str, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    planned = archlib("plan", file, "--save", str(saved), "--no-lint")
    assert planned.exit_code == 0, planned.output
    assert planned.stderr == f"saved in {saved}; next: archlib deploy --plan {saved}\n"
    done = archlib("deploy", "--plan", str(saved))
    assert done.exit_code == 0, done.output
    assert "created" in done.stdout
    assert "CREATE_COMPLETE" in done.stderr
    assert "CREATE_COMPLETE" not in done.stdout

    markdown = archlib("plan", file, "--markdown", "--no-lint")
    assert markdown.stdout.startswith("### Plan for shop dev")

    told = records(archlib("outputs", file, "--all", "--json"))
    assert {each["type"] for each in told} == {"output"}
    (secret,) = (each for each in told if each["name"] == "AdminPassword")
    assert (secret["value"], secret["secret"]) == ("****", True)
    assert json.loads(archlib("outputs", file, "--all", "--format", "json").stdout)["shop-dev-data"]

    events = records(archlib("events", "shop-dev-data", "--json"))
    assert {each["type"] for each in events} == {"event"}
    assert "AWS::SQS::Queue" in {each["resource_type"] for each in events}

    (nothing,) = records(archlib("explain-failure", "shop-dev-data", "--json"))
    assert (nothing["type"], nothing["stack"], nothing["failure"]) == ("failure", "shop-dev-data", None)

    (drift,) = records(archlib("drift", file, "--json"))
    assert (drift["type"], drift["drifted"]) == ("drift", False)

    assert {each["type"] for each in records(archlib("status", file, "--json"))} == {"status"}

    *_, again = records(archlib("deploy", file, "--no-lint", "--json"))
    assert again["type"] == "deployment"
    assert again["results"]["shop-dev-data"]["outputs"]["AdminPassword"] == "****"
    assert "==" not in archlib("attach", "shop-dev-data").output

    # There is nothing to deploy any more, and the name is still another one.
    wrong = archlib("deploy", file, "--no-lint", "--confirm", "shp")
    assert wrong.exit_code == 2
    assert "--confirm must be the name of the app, 'shop', got 'shp'" in wrong.stderr
    assert archlib("destroy", file, "--yes").exit_code == 0


def test_destroying_what_is_not_there_names_what_is(file: str) -> None:
    archlib("deploy", file, "--yes", "--no-lint")

    named = archlib("destroy", "--stack", "shop-dev-dat", "--yes")
    tagged = archlib("destroy", "--app", "shp", "--env", "dev", "--yes")

    assert (named.exit_code, tagged.exit_code) == (2, 2)
    assert "stack 'shop-dev-dat': does not exist in eu-west-1; did you mean 'shop-dev-data'?" in named.stderr
    assert "did you mean '--app shop --env dev'?" in tagged.stderr
    planned = archlib("destroy", "--stack", "shop-dev-data", "--plan")
    assert planned.stdout.startswith("shop dev in ")
    assert archlib("destroy", "--app", "shop", "--env", "dev", "--yes").exit_code == 0


def test_a_question_that_is_left_open_leaves_nothing_behind(
    file: str, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert archlib("deploy", file, "--no-lint").exit_code == 0
    # As an account, which is asked about.
    monkeypatch.delenv("ARCHLIB_ENDPOINT")
    account = {"AWS_ENDPOINT_URL": engine.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    changed = Path(file)
    changed.write_text(APP.replace('"jobs"', '"jobs", visibility=timedelta(minutes=2)'), encoding="utf-8")

    for send, code, told in ((b"\x03", 130, "interrupted"), (b"n\n", 1, "not deployed")):
        ended, text = on_a_terminal(
            MAIN, "deploy", file, "--no-lint", until="[y/N]", send=send, environment=account
        )  # fmt: skip
        assert "Deploy shop dev to 000000000000 eu-west-1? [y/N]" in text
        assert (ended, told in text) == (code, True), text
        cloudformation = Aws(region="eu-west-1", endpoint=engine.endpoint).client("cloudformation")
        sets = cloudformation.list_change_sets(StackName="shop-dev-data")["Summaries"]
        assert [each["ChangeSetName"] for each in sets if each["ExecutionStatus"] == "AVAILABLE"] == []
    monkeypatch.setenv("ARCHLIB_ENDPOINT", engine.endpoint)
    assert archlib("destroy", file, "--yes").exit_code == 0


def test_errors_stay_out_of_files(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHLIB_ENDPOINT")
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    for command in (["outputs", file, "--format", "env"], ["plan", file, "--markdown"], ["drift", file, "--markdown"]):
        done = archlib(*command)
        assert done.exit_code == 1
        assert done.stdout == ""
        assert "no region is known" in done.stderr


@pytest.mark.parametrize("value", ["hunter2hunter2", "=hunter2hunter2"])
def test_a_parameter_that_is_none_is_not_shown(value: str, file: str) -> None:
    done = archlib("plan", file, "-p", value)
    assert done.exit_code == 2
    assert "--parameter must be Name=value" in done.stderr
    assert "hunter2" not in done.output


def test_a_plan_that_cannot_be_saved_is_not_made(file: str, tmp_path: Path) -> None:
    done = archlib("plan", file, "--save", str(tmp_path))
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["rename", "--stack", "a", "Old=New"],
        ["stackset", "destroy", "a"],
        ["stackset", "deploy", "--stack", "a", "--accounts", "123456789012", "--regions", "eu-west-1"],
    ],
)
def test_what_the_local_engine_cannot_do_is_said(arguments: list[str], file: str) -> None:
    done = archlib(*arguments, "--local")
    assert done.exit_code == 2
    assert "the local engine has no such call; leave --local out" in done.stderr


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        (("boto3", "botocore"), ("plan",), "deploy"),
        (("boto3", "botocore"), ("bootstrap",), "deploy"),
        (("boto3", "botocore"), ("outputs", "--stack", "a"), "deploy"),
        (("boto3", "botocore"), ("events", "a"), "deploy"),
        (("ministack",), ("deploy", "--local"), "local"),
        (("boto3", "botocore", "ministack"), ("plan", "--local"), "local"),
    ],
)
def test_an_extra_that_is_missing_is_named(missing: tuple[str, ...], arguments: tuple[str, ...], extra: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(names=missing) + MAIN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "ARCHLIB_ENDPOINT"},
    )
    assert done.returncode == 1
    assert f'pip install "archlib[{extra}]"' in done.stderr
    assert "internal error" not in done.stderr
    assert done.stdout == ""
