"""What all stacks of one run in one account and region share."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field, replace
from typing import Literal

from archlib.core.target import Target
from archlib.deploy.clock import Clock, Stop
from archlib.deploy.cloudformation import CloudFormation
from archlib.deploy.journal import Journal
from archlib.deploy.models import Failure, StackEvent
from archlib.deploy.redact import Redactor
from archlib.deploy.reporter import Began, Ended, Note, Progress, Report, Reporter, Waiting

PREFIX = "archlib"


@dataclass(frozen=True, slots=True)
class Options:
    """How a run behaves.

    Attributes:
        workers: most stacks that are worked on at a time, 1-100.
        allow: logical ids whose data may be replaced or deleted.
        confirmed: the user named the protected app.
        replace_failed: a stack whose creation failed, with things left in it, may be deleted and made again.
        wait_for_other: seconds to wait for somebody else's operation.
        offline: seconds for which watching goes on without an answer from AWS.
        on_interrupt: what becomes of a running operation when the user stops the run.
        on_failure: what becomes of a new stack that fails.
        validate: whether CloudFormation validates early.
        express: stacks are complete when the configuration is applied; for development.
        import_existing: import what already exists by its custom name.
        revert_drift: bring back what was changed outside of CloudFormation.
    """

    workers: int = 16
    allow: frozenset[str] = frozenset()
    confirmed: bool = False
    replace_failed: bool = False
    wait_for_other: float = 1800.0
    offline: float = 900.0
    on_interrupt: Literal["detach", "cancel"] = "detach"
    on_failure: Literal["ROLLBACK", "DELETE"] | None = None
    validate: bool = True
    express: bool = False
    import_existing: bool = False
    revert_drift: bool = False


@dataclass(frozen=True)
class Run:
    """What the work on a stack needs.

    Attributes:
        cloudformation: of the account and region.
        clock: what waits.
        stop: asks for an early end.
        reporter: who is told.
        journal: what was about to happen.
        options: how the run behaves.
        target: where it goes.
        redact: masks secrets.
        id: of this run.
    """

    cloudformation: CloudFormation
    clock: Clock
    stop: Stop
    reporter: Reporter
    journal: Journal
    options: Options = field(default_factory=Options)
    target: Target = field(default_factory=Target)
    redact: Redactor = field(default_factory=Redactor)
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def token(self, content: str) -> str:
        """Return the token of an operation that brings ``content``: whoever brings the same can be told by it."""
        return f"{PREFIX}-{content[:24]}-{self.id}-{uuid.uuid4().hex[:8]}"

    def tell(self, report: Report) -> None:
        """Tell the reporter, without secrets."""
        match report:
            case Progress(event=StackEvent() as event) if event.reason:
                report = replace(report, event=replace(event, reason=self.redact(event.reason)))
            case Note():
                report = replace(report, text=self.redact(report.text))
            case Ended():
                report = replace(
                    report,
                    text=self.redact(report.text),
                    failure=report.failure and self.masked(report.failure),
                    result=report.result and replace(report.result, outputs=report.result.shown),
                )
            case Began() | Waiting() | Progress():
                pass
        with self._lock:
            self.reporter.notify(report)

    def masked(self, failure: Failure) -> Failure:
        """Return ``failure`` without secrets."""
        return replace(
            failure,
            reason=self.redact(failure.reason),
            state=self.redact(failure.state),
            next=self.redact(failure.next),
            evidence=tuple(map(self.redact, failure.evidence)),
            others=tuple(map(self.redact, failure.others)),
        )

    def note(self, stack: str, text: str) -> None:
        """Tell something by the way."""
        self.tell(Note(stack, text))

    def warn(self, stack: str, text: str) -> None:
        """Tell something that the user should look at."""
        self.tell(Note(stack, text, "warning"))

    def confirm(self, question: str) -> bool:
        """Ask the user."""
        with self._lock:
            return self.reporter.confirm(question)


def is_same_content(token: str, content: str) -> bool:
    """Return whether ``token`` belongs to an operation that brings ``content``."""
    return token.startswith(f"{PREFIX}-{content[:24]}-")
