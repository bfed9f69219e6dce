"""What the deployer tells, one line each."""

from __future__ import annotations

import io
from typing import Any

import pytest

import archlib.deploy
from archlib.deploy.models import Failure, StackEvent, StackResult
from archlib.deploy.reporter import (
    Began,
    Ended,
    LineReporter,
    Note,
    Progress,
    Report,
    SilentReporter,
    Waiting,
    duration,
    line,
)
from deploying import Bench


def event(**more: Any) -> StackEvent:
    given = {"stack": "shop", "resource": "Jobs", "reason": "", **more}
    stack = {"id": "1", "stack_id": "arn", "physical_id": "q", "type": "AWS::SQS::Queue"}
    return StackEvent(**stack, status="CREATE_FAILED", time=1767225600.0, **given)


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (Began("shop", "update", 3), "shop  update, 3 changes"),
        (Began("shop", "delete"), "shop  delete"),
        (Progress("shop", event()), "00:00:00 shop  CREATE_FAILED  Jobs AWS::SQS::Queue"),
        (
            Progress("shop", event(stack="shop-Inner-1", reason="no")),
            "00:00:00 shop  CREATE_FAILED  Jobs AWS::SQS::Queue in shop-Inner-1  no",
        ),
        (Note("shop", "by the way"), "shop  by the way"),
        (Note("", "careful", "warning"), "warning: careful"),
        (Waiting("shop", 75, ()), "shop  still working, 1:15 so far"),
        (Waiting("shop", 75, ("A", "B", "C")), "shop  still working on A, B, C, 1:15 so far"),
        (Waiting("shop", 75, ("A", "B", "C", "D")), "shop  still working on A, B, C ..., 1:15 so far"),
        (Ended("shop", StackResult("shop", "created", seconds=61)), "shop  created in 1:01"),
        (Ended("shop", StackResult("shop", "unchanged")), "shop  unchanged"),
        (Ended("shop", failure=Failure("shop", "Jobs", "", "no queue"), text="long"), "shop  failed: no queue"),
        (Ended("shop", text="skipped: data failed"), "shop  failed: skipped: data failed"),
    ],
)
def test_each_report_is_a_line(report: Report, said: str) -> None:
    stream = io.StringIO()

    LineReporter(stream).notify(report)

    assert stream.getvalue() == f"{said}\n"
    assert line(report) == said


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3600, "1:00:00"), (4271, "1:11:11")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_where_nobody_can_answer_nobody_agrees() -> None:
    assert not LineReporter(io.StringIO()).confirm("Delete it?")
    assert not SilentReporter().confirm("Delete it?")
    SilentReporter().notify(Note("", "x"))


def test_a_run_asks_and_warns(bench: Bench) -> None:
    run = bench.run()
    bench.recorder.answer = True

    run.warn("shop", "careful")

    assert run.confirm("Delete it?")
    assert bench.recorder.questions == ["Delete it?"]
    assert bench.recorder.reports == [Note("shop", "careful", "warning")]


def test_secrets_are_masked_in_all_that_is_told(bench: Bench) -> None:
    run = bench.run()
    run.redact.learn(["planted"])

    for report in (
        Note("", "a planted b"),
        Ended("s", text="a planted b"),
        Progress("s", event(reason="a planted b")),
        Progress("s", event()),
        Began("s", "update"),
    ):
        run.tell(report)

    assert [line(report).partition(": ")[2] or line(report) for report in bench.recorder.reports[:2]] == [
        "a **** b",
        "a **** b",
    ]
    assert [each.reason for each in bench.recorder.events()] == ["a **** b", ""]


def test_the_package_gives_its_names_and_no_others() -> None:
    assert all(getattr(archlib.deploy, name) for name in archlib.deploy.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = archlib.deploy.Nothing
