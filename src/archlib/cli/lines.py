"""Tells logs: one line for each change of state, in the marks of the CI system that keeps the log."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from rich.console import Console

from archlib.cli.board import Heading
from archlib.cli.reporters import Outlet, Prompt
from archlib.cli.show import deployment_markdown, error_markdown
from archlib.cli.text import clean
from archlib.core.origin import Origin
from archlib.deploy.clock import SystemClock
from archlib.deploy.deployer import Deployment
from archlib.deploy.models import Failure
from archlib.deploy.plan import Plan
from archlib.deploy.reporter import Began, Ended, Note, Progress, Report, line
from archlib.errors import ArchlibError

_SUMMARY_BYTES = 1_000_000  # GitHub takes 1 MiB for each step


class Marks(Protocol):
    """What a CI system understands beside plain text."""

    def begin(self, title: str) -> str:
        """Return what begins a part that can be folded."""
        ...

    def end(self) -> str:
        """Return what ends it."""
        ...

    def plain(self, text: str) -> str:
        """Return ``text`` so that nothing in it is taken for a mark."""
        ...

    def warning(self, text: str, stack: str) -> str:
        """Return ``text`` as a warning."""
        ...

    def error(self, text: str, stack: str, origin: Origin | None) -> str:
        """Return what marks the user's line; empty if nothing does."""
        ...

    def summarize(self, text: str) -> None:
        """Put ``text``, Markdown, where people look first."""
        ...


class PlainMarks:
    """Text alone, as for CodeBuild, Jenkins and whatever else keeps a log."""

    def begin(self, title: str) -> str:
        """Return the title."""
        return f"== {title}\n"

    def end(self) -> str:
        """Return nothing."""
        return ""

    def plain(self, text: str) -> str:
        """Return ``text``."""
        return text

    def warning(self, text: str, stack: str) -> str:
        """Return ``text`` in a line."""
        return f"{f'{stack}  ' if stack else ''}warning: {text}"

    def error(self, text: str, stack: str, origin: Origin | None) -> str:
        """Return nothing."""
        del text, stack, origin
        return ""

    def summarize(self, text: str) -> None:
        """Do nothing."""


class GitHubMarks(PlainMarks):
    """Workflow commands of GitHub Actions, and the summary of the step.

    Args:
        summary: path of the file that GitHub shows as the summary; empty: none.
        workspace: path of the repository, from which annotations count.
    """

    def __init__(self, *, summary: str = "", workspace: str = "") -> None:
        self._summary = summary
        self._workspace = workspace

    def begin(self, title: str) -> str:
        """Return what begins a group."""
        return f"::group::{_data(title)}\n"

    def end(self) -> str:
        """Return what ends it."""
        return "::endgroup::\n"

    def plain(self, text: str) -> str:
        """Return ``text`` without workflow commands."""
        text = text.replace("##[", "# #[")
        return f"> {text}" if text.lstrip().startswith("::") else text

    def warning(self, text: str, stack: str) -> str:
        """Return an annotation."""
        return f"::warning{_properties(title=stack)}::{_data(text)}"

    def error(self, text: str, stack: str, origin: Origin | None) -> str:
        """Return an annotation of the user's line."""
        place = {} if origin is None or not origin.line else {"file": self._path(origin), "line": str(origin.line)}
        return f"::error{_properties(**place, title=stack)}::{_data(text)}"

    def summarize(self, text: str) -> None:
        """Add ``text`` to the summary of the step, as far as it takes it."""
        if not self._summary:
            return
        try:
            with Path(self._summary).open("a", encoding="utf-8", errors="replace") as file:
                if file.tell() + len(text.encode(errors="replace")) < _SUMMARY_BYTES:
                    file.write(f"{text}\n")
        except OSError:
            return

    def _path(self, origin: Origin) -> str:
        path = Path(origin.file)
        base = Path(self._workspace or Path.cwd())
        return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


class GitLabMarks(PlainMarks):
    """Sections of GitLab's log that can be folded."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._sections = 0

    def begin(self, title: str) -> str:
        """Return what begins a section."""
        self._sections += 1
        return f"\x1b[0Ksection_start:{self._clock.now():.0f}:{self._name}\r\x1b[0K{title}\n"

    def end(self) -> str:
        """Return what ends it."""
        return f"\x1b[0Ksection_end:{self._clock.now():.0f}:{self._name}\r\x1b[0K\n"

    @property
    def _name(self) -> str:
        return f"archlib_{os.getpid()}_{self._sections}"


def dialect(environment: Mapping[str, str]) -> Marks | None:
    """Return the marks of the CI system that ``environment`` (variables) tells of; None where people watch."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return GitHubMarks(
            summary=environment.get("GITHUB_STEP_SUMMARY", ""), workspace=environment.get("GITHUB_WORKSPACE", "")
        )
    if environment.get("GITLAB_CI") == "true":
        return GitLabMarks()
    named = ("CODEBUILD_BUILD_ID", "JENKINS_URL", "TF_BUILD")
    if any(environment.get(name) for name in named) or environment.get("CI", "").lower() not in {"", "0", "false"}:
        return PlainMarks()
    return None


class LinesReporter(Outlet):
    """Writes one line for each change of state.

    Args:
        console: for plans and results.
        errors: for the lines, and for errors; None: the same.
        marks: of the CI system; None: none.
        prompt: asks; None: nobody can answer.
        quiet: only warnings and failures.
    """

    def __init__(
        self,
        console: Console,
        *,
        errors: Console | None = None,
        marks: Marks | None = None,
        prompt: Prompt | None = None,
        quiet: bool = False,
    ) -> None:
        super().__init__(console, errors=errors, prompt=prompt, quiet=quiet)
        self._marks = marks or PlainMarks()
        self._title = ""
        self._open = False
        self._last: dict[tuple[str, str], str] = {}
        self._marked: set[str] = set()

    def about(self, heading: Heading) -> None:
        """Name what follows."""
        self.close()
        self._title = clean(" ".join(filter(None, (heading.app, heading.environment, heading.region))))

    def notify(self, report: Report) -> None:
        """Write ``report``, unless it tells nothing new."""
        with self._lock:
            match report:
                case Note(stack, text, "warning"):
                    self._write(self._marks.warning(clean(text), clean(stack)))
                    return
                case Ended(stack, None, failure, text) if not text.startswith("skipped"):
                    self._failed(stack, failure, text)
                case Progress(_, event):
                    key = event.stack_id, event.resource
                    if self._last.get(key) == event.status and not event.failed:
                        return
                    self._last[key] = event.status
            if self.quiet:
                return
            if isinstance(report, Began) and self._title and not self._open:
                self._open = True
                self._raw(self._marks.begin(self._title))
            self._write(self._marks.plain(clean(line(report))))

    def plan(self, plan: Plan) -> None:
        """Show what will be done, also in the summary."""
        super().plan(plan)
        self._marks.summarize(plan.to_markdown())

    def deployment(self, deployment: Deployment) -> None:
        """Show what became of it, also in the summary."""
        super().deployment(deployment)
        self._marks.summarize(deployment_markdown(deployment))

    def error(self, error: ArchlibError, *, command: str = "deploy") -> None:
        """Show why it failed, also in the summary and at the user's lines."""
        super().error(error, command=command)
        with self._lock:
            for problem in error.problems if error.deployment is None else ():
                self._mark(problem.message, "", problem.origin)
        if error.deployment is not None:
            self._marks.summarize(deployment_markdown(error.deployment))
        self._marks.summarize(error_markdown(error, command=command))

    def close(self) -> None:
        """End the part that can be folded."""
        with self._lock:
            if self._open:
                self._open = False
                self._raw(self._marks.end())

    def _failed(self, stack: str, failure: Failure | None, text: str) -> None:
        if failure is None:
            self._mark(text, stack, None)
        else:
            named = f"{failure.resource}: " if failure.resource else ""
            self._mark(f"{named}{failure.reason}", stack, failure.origin)

    def _mark(self, text: str, stack: str, origin: Origin | None) -> None:
        told = self._marks.error(clean(text), clean(stack), origin)
        if told and told not in self._marked:
            self._marked.add(told)
            self._write(told)

    def _write(self, text: str) -> None:
        self._raw(f"{text}\n")

    def _raw(self, text: str) -> None:
        if text:
            self.errors.file.write(text)
            self.errors.file.flush()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _properties(**values: str) -> str:
    told = [
        f"{name}={re.sub('[:,]', lambda found: f'%{ord(found[0]):02X}', _data(value))}"
        for name, value in values.items()
        if value
    ]
    return f" {','.join(told)}" if told else ""
