"""Every blueprint file through its whole life on this machine: from Python, and from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archlib import load
from archlib.core.artifact import StackArtifact
from archlib.deploy import Deployer, Options
from archlib.deploy.aws import Aws
from archlib.deploy.destroy import destroy
from archlib.deploy.drift import detect
from archlib.local import LocalEngine
from archlib.workflow.deployment import Place, deploy
from deploying import artifact, changed, queue

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
FILES = sorted(BLUEPRINTS.glob("*.yaml"))
Stacks = tuple[StackArtifact, ...]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    made = LocalEngine(tmp_path_factory.mktemp("engine"))
    made.start()
    yield made
    made.reset()


def topic(stacks: Stacks, name: str | None) -> Stacks:
    """Return ``stacks`` with one more topic of this name in the last one, or without it."""
    *others, last = stacks
    added = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}} if name else None
    return (*others, changed(last, ExtraTopic=added))


def tagged(stacks: Stacks) -> Stacks:
    return tuple(replace(stack, tags={**stack.tags, "extra": "tag"}) for stack in stacks)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_whole_life_of_a_blueprint(file: Path, engine: LocalEngine, tmp_path: Path) -> None:
    aws = Aws(region="eu-west-1", endpoint=engine.endpoint)
    app = load(file)
    stacks = app.assemble()

    def bring(wanted: Stacks, expected: Callable[[Any], bool]) -> None:
        deployer = Deployer(aws=aws, journal=tmp_path, options=Options(allow=frozenset({"ExtraTopic"})))
        plan, done = deploy(Place(app, wanted, deployer), lint=False)
        assert done is not None
        assert done.errors == {}
        assert expected(plan), plan.to_text()

    def actions(plan: Any) -> set[tuple[str, str]]:
        return {(change.action, change.resource) for stack in plan.stacks for change in stack.changes}

    bring(stacks, lambda plan: {stack.action for stack in plan.stacks} == {"create"})
    bring(stacks, lambda plan: plan.empty)
    bring(topic(stacks, "a"), lambda plan: actions(plan) == {("add", "ExtraTopic")})
    bring(topic(stacks, "b"), lambda plan: actions(plan) == {("replace", "ExtraTopic")})
    bring(topic(stacks, None), lambda plan: actions(plan) == {("remove", "ExtraTopic")})
    bring(tagged(stacks), lambda plan: {action for action, _ in actions(plan)} == {"modify"})

    deployer = Deployer(aws=aws, journal=tmp_path)
    assert not detect(deployer, stacks).drifted
    done = destroy(deployer, stacks, empty_buckets=True)
    assert {result.action for result in done.results.values()} == {"deleted"}
    assert {result.action for result in destroy(deployer, stacks).results.values()} == {"absent"}


def test_the_whole_life_from_the_command_line(engine: LocalEngine, tmp_path: Path) -> None:
    def archlib(*arguments: str) -> tuple[int, str]:
        own = {"ARCHLIB_ENDPOINT": engine.endpoint, "XDG_STATE_HOME": str(tmp_path), "AWS_REGION": "eu-west-1"}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("archlib")), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **own},
        )
        return done.returncode, done.stdout + done.stderr

    file = str(BLUEPRINTS / "event-driven.yaml")
    setting = "queues.records.retention=13d"
    assert archlib("plan", file, "--exit-code", "--no-lint")[0] == 10
    assert archlib("deploy", file, "--no-lint")[0] == 0
    assert archlib("plan", file, "--exit-code", "--no-lint")[0] == 0
    saved = tmp_path / "plan.json"
    code, text = archlib("plan", file, "--set", setting, "--save", str(saved), "--no-lint", "--json")
    assert (code, json.loads(text.splitlines()[0])["schema_version"]) == (0, 1)
    assert archlib("deploy", "--plan", str(saved))[0] == 0
    assert archlib("deploy", "--plan", str(saved))[0] == 14
    assert archlib("drift", file)[0] == 0
    assert archlib("status", file)[0] == 0
    assert "=" in archlib("outputs", file, "--format", "env", "--all")[1]
    assert archlib("destroy", file, "--yes")[0] == 0
    assert "does not exist" in archlib("status", file)[1]


def test_stock_ministack_agrees(tmp_path: Path) -> None:
    """The same deployer on an engine that knows nothing of archlib."""
    engine = LocalEngine(tmp_path / "stock", stock=True)
    try:
        aws = Aws(region="eu-west-1", endpoint=engine.start())
        first = artifact("shop-dev-data", outputs={"Url": {"Ref": "Jobs"}}, Jobs=queue())
        second = artifact(
            "shop-dev-app", needs={"JobsUrl": ("shop-dev-data", "Url")}, Topic={"Type": "AWS::SNS::Topic"}
        )
        deployer = Deployer(aws=aws, journal=tmp_path)

        made = deployer.deploy([first, second])
        again = deployer.deploy([first, second])
        updated = deployer.deploy([changed(first, Jobs=queue(VisibilityTimeout=60)), second])
        gone = destroy(deployer, [first, second])
    finally:
        engine.reset()

    assert [result.action for result in made.results.values()] == ["created", "created"]
    assert [result.action for result in again.results.values()] == ["unchanged", "unchanged"]
    assert [result.action for result in updated.results.values()] == ["updated", "unchanged"]
    assert {result.action for result in gone.results.values()} == {"deleted"}
