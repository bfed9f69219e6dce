"""Follow an operation on a stack until it is over. Watching only reads: whatever happens to it decides nothing."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from archlib.deploy.calls import DoubtError
from archlib.deploy.diagnose import causes
from archlib.deploy.evidence import about, live_hint
from archlib.deploy.models import CLEANING, StackEvent, StackState
from archlib.deploy.reporter import Progress, Waiting, duration
from archlib.deploy.run import Run
from archlib.deploy.stall import action, in_progress, slow, usual
from archlib.errors import ArchlibError, AwsError, CredentialsError, RunningError

_POLL = (0.5, 1.0, 2.0, 2.0, 2.0, 5.0, 5.0, 5.0, 15.0)
_CHECK = 30.0
_HEARTBEAT = 30.0
_STALE_READS = 3
_LATE_READS = 10
_RENEW = 300.0
_HINT_AGAIN = 60.0
_NESTED = "AWS::CloudFormation::Stack"


@dataclass
class History:
    """The events of a stack and of those nested in it, each once.

    Attributes:
        root: ARN of the stack.
        events: oldest first, as they were met.
        seen: ids of events that were there before, or are in ``events``.
        stacks: ARNs of the stack and of those nested in it.
        usual: (logical id, ``CREATE`` ...) -> seconds that it took before.
        evidence: what was found out about the first failure, while what failed was still there.
    """

    root: str
    events: list[StackEvent] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    stacks: dict[str, None] = field(default_factory=dict)
    usual: Mapping[tuple[str, str], float] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.stacks[self.root] = None

    def add(self, events: Iterable[StackEvent]) -> list[StackEvent]:
        """Take ``events``, and return those that are new."""
        unseen = [event for event in events if event.id not in self.seen]
        self.seen.update(event.id for event in unseen)
        # What a nested stack did before this operation is met only now.
        began = min((event.time for event in self.events), default=0.0)
        new = [event for event in unseen if event.stack_id == self.root or event.time >= began]
        self.events += new
        for event in new:
            # The first event of a nested stack has no id of the real thing yet.
            if event.type == _NESTED and event.physical_id.startswith("arn:") and not event.of_stack:
                self.stacks[event.physical_id] = None
        return new

    def of_root(self, token: str = "") -> list[StackEvent]:
        """Return the events that tell of the stack itself, of the operation ``token`` if one is given."""
        return [
            event
            for event in self.events
            if event.stack_id == self.root and event.of_stack and (not token or event.token == token)
        ]

    def outcome(self, token: str) -> str:
        """Return the last status that the operation ``token`` gave the stack, or nothing."""
        mine = self.of_root(token)
        return mine[-1].status if mine else ""

    def open(self) -> tuple[str, ...]:
        """Return the ARNs of the stack and of those nested in it that may still have something to tell."""
        last: dict[str, StackEvent] = {}
        told: dict[str, StackEvent] = {}
        for event in self.events:
            last[event.physical_id] = event  # by the parent, or by itself
            told[event.stack_id] = event
        return tuple(
            arn
            for arn in self.stacks
            if arn == self.root
            or last[arn].status.endswith("_IN_PROGRESS")
            or arn not in told
            or not told[arn].of_stack
        )

    def working(self) -> tuple[str, ...]:
        """Return the logical ids of what is being worked on."""
        latest: dict[tuple[str, str], StackEvent] = {}
        for event in self.events:
            if not event.of_stack:
                latest[event.stack_id, event.resource] = event
        return tuple(event.resource for event in latest.values() if event.status.endswith("_IN_PROGRESS"))


def is_over(status: str) -> bool:
    """Return whether ``status`` of a stack ends an operation, as far as others wait for it."""
    return bool(status) and (status in {CLEANING, "REVIEW_IN_PROGRESS"} or not status.endswith("_IN_PROGRESS"))


def watch(
    run: Run,
    stack: str,
    history: History,
    token: str,
    *,
    settle: bool = False,
    cancel: bool = True,
    before: StackState | None = None,
) -> StackState:
    """Return the stack when the operation ``token`` is over.

    Args:
        run: whose operation.
        stack: its name.
        history: what was known before; new events are added.
        token: of the operation; empty: whatever is going on.
        settle: also wait until what was replaced is deleted.
        cancel: whether an interrupt may cancel the operation, if the run's options say so.
        before: the stack as it was, from which a late read can be told.

    Raises:
        RunningError: the user left, or AWS did not answer for too long; the operation goes on.
    """
    watcher = _Watcher(run, stack, history, token, settle=settle, before=before)
    while True:
        try:
            state = watcher.look()
        except CredentialsError as error:
            raise _leave(stack, f"the credentials are no longer valid ({error})") from None
        except AwsError as error:
            raise _leave(stack, f"AWS cannot be read ({error})") from None
        if state is not None:
            return state
        if run.stop.requested and not watcher.cancelled:
            if not (cancel and run.options.on_interrupt == "cancel"):
                raise _leave(stack, "you stopped watching")
            watcher.cancel()
        watcher.pause()


class _Watcher:
    """What watching one operation has to remember."""

    def __init__(
        self, run: Run, stack: str, history: History, token: str, *, settle: bool, before: StackState | None
    ) -> None:
        self._before = before
        self.cancelled = False
        self._run = run
        self._stack = stack
        self._history = history
        self._token = token
        self._settle = settle
        self._began = self._heard = self._told = self._checked = run.clock.now()
        self._polls = self._stale = self._late = 0
        self._slow: set[str] = set()
        self._hints: dict[str, float] = {}

    def look(self) -> StackState | None:
        """Read what is new, and return the stack if the operation is over."""
        new = _read(self._run, self._stack, self._history)
        now = self._run.clock.now()
        if new:
            self._heard, self._polls = now, min(self._polls, 2)
        status = self._history.outcome(self._token) if self._token else ""
        ended = self._is_over(status) or _foreign_delete(self._history, self._token)
        first = not self._token and not self._polls
        if not ended and not first and now - self._checked < _CHECK:
            return None
        self._checked = now
        state = _describe(self._run, self._history.root)
        if not self._is_over(state.status) or (ended and self._before and state.changed == self._before.changed):
            # Stacks may be read later than their events.
            self._late += 1
            if not ended or self._late <= _LATE_READS:
                return None
        if not ended:
            # A read right after the start may still show the state before it.
            self._stale += 1
            if self._token and not status and self._stale <= _STALE_READS:
                return None
        _read(self._run, self._stack, self._history)  # what came between the two reads
        return state

    def cancel(self) -> None:
        """Roll the update back."""
        self.cancelled = True
        try:
            self._run.cloudformation.cancel_update(self._history.root, self._run.token("cancel"))
            self._run.note(self._stack, "asked CloudFormation to cancel the update; it rolls back now")
        except DoubtError:
            self._run.note(self._stack, "no answer to the call that cancels it; looking what happens")
        except ArchlibError as error:
            self._run.warn(self._stack, f"cannot be cancelled: {error}")

    def pause(self) -> None:
        """Wait until it is time to look again."""
        now = self._run.clock.now()
        if now - max(self._heard, self._told) >= _HEARTBEAT:
            self._told = now
            self._run.tell(Waiting(self._stack, now - self._began, self._history.working()))
        self._hint(now)
        pause = _POLL[min(self._polls, len(_POLL) - 1)]
        self._polls += 1
        self._run.clock.sleep(random.uniform(pause / 2, pause))  # noqa: S311  (spreads calls, guards nothing)

    def _hint(self, now: float) -> None:
        """Tell, once for each resource, what takes long and what can be seen of it."""
        for resource, seconds, known in slow(self._history, self._history.usual, now):
            if resource not in self._slow:
                self._slow.add(resource)
                self._run.note(self._stack, f"{resource}: {duration(seconds)} so far, usually {duration(known)}")
        for event, began in in_progress(self._history):
            if now < self._hints.get(event.resource, 0.0):
                continue
            hint = live_hint(self._run, event, now - began)
            self._hints[event.resource] = float("inf") if hint else now + _HINT_AGAIN
            if hint:
                self._run.warn(self._stack, hint)

    def _is_over(self, status: str) -> bool:
        return is_over(status) and not (self._settle and status == CLEANING)


def known_before(run: Run, stack: str) -> History:
    """Return the history of ``stack``, an ARN, up to now, as already seen."""
    history = History(stack)
    events = run.cloudformation.events(stack, pages=1)
    history.seen.update(event.id for event in events)
    history.usual = usual(events)
    return history


def _read(run: Run, stack: str, history: History) -> list[StackEvent]:
    """Read what is new, tell it, and return it."""
    new = []
    for arn in history.open():
        events = run.cloudformation.events(arn, history.seen, patience=run.options.offline, renew=_RENEW)
        new += history.add(events)
    for event in sorted(new, key=lambda event: event.time):
        known = history.usual.get(action(event)) if event.status.endswith("_IN_PROGRESS") else None
        run.tell(Progress(stack, event, known))
    if (found := causes(history.events, "")) and found[0] in new:
        history.evidence = about(run, found[0])  # soon the rollback deletes what could tell
    return new


def _describe(run: Run, stack: str) -> StackState:
    state = run.cloudformation.stack(stack, patience=run.options.offline, renew=_RENEW)
    if state is None:  # an ARN answers for 90 days
        raise AwsError(f"stack {stack!r} is gone")
    return state


def _foreign_delete(history: History, token: str) -> bool:
    """Return whether somebody else deleted the stack after the operation ``token`` began."""
    events = history.of_root()
    began = next((index for index, event in enumerate(events) if event.token == token), None)
    if began is None:
        return False
    return any(event.status == "DELETE_IN_PROGRESS" and event.token != token for event in events[began:])


def _leave(stack: str, why: str) -> RunningError:
    return RunningError(
        f"stack {stack!r}: {why}; CloudFormation goes on; watch it with: archlib attach {stack}"
        f" · stop it with: archlib cancel {stack}"
    )
