from __future__ import annotations

import io

import pytest

from archlib.cli.show import deployment_markdown, error_markdown, show_deployment, show_error, show_plan
from archlib.deploy.deployer import Deployment
from archlib.deploy.models import StackResult
from archlib.errors import DeployError, GuardError, InterruptError, RunningError
from unit.cli.scenes import EVIL, SHOWN, Terminal, console, failed, plan


def test_plan_on_a_terminal() -> None:
    there = console(120)
    show_plan(plan(), there)
    text = there.export_text(styles=False, clear=False)
    assert "shop prod  123456789012, eu-west-1" in text
    assert "web  update\n" in text
    assert "  -/+ Database  AWS::RDS::DBInstance  the old one: Snapshot  /repo/web.py:4\n" in text
    assert "Engine: mysql -> postgres  (replaces)\n" in text
    assert "    ~ Service   AWS::ECS::Service     perhaps\n" in text
    assert "edge  create  us-east-1  estimated from the templates\n" in text
    assert "1 stack unchanged: data\n" in text
    assert "Gives more rights or opens more ways\n  ! rights: TaskPolicy modify  web\n" in text
    assert "Data is lost or left behind\n  ! Database  web\n" in text
    assert text.endswith("2 of 3 stacks change: 2 to add, 1 to change, 1 to replace, 1 to remove\n")
    styled = there.export_text(styles=True)
    red = "\x1b[31m          Engine: mysql -> postgres  (replaces)"
    assert red in styled


def test_plan_elsewhere_is_its_text() -> None:
    file = io.StringIO()
    show_plan(plan(), console(40, terminal=False, file=file))
    assert file.getvalue() == plan().to_text() + "\n"


def test_brief_plan_is_what_needs_a_look() -> None:
    file = io.StringIO()
    show_plan(plan(), console(terminal=False, file=file), brief=True)
    assert "! Database" in file.getvalue()
    assert "Jobs" not in file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_foreign_text_is_shown_and_not_obeyed(terminal: bool) -> None:  # noqa: FBT001
    file = Terminal()
    there = console(400, terminal=terminal, file=file)
    show_plan(plan(EVIL), there)
    show_error(failed(EVIL), there)
    text = there.export_text()
    assert text.count("[red]boom[/red]") == 2
    assert SHOWN in text
    assert "evil\x07" not in file.getvalue()


def test_deployment() -> None:
    there = console()
    show_deployment(failed().deployment, there)
    assert there.export_text().splitlines() == [
        "✓ data  created  1:02",
        "  ! not deleted, and no longer in the stack: Old (q-1): in use",
        "✗ web   failed",
        "- edge  skipped: a stack that it needs failed",
        "",
        "Outputs",
        "  data.Url  https://x.example",
        "",
        "1 created, 1 failed, 1 skipped in 4:12",
    ]


def test_nothing_to_do() -> None:
    there = console()
    show_deployment(Deployment({}), there)
    assert there.export_text().strip() == "nothing to do in 0:00"


def test_failure_is_a_box_on_a_terminal() -> None:
    there = console(90)
    show_error(failed(), there)
    rows = [row.strip("│ ") for row in there.export_text().splitlines()]
    assert "deploy failed (exit 20)" in rows[0]
    assert rows[1:-1] == [
        "Root cause  Service  AWS::ECS::Service  in web  at 00:00:10 UTC",
        "the circuit breaker was triggered",
        "declared at /repo/infra/web.py:42",
        "evidence    task 3f2a stopped: exit 1",
        "state       UPDATE_ROLLBACK_COMPLETE: the version before is in place",
        "next        run again: archlib deploy",
        "also failed Other: no",
        "7 other resources were cancelled because of this",
    ]


@pytest.mark.parametrize("width", [60, 20])
def test_box_fits(width: int) -> None:
    there = console(width)
    show_error(failed("long " * 500), there)
    assert all(len(row) <= width for row in there.export_text().splitlines())


def test_failure_elsewhere_is_plain() -> None:
    file = io.StringIO()
    show_error(failed("long " * 100), console(40, terminal=False, file=file), command="destroy")
    assert file.getvalue().startswith("destroy failed (exit 20)\n  Root cause  Service")
    assert "long " * 99 in file.getvalue()


def test_many_failures_are_counted() -> None:
    error = failed()
    error.deployment = Deployment({}, {f"s{number}": failed() for number in range(12)})
    there = console()
    show_error(error, there)
    text = there.export_text()
    assert text.count("Root cause") == 10
    assert "and 2 failed stacks more" in text


def test_other_errors_are_told_beside() -> None:
    error = failed()
    refused = GuardError("stack 'edge': account must be 1")
    error.deployment = Deployment({}, {"web": failed(), "edge": refused})
    there = console()
    show_error(error, there)
    assert "error: stack 'edge': account must be 1\n" in there.export_text()


def test_error_without_deployment() -> None:
    there = console()
    show_error(DeployError("stack 'web': no"), there)
    assert there.export_text() == "error: stack 'web': no\n"


def test_what_goes_on_or_never_began_has_not_failed() -> None:
    errors = {"web": RunningError("you stopped watching"), "api": InterruptError("stopped before")}
    error = RunningError("stopped")
    error.deployment = deployment = Deployment({}, errors, ("edge",), 5.0)
    file = io.StringIO()
    show_deployment(deployment, console(terminal=False, file=file))
    show_error(error, console(terminal=False, file=file))
    text = file.getvalue()
    assert "◐ web   still running\n" in text
    assert "◐ api   interrupted\n" in text
    assert "- edge  skipped: a stack that it needs is still running and was interrupted\n" in text
    assert "1 still running, 1 interrupted, 1 skipped in 0:05" in text
    assert "still running: you stopped watching\n" in text
    assert "interrupted: stopped before\n" in text
    for told in (text, deployment_markdown(deployment), error_markdown(error)):
        assert "failed" not in told
        assert "✗" not in told
        assert "❌" not in told
    assert "| ⏸ | web | you stopped watching | |" in deployment_markdown(deployment)


def test_what_stays_is_a_list() -> None:
    result = StackResult("web", "deleted", left=("Table (AWS::DynamoDB::Table, t-1)", "Key (AWS::KMS::Key, k-1)"))
    file = io.StringIO()
    show_deployment(Deployment({"web": result}), console(terminal=False, file=file))
    assert "  stays: Table (AWS::DynamoDB::Table, t-1)\n  stays: Key (AWS::KMS::Key, k-1)\n" in file.getvalue()
