"""Bring a stack into a state from which it can be changed; the table of statuses is here."""

from __future__ import annotations

import random

from archlib.deploy.calls import DoubtError, ServiceError
from archlib.deploy.cloudformation import is_busy, is_gone
from archlib.deploy.diagnose import STATES
from archlib.deploy.models import UPDATABLE, StackState
from archlib.deploy.run import Run
from archlib.deploy.watch import History, known_before, watch
from archlib.errors import GuardError, RunningError, StuckError

_ROUNDS = 10


def settle(run: Run, stack: str, state: StackState | None) -> StackState | None:
    """Return the stack when it can be changed, or None when there is none: then it can be created.

    Whoever else is working on it is waited for. What a failed creation left is deleted if nothing is in it.

    Args:
        run: the run.
        stack: its name.
        state: as it was just read.

    Raises:
        StuckError: it is in a state that only ``recover`` or a person gets it out of.
        GuardError: what it holds would be deleted, and nobody agreed.
        RunningError: somebody else has been working on it for too long.
    """
    for _ in range(_ROUNDS):
        if state is None or state.status == "DELETE_COMPLETE":
            return None
        if state.status in UPDATABLE or state.status == "REVIEW_IN_PROGRESS":
            return state
        match state.status:
            case _ if state.busy:
                wait_for_other(run, state)
            case "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED":
                _clear(run, state)
            case "CREATE_FAILED" | "UPDATE_FAILED":
                run.note(stack, f"it is {state.status}: {STATES[state.status][0]}; rolling it back first")
                roll_back(run, state)
            case _:
                raise stuck(state)
        state = run.cloudformation.stack(stack)
    raise StuckError(f"stack {stack!r}: does not come to rest; look at it: archlib events {stack}")


def wait_for_other(run: Run, state: StackState) -> None:
    """Wait until an operation of somebody else is over.

    Raises:
        RunningError: it takes too long.
    """
    who = _who(run, state)
    run.note(state.name, f"somebody else is working on it ({state.status}{who}); waiting")
    began, status = run.clock.now(), state.status
    while status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        if run.stop.requested or run.clock.now() - began > run.options.wait_for_other:
            message = f"stack {state.name!r}: somebody else is still working on it ({status}{who})"
            raise RunningError(
                f"{message}; nothing of this deployment began; watch it with: archlib attach {state.name}"
            )
        # Two who wait for the same stack should not wake at the same time.
        run.clock.sleep(random.uniform(5.0, 15.0))  # noqa: S311
        now = run.cloudformation.stack(state.id, patience=run.options.offline)
        status = now.status if now else "DELETE_COMPLETE"


def roll_back(run: Run, state: StackState) -> None:
    """Roll a stack back that failed with rollback switched off, and wait for it."""
    token = run.token("rollback")
    history = known_before(run, state.id)
    try:
        run.cloudformation.roll_back(state.id, token)
    except DoubtError:
        run.note(state.name, "no answer to the call that rolls it back; looking what happens")
    watch(run, state.name, history, token, settle=True, cancel=False)


def delete(
    run: Run, state: StackState, *, retain: tuple[str, ...] = (), force: bool = False
) -> tuple[StackState, History]:
    """Delete the stack, and return what became of it and what happened.

    Raises:
        GuardError: it is protected.
        RunningError: the user stopped watching, or others keep changing it.
    """
    token = run.token("delete")
    history = known_before(run, state.id)
    for _ in range(_ROUNDS):
        try:
            run.cloudformation.delete(state.id, token, role=run.target.service_role, retain=retain, force=force)
            break
        except ServiceError as error:
            if is_gone(error):
                break
            if is_busy(error):
                wait_for_other(run, run.cloudformation.stack(state.id) or state)
                continue
            if "protect" in error.message.lower():
                message = f"stack {state.name!r}: termination protection is on; run: archlib destroy --unprotect"
                raise GuardError(message) from None
            raise
    else:
        raise RunningError(f"stack {state.name!r}: others keep changing it; try again when they are done")
    return watch(run, state.name, history, token, cancel=False), history


def stuck(state: StackState) -> StuckError:
    """Return the error that says how to get ``state`` moving again."""
    meaning, advice = STATES.get(state.status, ("archlib does not know this status", "look at it in the console"))
    told = f"stack {state.name!r}: is {state.status}: {meaning}"
    return StuckError(f"{told}{f' ({state.reason})' if state.reason else ''}; {advice.replace('{stack}', state.name)}")


def _clear(run: Run, state: StackState) -> None:
    """Delete what a failed creation left."""
    left = [
        resource
        for resource in run.cloudformation.resources(state.id)
        if resource.status not in {"DELETE_COMPLETE", "DELETE_SKIPPED"}
    ]
    named = ", ".join(f"{resource.id} ({resource.type})" for resource in left)
    if state.protected:
        message = f"stack {state.name!r}: is {state.status} and protected, so it cannot be made anew"
        raise GuardError(f"{message}; run: archlib destroy --unprotect")
    if left and not run.options.replace_failed:
        question = f"{state.name} failed to be created and still has {named}. Delete it and create it anew?"
        if not run.confirm(question):
            message = f"stack {state.name!r}: is {state.status} and still has {named}"
            raise GuardError(f"{message}; look at them, then run: archlib deploy --replace-failed")
    run.note(
        state.name, f"it is {state.status}: deleting it before it is created anew{f'; it had {named}' if named else ''}"
    )
    after, _ = delete(run, state)
    if after.status != "DELETE_COMPLETE":
        raise stuck(after)


def _who(run: Run, state: StackState) -> str:
    """Return by which token others can be told."""
    events = [event for event in run.cloudformation.events(state.id, pages=1) if event.of_stack and event.token]
    return f", token {events[-1].token}" if events else ""
