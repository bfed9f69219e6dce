"""Commands around deploying: they ask the library, show what it says, and return its code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from archlib.cli.commands import cli

APP = """
from archlib import App
from archlib.core.stack import Stack
from archlib.components.messaging.queue import Queue

app = App("shop", "dev")
Queue(Stack(app, "data"), "jobs")
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "shop.py"
    path.write_text(APP, encoding="utf-8")
    return str(path)


def test_policy_prints_what_a_ci_job_needs(file: str) -> None:
    role = "arn:aws:iam::123456789012:role/deploy"

    done = CliRunner().invoke(cli, ["policy", file, "--service-role", role, "--account", "123456789012"])

    assert done.exit_code == 0, done.output
    statements = {each["Sid"]: each for each in json.loads(done.stdout)["Statement"]}
    assert statements["PassServiceRole"]["Resource"] == [role]
    assert statements["Stacks"]["Resource"][0] == "arn:aws:cloudformation:*:123456789012:stack/shop-dev-*/*"
    assert not done.stderr


def test_policy_without_a_service_role_says_what_else_is_needed(file: str) -> None:
    done = CliRunner().invoke(cli, ["policy", file])

    assert "archlib policy --for service-role" in done.stderr


def test_policy_of_the_service_role_has_the_actions_of_the_resources(file: str) -> None:
    done = CliRunner().invoke(cli, ["policy", file, "--for", "service-role"])

    assert "sqs:CreateQueue" in done.stdout
    json.loads(done.stdout)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["drift", "x.yaml", "--stack", "a"], "name FILE, or --stack"),
        (["rename", "--stack", "a", "Old"], "must be NAME=VALUE, got 'Old'"),
        (["import", "{file}", "--stack", "shop-dev-dat", "--resource", "A=b"], "does not have it; did you mean"),
        (["stackset", "deploy", "{file}", "--stack", "a", "--regions", "eu-west-1"], "accounts must be one or more"),
    ],
)
def test_what_makes_no_sense_is_refused(file: str, arguments: list[str], told: str) -> None:
    access = ["--endpoint", "http://127.0.0.1:1", "--region", "eu-west-1"]

    done = CliRunner().invoke(cli, [*(each.replace("{file}", file) for each in arguments), *access])

    assert done.exit_code in {1, 2}
    assert told in done.output
