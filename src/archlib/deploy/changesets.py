"""Make a change set, and carry it out: each write with a token, each doubt solved by reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from archlib.deploy.calls import DoubtError, ServiceError, UnreachableError
from archlib.deploy.cloudformation import Request
from archlib.deploy.models import ChangeSet
from archlib.deploy.run import PREFIX, Run
from archlib.errors import AwsError, RunningError

_WRITE_PATIENCE = 120.0
_APPEARS = 30.0
_STOPPED_PATIENCE = 30.0
_OLD = 3600.0
_FASTEST, _SLOWEST = 0.5, 5.0
_LATE_READS = 6
_NAMES = 3
_HEARTBEAT = 60.0


class ReplanError(Exception):
    """The stack is no longer as it was when the change set was made."""


def make(run: Run, request: Request, *, full: bool = False) -> ChangeSet:
    """Return the change set for ``request``: made, failed, or, when the user stopped, perhaps still being made.

    Raises:
        ReplanError: somebody else is changing the stack, or removed the change set.
        ServiceError: CloudFormation refuses the template, a parameter ...
    """
    change_set, _ = _send(run, request)
    began, pause, found = run.clock.now(), _FASTEST, None
    stopped, told = None, began
    while True:
        found = run.cloudformation.change_set(change_set) or found
        if found is None and run.clock.now() - began > _APPEARS:
            raise ReplanError("the change set was removed by somebody else")
        if found and found.status not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
            break
        if run.stop.requested and found:
            # Only a change set that is made can be deleted, so it is worth a moment.
            stopped = stopped or run.clock.now()
            if run.clock.now() - stopped > _STOPPED_PATIENCE:
                break
        if run.clock.now() - told > _HEARTBEAT:
            told = run.clock.now()
            run.note(request.stack, f"CloudFormation is still working out the change, {told - began:.0f} s so far")
        run.clock.sleep(pause)
        pause = min(pause * 1.5, _SLOWEST)
    return (full and run.cloudformation.change_set(change_set, full=True)) or found


def _send(run: Run, request: Request) -> tuple[str, str]:
    began, names = run.clock.now(), 0
    while True:
        try:
            return run.cloudformation.create_change_set(request)
        except DoubtError as error:
            # The same token again: if the first one got through, this one answers with it.
            if run.clock.now() - began > _WRITE_PATIENCE:
                raise UnreachableError(f"no answer from CloudFormation: {error}") from None
            run.clock.sleep(_FASTEST)
        except ServiceError as error:
            if "cannot be created again" in error.message:
                raise ReplanError("somebody else created the stack") from None
            if error.code == "AlreadyExistsException" and names < _NAMES:
                names += 1
                # Names are unique: one of this name is ours, unless it is there with another content.
                mismatch = "mismatch with existing attribute" in error.message
                known = None if mismatch else run.cloudformation.change_set(request.name, stack=request.stack)
                if known is not None:
                    return known.id, known.stack_id
                name = run.token(request.token.split("-")[1])
                request = replace(request, token=name, name=name)
                continue
            if "IN_PROGRESS" in error.message or "does not exist" in error.message:
                raise ReplanError(error.message) from None
            raise


def execute(run: Run, change_set: ChangeSet, token: str) -> None:
    """Execute ``change_set`` once, whatever happens to the answer.

    Raises:
        ReplanError: it can no longer be executed: somebody else changed the stack.
    """
    began, doubtful = run.clock.now(), ""
    while True:
        try:
            run.cloudformation.execute(change_set.id, token)
        except DoubtError as error:
            doubtful = str(error)
        except ServiceError as error:
            if not error.code.startswith("InvalidChangeSetStatus") and not _not_found(error):
                raise
        else:
            return
        try:
            if _is_running(run, change_set, token):
                return
        except AwsError as error:
            if doubtful:
                raise _perhaps(change_set, str(error)) from None
            raise
        if doubtful and run.clock.now() - began > _WRITE_PATIENCE:
            raise UnreachableError(f"no answer from CloudFormation: {doubtful}")
        run.clock.sleep(_FASTEST)


def _perhaps(change_set: ChangeSet, why: str) -> RunningError:
    stack = change_set.stack_id.split("/")[-2] if "/" in change_set.stack_id else change_set.stack_id
    message = f"stack {stack!r}: nobody knows whether the change began ({why})"
    return RunningError(f"{message}; look with: archlib attach {stack}")


def _is_running(run: Run, change_set: ChangeSet, token: str) -> bool:
    """Return whether a doubtful execution happened: look before deciding.

    Raises:
        ReplanError: it did not happen, and no longer can.
    """
    for _ in range(_LATE_READS):
        if any(event.token == token for event in run.cloudformation.events(change_set.stack_id, pages=1)):
            return True
        state = run.cloudformation.change_set(change_set.id)
        execution = state.execution if state else ""
        if execution == "AVAILABLE":
            return False
        if execution.startswith("EXECUTE_"):
            return True
        if execution == "OBSOLETE":
            break
        run.clock.sleep(2.0)  # events may be late
    raise ReplanError("somebody else changed the stack after the change set was made")


def _not_found(error: ServiceError) -> bool:
    return error.code.startswith("ChangeSetNotFound")


def discard(run: Run, change_set: str) -> None:
    """Delete a change set of ours; what goes wrong is told, and changes nothing."""
    try:
        run.cloudformation.delete_change_set(change_set)
    except AwsError as error:
        if not (isinstance(error, ServiceError) and _not_found(error)):
            run.note("", f"a change set could not be deleted: {error}")


def discard_old(run: Run, stack: str, *, mine: str = "") -> int:
    """Delete the change sets that earlier runs left at ``stack``, and return how many others it has.

    Args:
        run: the run.
        stack: ARN.
        mine: a change set that a dead run of this machine left.
    """
    others = 0
    for item in run.cloudformation.change_sets(stack):
        if item["ChangeSetId"] == mine or item["ChangeSetName"] == mine or _is_old(item, run.clock.now()):
            discard(run, item["ChangeSetId"])
        else:
            others += 1
    return others


def _is_old(item: Mapping[str, Any], now: float) -> bool:
    created = item.get("CreationTime")
    name = str(item["ChangeSetName"])
    ours = name.startswith(f"{PREFIX}-") and not name.startswith(f"{PREFIX}-plan-")
    return ours and isinstance(created, datetime) and now - created.timestamp() > _OLD
