"""Get a stack moving again, stop what is going on, or follow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from archlib.deploy import past
from archlib.deploy.calls import DoubtError, ServiceError
from archlib.deploy.diagnose import diagnose
from archlib.deploy.evidence import gather
from archlib.deploy.models import COMPLETE, StackResult, StackState
from archlib.deploy.operation import failed, orphans
from archlib.deploy.past import Operation
from archlib.deploy.reporter import Began
from archlib.deploy.run import Run
from archlib.deploy.settle import delete as delete_stack
from archlib.deploy.settle import roll_back, stuck, wait_for_other
from archlib.deploy.watch import History, known_before, watch
from archlib.errors import AwsError, GuardError, Problem, SettingsError, StuckError

_NESTED = "AWS::CloudFormation::Stack"
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class _Failing:
    """A resource that could not be rolled back.

    Attributes:
        path: logical id; ``Nested.LogicalId`` inside a nested stack.
        skip: what CloudFormation calls it: there, with the name of the nested stack.
        type: its type.
        reason: why.
    """

    path: str
    skip: str
    type: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} ({self.type}): {self.reason or 'no reason given'}"


def recover(run: Run, stack: str, *, skip: Sequence[str] = (), force: bool = False) -> StackResult:
    """Bring a stack that is stuck into a state from which it can be deployed; nothing live is deleted.

    A rollback that is stuck goes on: first as it is, then without what is given up. What is given up is listed in the
    result's ``left``: there, the template and reality differ.

    Args:
        run: of the region.
        stack: its name.
        skip: resources to give up at once: ``LogicalId``, or ``Nested.LogicalId``.
        force: give up every resource that cannot be rolled back; without it, the user is asked.

    Raises:
        AwsError: there is no such stack.
        SettingsError: ``skip`` names what is not stuck.
        StuckError: it is still stuck, and its message says what is left to do.
    """
    began = run.clock.now()
    state = _rest(run, stack)
    match state.status:
        case "UPDATE_ROLLBACK_FAILED":
            left = _continue(run, state, skip=skip, force=force)
        case "CREATE_FAILED" | "UPDATE_FAILED":
            run.tell(Began(stack, "recover", region=run.cloudformation.region))
            roll_back(run, state)
            left = ()
        case status if status.endswith("_FAILED"):
            raise stuck(state)
        case _:
            run.note(stack, f"there is nothing to recover: it is {state.status}")
            return StackResult(stack, "unchanged", state.outputs)
    after = run.cloudformation.stack(state.id) or state
    if after.status.endswith("_FAILED"):
        raise stuck(after)
    for each in left:
        run.warn(stack, f"template and reality differ now: {each}; correct it by hand, then: archlib drift {stack}")
    return StackResult(stack, "recovered", after.outputs, run.clock.now() - began, left=left)


def cancel(run: Run, stack: str, *, delete: bool = False) -> StackResult:
    """Stop the update that is going on: CloudFormation rolls it back.

    Args:
        run: of the region.
        stack: its name.
        delete: delete a stack that is just being created; nothing else stops that.

    Raises:
        AwsError: there is no such stack, or what is going on cannot be stopped.
        GuardError: only deleting the stack would stop it.
        StuckError: it could not be rolled back.
    """
    state = _find(run, stack)
    began = run.clock.now()
    if state.status == "CREATE_IN_PROGRESS":
        if not delete:
            message = f"stack {stack!r}: is being created; only deleting it stops that"
            raise GuardError(f"{message}: archlib cancel {stack} --delete")
        run.tell(Began(stack, "delete", region=run.cloudformation.region))
        after, history = delete_stack(run, state)
    elif state.status == "UPDATE_IN_PROGRESS":
        run.tell(Began(stack, "cancel", region=run.cloudformation.region))
        history = known_before(run, state.id)
        try:
            run.cloudformation.cancel_update(state.id, run.token("cancel"))
        except DoubtError:
            run.note(stack, "no answer to the call that cancels it; looking what happens")
        except ServiceError:
            now = run.cloudformation.stack(state.id)
            if now is None or now.status == "UPDATE_IN_PROGRESS":
                raise
        after = watch(run, stack, history, "", settle=True, cancel=False)
    elif state.busy:
        message = f"stack {stack!r}: is {state.status}, which cannot be stopped"
        raise AwsError(f"{message}; watch it with: archlib attach {stack}")
    else:
        run.note(stack, f"there is nothing to cancel: it is {state.status}")
        return StackResult(stack, "unchanged", state.outputs)
    if after.status in COMPLETE:
        run.warn(stack, "it was too late: the update is complete")
        return StackResult(stack, "updated", after.outputs, run.clock.now() - began)
    if after.status.endswith("_FAILED"):
        raise failed(diagnose(stack, history.events, status=after.status), run, stuck=True)
    done = StackResult(stack, "cancelled", after.outputs, run.clock.now() - began)
    return done if after.status != "DELETE_COMPLETE" else StackResult(stack, "deleted", seconds=done.seconds)


def attach(run: Run, stack: str) -> StackResult:
    """Follow what is going on until it is over, and end as the one who began it would have.

    If nothing is going on, the last operation tells its outcome.

    Args:
        run: of the region.
        stack: name or ARN.

    Raises:
        AwsError: there is no such stack.
        DeployError: the operation failed and was rolled back; StuckError: or could not be.
        RunningError: the user stopped watching.
    """
    state = _find(run, stack)
    operation = past.last(run, state.id)
    history = operation.history if operation else History(state.id)
    if not state.busy:
        run.note(state.name, f"nothing is going on: it is {state.status} since {state.changed[:19]}")
        return _outcome(run, state, operation or Operation(history, state.status))
    run.tell(Began(state.name, "attach", region=run.cloudformation.region))
    history.seen.update(event.id for event in run.cloudformation.events(state.id, pages=1))
    after = watch(run, state.name, history, "", settle=True)
    return _outcome(run, after, Operation(history, after.status))


def _outcome(run: Run, state: StackState, operation: Operation) -> StackResult:
    events = operation.history.events
    first = next((event.status for event in events if event.of_stack), state.status)
    seconds = events[-1].time - events[0].time if events else 0.0
    if operation.failed:
        evidence = operation.history.evidence or gather(run, events, status=state.status)
        failure = diagnose(state.name, events, status=state.status, evidence=evidence)
        raise failed(failure, run, stuck=state.status.endswith("_FAILED"))
    match first.split("_")[0]:
        case "DELETE":
            return StackResult(state.name, "deleted", seconds=seconds)
        case "CREATE":
            return StackResult(state.name, "created", state.outputs, seconds)
        case "IMPORT":
            return StackResult(state.name, "imported", state.outputs, seconds)
        case _:
            return StackResult(state.name, "updated", state.outputs, seconds, orphans(events))


def _find(run: Run, stack: str) -> StackState:
    state = run.cloudformation.stack(stack)
    if state is None:
        region = run.cloudformation.region
        raise AwsError(f"stack {stack!r}: does not exist in {region}; correct the name, or give its --region")
    return state


def _rest(run: Run, stack: str) -> StackState:
    """Return the stack when nobody is working on it."""
    for _ in range(_ROUNDS):
        state = _find(run, stack)
        if not state.busy:
            return state
        wait_for_other(run, state)
    raise StuckError(f"stack {stack!r}: does not come to rest; look at it: archlib events {stack}")


def _continue(run: Run, state: StackState, *, skip: Sequence[str], force: bool) -> tuple[str, ...]:
    """Go on with the rollback, and return what was given up."""
    failing = tuple(_failing(run, state.id))
    for each in failing:
        run.warn(state.name, f"cannot be rolled back: {each}")
    run.tell(Began(state.name, "recover", region=run.cloudformation.region))
    if skip:
        chosen = _chosen(state.name, failing, skip)
        if _go_on(run, state, skip=tuple(each.skip for each in chosen)):
            return tuple(map(str, chosen))
    elif not force and _go_on(run, state):
        return ()
    still = tuple(_failing(run, state.id))
    if not force and not run.confirm(_question(state.name, still)):
        _give_up(state.name, still)
    return _give_everything_up(run, state, still)


def _give_everything_up(run: Run, state: StackState, failing: tuple[_Failing, ...]) -> tuple[str, ...]:
    given_up = {each.path: each for each in failing}
    if run.cloudformation.knows("ForceRollback", "ContinueUpdateRollback"):
        over = _go_on(run, state, force=True)
    else:
        over = False
        for _ in range(_ROUNDS):
            # What needs what was given up may fail in its turn.
            over = _go_on(run, state, skip=tuple(each.skip for each in failing))
            failing = tuple(_failing(run, state.id))
            if over or not failing:
                break
            given_up.update((each.path, each) for each in failing)
    if not over:
        _give_up(state.name, tuple(_failing(run, state.id)))
    return tuple(map(str, given_up.values()))


def _go_on(run: Run, state: StackState, *, skip: tuple[str, ...] = (), force: bool = False) -> bool:
    """Return whether the rollback came to its end this time."""
    token = run.token("recover")
    history = known_before(run, state.id)
    try:
        run.cloudformation.continue_rollback(state.id, token, skip=skip, force=force)
    except DoubtError:
        run.note(state.name, "no answer to the call that goes on with the rollback; looking what happens")
    after = watch(run, state.name, history, token, settle=True, cancel=False)
    return after.status == "UPDATE_ROLLBACK_COMPLETE"


def _failing(run: Run, stack: str, *, path: str = "", name: str = "") -> Iterator[_Failing]:
    """Yield what could not be rolled back, of nested stacks instead of the stacks themselves."""
    for resource in run.cloudformation.resources(stack):
        if resource.status != "UPDATE_FAILED":
            continue
        inner: tuple[_Failing, ...] = ()
        if resource.type == _NESTED and resource.physical_id.startswith("arn:"):
            child = resource.physical_id.split("/")[1]
            inner = tuple(_failing(run, resource.physical_id, path=f"{path}{resource.id}.", name=f"{child}."))
        yield from inner or (
            _Failing(f"{path}{resource.id}", f"{name}{resource.id}", resource.type, run.redact(resource.reason)),
        )


def _chosen(stack: str, failing: Sequence[_Failing], skip: Sequence[str]) -> tuple[_Failing, ...]:
    known = {name: each for each in failing for name in (each.path, each.skip)}
    named = ", ".join(each.path for each in failing) or "nothing"
    problems = [
        Problem(f"stack {stack!r}: skip must be of what cannot be rolled back ({named}), got {name!r}")
        for name in skip
        if name not in known
    ]
    if problems:
        raise SettingsError(problems)
    return tuple(known[name] for name in skip)


def _question(stack: str, failing: Sequence[_Failing]) -> str:
    named = "; ".join(map(str, failing))
    return f"{stack} still cannot be rolled back: {named}. Give these up, so that template and reality differ?"


def _give_up(stack: str, failing: Sequence[_Failing]) -> NoReturn:
    named = "; ".join(map(str, failing)) or "CloudFormation does not say why"
    paths = ",".join(each.path for each in failing)
    advice = f"correct that and run again: archlib recover {stack}; or give it up: --skip {paths or '...'}, or --force"
    raise StuckError(f"stack {stack!r}: is still UPDATE_ROLLBACK_FAILED: {named}; {advice}")
