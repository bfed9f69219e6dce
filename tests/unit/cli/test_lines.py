from __future__ import annotations

import io
from pathlib import Path

import pytest

from archlib.cli.board import Heading
from archlib.cli.lines import GitHubMarks, GitLabMarks, LinesReporter, PlainMarks, dialect
from archlib.core.origin import Origin
from archlib.deploy.models import StackResult
from archlib.deploy.reporter import Began, Ended, Note, Waiting
from archlib.errors import GuardError, Problem
from unit.cli.scenes import EVIL, SHOWN, console, failed, failure, plan, progress


def lines(marks: PlainMarks | None = None, *, quiet: bool = False) -> tuple[LinesReporter, io.StringIO]:
    file = io.StringIO()
    return LinesReporter(console(terminal=False, file=file), marks=marks, quiet=quiet), file


def test_one_line_for_each_change_of_state() -> None:
    reporter, file = lines()
    reporter.about(Heading("shop", "prod", region="eu-west-1"))
    reporter.notify(Began("web", "update", 3))
    reporter.notify(progress("web", "Jobs", "CREATE_IN_PROGRESS"))
    reporter.notify(progress("web", "Jobs", "CREATE_IN_PROGRESS", reason="Resource creation Initiated"))
    reporter.notify(progress("web", "Jobs", "CREATE_COMPLETE"))
    reporter.notify(Waiting("web", 60, ("Jobs",)))
    reporter.notify(Note("web", "look", "warning"))
    reporter.notify(Ended("web", StackResult("web", "updated", seconds=62)))
    reporter.close()
    assert file.getvalue().split("\n") == [
        "== shop prod eu-west-1",
        "web  update, 3 changes",
        "00:00:00 web  CREATE_IN_PROGRESS  Jobs AWS::SQS::Queue",
        "00:00:00 web  CREATE_COMPLETE  Jobs AWS::SQS::Queue",
        "web  still working on Jobs, 1:00 so far",
        "web  warning: look",
        "web  updated in 1:02",
        "",
    ]


def test_quiet_tells_warnings_alone() -> None:
    reporter, file = lines(quiet=True)
    reporter.notify(Began("web", "update", 3))
    reporter.notify(progress("web", "Jobs", "CREATE_IN_PROGRESS"))
    reporter.notify(Note("web", "by the way"))
    reporter.notify(Note("web", "look", "warning"))
    reporter.deployment(failed().deployment)
    assert file.getvalue() == "web  warning: look\n"
    reporter.error(failed())
    assert "Root cause  Service" in file.getvalue()


def test_nobody_is_asked() -> None:
    reporter, _ = lines()
    assert not reporter.can_ask
    assert not reporter.confirm("Go on?")
    assert not reporter.confirm_name("Go on?", "shop")


def test_foreign_text_stays_in_its_line() -> None:
    reporter, file = lines(GitHubMarks())
    reporter.notify(progress("web", "Jobs", "CREATE_FAILED", reason=EVIL + "\n::error::no"))
    reporter.notify(Note("", "::add-mask::x ##[group]y"))
    first, second, _ = file.getvalue().split("\n")
    assert SHOWN in first
    assert second == "> ::add-mask::x # #[group]y"


def test_github_folds_the_progress_and_marks_lines(tmp_path: Path) -> None:
    reporter, file = lines(GitHubMarks(workspace="/repo"))
    reporter.about(Heading("shop", "prod"))
    reporter.notify(Began("web", "update", 3))
    reporter.notify(Note("a,b", "50% done: look", "warning"))
    reporter.notify(Ended("web", failure=failure()))
    reporter.notify(Ended("edge", text="skipped: web failed"))
    reporter.error(failed())
    text = file.getvalue()
    assert text.startswith("::group::shop prod\nweb  update, 3 changes\n::warning title=a%2Cb::50%25 done: look\n")
    marked = "::error file=infra/web.py,line=42,title=web::Service: the circuit breaker was triggered\n"
    assert text.count("::error") == 1
    assert marked in text
    assert text.index("::endgroup::") < text.index("Root cause")


def test_github_marks_what_was_refused_before() -> None:
    reporter, file = lines(GitHubMarks(workspace="/repo"))
    reporter.error(GuardError([Problem("no", Origin("/repo/a.yaml", 3)), Problem("never", Origin("--app", 0))]))
    assert "::error file=a.yaml,line=3::no\n" in file.getvalue()
    assert "::error::never\n" in file.getvalue()


def test_github_gets_a_summary(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    reporter, _ = lines(GitHubMarks(summary=str(summary)))
    reporter.plan(plan())
    reporter.error(failed("a | b <c>"))
    text = summary.read_text()
    assert "### Plan for shop prod" in text
    assert "| ✅ | data | created | 1:02 |" in text
    assert "a \\| b &lt;c>" in text
    assert "declared at: /repo/infra/web.py:42" in text
    assert "| data.Url | `https://x.example` |" in text


def test_summary_takes_no_more_than_github_does(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    marks = GitHubMarks(summary=str(summary))
    for _ in range(3):
        marks.summarize("x" * 600_000)
    assert summary.stat().st_size == 600_001
    GitHubMarks(summary=str(tmp_path / "none" / "summary.md")).summarize("x")


def test_gitlab_folds_sections() -> None:
    reporter, file = lines(GitLabMarks())
    reporter.about(Heading("shop", "prod"))
    reporter.notify(Began("web", "update"))
    reporter.close()
    reporter.notify(Began("edge", "update"))
    reporter.close()
    names = [part.split("\r")[0] for part in file.getvalue().split("section_start:")[1:]]
    assert len({name.split(":")[1] for name in names}) == 2
    assert file.getvalue().count("\x1b[0Ksection_end:") == 2


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"GITHUB_ACTIONS": "true", "CI": "true"}, GitHubMarks),
        ({"GITLAB_CI": "true", "CI": "true"}, GitLabMarks),
        ({"CODEBUILD_BUILD_ID": "x:1"}, PlainMarks),
        ({"JENKINS_URL": "http://x"}, PlainMarks),
        ({"CI": "1"}, PlainMarks),
        ({"CI": "false"}, type(None)),
        ({}, type(None)),
    ],
)
def test_dialect(environment: dict[str, str], kind: type) -> None:
    assert type(dialect(environment)) is kind
