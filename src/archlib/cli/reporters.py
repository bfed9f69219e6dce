"""Which way a command tells and asks: on a terminal, in a log, to a program."""

from __future__ import annotations

import os
import select
import sys
import threading
from dataclasses import replace
from types import TracebackType
from typing import IO, Self, TextIO, cast

from rich.console import Console
from rich.text import Text

from archlib.cli.board import Heading
from archlib.cli.show import show_deployment, show_error, show_plan
from archlib.cli.text import Stream, clean
from archlib.deploy.clock import Clock, Stop
from archlib.deploy.deployer import Deployment
from archlib.deploy.models import StackResult
from archlib.deploy.plan import Plan
from archlib.deploy.reporter import Report
from archlib.errors import ArchlibError, InterruptError

_LOOK = 0.1  # seconds


class Prompt:
    """Asks on a terminal.

    Args:
        console: shows the question.
        answers: gives the answer.
        stop: ends an open question.
    """

    def __init__(self, console: Console, answers: TextIO, *, stop: Stop | None = None) -> None:
        self._console = console
        self._answers = answers
        self._stop = stop or Stop()

    def yes(self, question: str) -> bool:
        """Return whether the user agrees; no answer is no."""
        return self._ask(f"{question} [y/N]").lower() in {"y", "yes"}

    def named(self, question: str, name: str) -> bool:
        """Return whether the user types ``name``."""
        return self._ask(f"{question} (type {name})") == name

    def _ask(self, question: str) -> str:
        self._go_on()
        self._console.print(Text(f"{clean(question)} ", style="bold"), end="", soft_wrap=True)
        # Python goes on reading after a signal that only asks for an end.
        while not self._answered():
            self._go_on()
        return self._answers.readline().strip()

    def _go_on(self) -> None:
        if self._stop.requested:
            self._console.print()
            raise InterruptError("you stopped instead of answering")

    def _answered(self) -> bool:
        """Return whether there is an answer, after a short look."""
        try:
            return bool(select.select([self._answers], [], [], _LOOK)[0])
        except (OSError, ValueError):  # what cannot be watched: Windows, text in memory
            return True


class Outlet:
    """What a command tells by and asks by, and shows what came of it with; this one is silent about the progress.

    It is the reporter of a deployer: ``with choose(...) as outlet:`` ends what it draws, whatever happens.

    Args:
        console: for plans and results.
        errors: for what is told while it works, and for errors; None: the same.
        prompt: asks people; None: nobody can answer.
        quiet: show only what needs a look.
    """

    def __init__(
        self, console: Console, *, errors: Console | None = None, prompt: Prompt | None = None, quiet: bool = False
    ) -> None:
        self.console = console
        self.errors = errors or console
        self.quiet = quiet
        self._prompt = prompt
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def can_ask(self) -> bool:
        """Return whether somebody can answer a question."""
        return self._prompt is not None

    def about(self, heading: Heading) -> None:
        """Begin another deployment, of which ``heading`` is known."""

    def notify(self, report: Report) -> None:
        """Take note of ``report``."""

    def confirm(self, question: str) -> bool:
        """Return whether the user agrees; False where nobody can answer."""
        with self._lock:
            return self._prompt is not None and self._prompt.yes(question)

    def confirm_name(self, question: str, name: str) -> bool:
        """Return whether the user types ``name``, which is asked before a protected environment is touched."""
        with self._lock:
            return self._prompt is not None and self._prompt.named(question, name)

    def plan(self, plan: Plan) -> None:
        """Show what will be done."""
        self.close()
        show_plan(plan, self.console, brief=self.quiet)

    def deployment(self, deployment: Deployment) -> None:
        """Show what became of it."""
        self.close()
        if not self.quiet:
            show_deployment(deployment, self.console)

    def result(self, result: StackResult) -> None:
        """Show what became of one stack."""
        self.deployment(Deployment({result.stack: replace(result, told=())}, seconds=result.seconds))

    def error(self, error: ArchlibError, *, command: str = "deploy") -> None:
        """Show why ``command`` failed, and what was done before."""
        self.close()
        if error.deployment is not None and not self.quiet:
            show_deployment(error.deployment, self.console)
        show_error(error, self.errors, command=command)

    def close(self) -> None:
        """End what is drawn; a later report begins anew."""


def choose(
    *,
    as_json: bool = False,
    quiet: bool = False,
    no_color: bool = False,
    stdin: TextIO | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
    clock: Clock | None = None,
    stop: Stop | None = None,
) -> Outlet:
    """Return the outlet that fits the options, the streams and the environment.

    Plans and results go to standard output; errors, and what is told while it works, to standard error. With
    ``as_json``, standard output carries JSON Lines and nothing else, and people read standard error.

    Args:
        as_json: ``--json``; nobody is asked.
        quiet: ``--quiet``.
        no_color: ``--no-color``; the variable NO_COLOR works, too.
        stdin: answers come from there; None: standard input.
        stdout: None: standard output.
        stderr: None: standard error.
        clock: tells the time; None: the real one.
        stop: ends an open question.
    """
    from archlib.cli.lines import LinesReporter, dialect

    out, err = Stream(stdout or sys.stdout), Stream(stderr or sys.stderr)
    answers = stdin or sys.stdin
    human = err if as_json else out
    console, errors = (
        Console(file=cast("IO[str]", each), no_color=no_color or None, markup=False, highlight=False, emoji=False)
        for each in (human, err)
    )
    marks = dialect(os.environ)
    if as_json:
        from archlib.cli.jsonlines import JsonReporter

        return JsonReporter(out, LinesReporter(console, marks=marks, quiet=quiet), clock=clock)
    terminal = human.isatty() and answers is not None and answers.isatty()
    prompt = Prompt(console, answers, stop=stop) if terminal else None
    if quiet or marks is not None or not human.isatty() or os.environ.get("TERM", "") in {"dumb", "unknown"}:
        return LinesReporter(console, errors=errors, marks=marks, prompt=prompt, quiet=quiet)
    from archlib.cli.screen import ScreenReporter

    return ScreenReporter(console, errors=errors, prompt=prompt, clock=clock)
