"""What the deployer tells while it works, and how it asks."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol, TextIO

from archlib.deploy.models import Failure, StackEvent, StackResult


@dataclass(frozen=True, slots=True)
class Began:
    """Work on a stack began.

    Attributes:
        stack: its name.
        action: what is done to it.
        changes: how many resources change; 0 if that is not known.
        region: where.
    """

    stack: str
    action: Literal["create", "update", "import", "delete", "attach", "recover", "cancel"]
    changes: int = 0
    region: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """CloudFormation did something.

    Attributes:
        stack: name of the stack that is deployed; the event may be of one nested in it.
        event: what.
        usually: seconds that it took before, if that is known.
    """

    stack: str
    event: StackEvent
    usually: float | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user should know.

    Attributes:
        stack: name of the stack it is about; empty: all.
        text: what.
        level: how much it matters.
    """

    stack: str
    text: str
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing has changed for a while.

    Attributes:
        stack: its name.
        seconds: since its operation began.
        resources: logical ids of what CloudFormation is working on.
    """

    stack: str
    seconds: float
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """Work on a stack ended.

    Attributes:
        stack: its name.
        result: what became of it, if it worked.
        failure: why not, if CloudFormation failed.
        text: why not, in a sentence, if anything else did.
    """

    stack: str
    result: StackResult | None = None
    failure: Failure | None = None
    text: str = ""


Report = Began | Progress | Note | Waiting | Ended


class Reporter(Protocol):
    """Who is told, and asked. Called from several threads, one call at a time."""

    def notify(self, report: Report) -> None:
        """Take note of ``report``."""
        ...

    def confirm(self, question: str) -> bool:
        """Return what the user answers; False where nobody can answer."""
        ...


class SilentReporter:
    """Tells nobody, and never agrees."""

    def notify(self, report: Report) -> None:
        """Do nothing."""

    def confirm(self, question: str) -> bool:
        """Return False."""
        del question
        return False


class LineReporter:
    """Writes one line for each change of state, for logs.

    Args:
        stream: where to.
    """

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream

    def notify(self, report: Report) -> None:
        """Write ``report``."""
        self._stream.write(f"{line(report)}\n")
        self._stream.flush()

    def confirm(self, question: str) -> bool:
        """Return False: nobody reads a log while it is written."""
        del question
        return False


def line(report: Report) -> str:
    """Return ``report`` as one line."""
    match report:
        case Began(stack, action, changes):
            return f"{stack}  {action}{f', {changes} changes' if changes else ''}"
        case Progress(stack, event):
            at = datetime.fromtimestamp(event.time, UTC).strftime("%H:%M:%S")
            inside = "" if event.stack == stack else f" in {event.stack}"
            reason = f"  {event.reason}" if event.reason else ""
            return f"{at} {stack}  {event.status}  {event.resource} {event.type}{inside}{reason}"
        case Note(stack, text, level):
            return f"{f'{stack}  ' if stack else ''}{'warning: ' if level == 'warning' else ''}{text}"
        case Waiting(stack, seconds, resources):
            named = f" on {', '.join(resources[:3])}{' ...' if len(resources) > 3 else ''}" if resources else ""  # noqa: PLR2004
            return f"{stack}  still working{named}, {duration(seconds)} so far"
        case Ended(stack, StackResult() as result):
            return f"{stack}  {result.action}{f' in {duration(result.seconds)}' if result.seconds >= 1 else ''}"
        case Ended(stack, _, failure, text):
            return f"{stack}  failed: {failure.reason if failure else text}"


def duration(seconds: float) -> str:
    """Return ``4:12``, or ``1:04:12``."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
