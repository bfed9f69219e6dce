from __future__ import annotations

import io
import json
from typing import Any

from archlib.cli.board import Heading
from archlib.cli.jsonlines import JsonReporter
from archlib.cli.lines import LinesReporter
from archlib.cli.text import Stream
from archlib.deploy.models import StackResult
from archlib.deploy.reporter import Began, Ended, Note, Waiting
from archlib.errors import GuardError
from unit.cli.scenes import EVIL, SetClock, console, failed, failure, plan, progress


def scene() -> tuple[JsonReporter, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    human = LinesReporter(console(terminal=False, file=err))
    return JsonReporter(Stream(out), human, clock=SetClock()), out, err


def records(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_every_report_is_a_line() -> None:
    reporter, out, err = scene()
    with reporter:
        reporter.about(Heading("shop", "prod"))
        reporter.notify(Began("web", "update", 3, "eu-west-1"))
        reporter.notify(progress("web", "Jobs", "NEW_STATUS", usually=80))
        reporter.notify(Note("web", EVIL, "warning"))
        reporter.notify(Waiting("web", 60, ("Jobs",)))
        reporter.notify(Ended("web", StackResult("web", "updated", {"Url": "x", "ApiKey": "hidden"})))
        reporter.notify(Ended("edge", failure=failure()))
    found = records(out)
    assert [each["type"] for each in found] == ["began", "progress", "note", "waiting", "ended", "ended"]
    assert all(each["schema_version"] == 1 and each["time"] == "2026-01-01T00:00:00.000Z" for each in found)
    assert found[0]["changes"] == 3
    assert found[1]["event"]["status"] == "NEW_STATUS"
    assert found[1]["event"]["resource_type"] == "AWS::SQS::Queue"
    assert found[1]["event"]["time"] == "2026-01-01T00:00:00.000Z"
    assert found[1]["usually"] == 80
    assert found[2]["text"] == EVIL
    assert found[4]["result"]["outputs"] == {"Url": "x", "ApiKey": "****"}
    assert found[4]["failure"] is None
    assert found[5]["failure"]["file"] == "/repo/infra/web.py"
    assert found[5]["failure"]["line"] == 42
    assert found[5]["failure"]["resource_type"] == "AWS::ECS::Service"
    assert found[5]["failure"]["time"] == "2026-01-01T00:00:10.000Z"
    assert out.getvalue().isascii()
    assert "\x1b" not in out.getvalue()
    assert "== shop prod" in err.getvalue()


def test_results_are_lines_and_people_read_the_other_stream() -> None:
    reporter, out, err = scene()
    reporter.plan(plan())
    reporter.deployment(failed().deployment)
    reporter.error(failed())
    reporter.error(GuardError("no"))
    found = records(out)
    assert [each["type"] for each in found] == ["plan", "deployment", "error", "error"]
    assert found[0]["plan"]["schema_version"] == 1
    assert found[1]["results"]["data"]["action"] == "created"
    assert found[2]["exit_code"] == 20
    assert found[2]["kind"] == "DeployError"
    assert found[2]["deployment"]["skipped"] == ["edge"]
    assert found[2]["failure"]["cancelled"] == 7
    assert found[3]["problems"] == [{"message": "no", "field": "", "file": None, "line": None}]
    assert "Root cause" in err.getvalue()


def test_nobody_is_asked() -> None:
    reporter, _, _ = scene()
    assert not reporter.can_ask
    assert not reporter.confirm("Go on?")
