"""What happened to a stack before, read from its events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archlib.deploy.models import StackEvent
from archlib.deploy.run import Run
from archlib.deploy.watch import History

_PAGES = 10
_BEGINS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"})
_FAILED = ("ROLLBACK", "_FAILED")


@dataclass(frozen=True)
class Operation:
    """One operation on a stack, with the rollback that followed it.

    Attributes:
        history: its events, of nested stacks too.
        status: of the stack after it, or now while it goes on.
    """

    history: History
    status: str

    @property
    def failed(self) -> bool:
        """Return whether it did not do what it was to do."""
        return any(part in self.status for part in _FAILED) or (
            self.status == "DELETE_COMPLETE" and self.history.of_root()[0].status == "CREATE_IN_PROGRESS"
        )


def operations(events: Iterable[StackEvent], stack: str) -> list[list[StackEvent]]:
    """Return ``events`` (oldest first) of ``stack``, an ARN, apart: one list for each operation.

    A rollback belongs to what it undoes, and so does the deletion of a stack that could not be created.
    """
    found: list[list[StackEvent]] = []
    token = ""
    for event in events:
        root = event.of_stack and event.stack_id == stack
        begins = root and event.status in _BEGINS
        if begins and not (event.status == "DELETE_IN_PROGRESS" and token and event.token == token):
            found.append([])
        if root:
            token = event.token
        if found:
            found[-1].append(event)
    return found


def last(run: Run, stack: str, *, failed: bool = False) -> Operation | None:
    """Return the last operation on ``stack``, an ARN, or None if there was none.

    Args:
        run: the run.
        stack: ARN.
        failed: the last one that failed.
    """
    for events in reversed(operations(run.cloudformation.events(stack, pages=_PAGES), stack)):
        roots = [event for event in events if event.of_stack]
        operation = Operation(History(stack), roots[-1].status)
        operation.history.add(events)
        if not failed or operation.failed:
            _read_nested(run, operation.history, events[0].time, events[-1].time)
            return operation
    return None


def _read_nested(run: Run, history: History, began: float, ended: float) -> None:
    """Add what nested stacks told in that time."""
    read = {history.root}
    while todo := [arn for arn in history.stacks if arn not in read]:
        for arn in todo:
            read.add(arn)
            events = run.cloudformation.events(arn, pages=_PAGES)
            history.add(event for event in events if began <= event.time <= ended)
    history.events.sort(key=lambda event: event.time)
