"""Carry one stack from what it is to what it should be."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from archlib.core.artifact import StackArtifact
from archlib.core.origin import Origin
from archlib.deploy import changesets
from archlib.deploy.calls import DeniedError, ServiceError
from archlib.deploy.changesets import ReplanError
from archlib.deploy.cloudformation import Request, Source, is_early_validation, is_hook
from archlib.deploy.diagnose import diagnose, hint, is_transient
from archlib.deploy.guards import check_approved, check_changes
from archlib.deploy.journal import Entry, is_alive
from archlib.deploy.models import (
    CLEANING,
    COMPLETE,
    UPDATABLE,
    ChangeSet,
    Failure,
    StackEvent,
    StackResult,
    StackState,
)
from archlib.deploy.plan import StackPlan
from archlib.deploy.redact import secret_texts
from archlib.deploy.reporter import Began
from archlib.deploy.run import Run, is_same_content
from archlib.deploy.settle import settle
from archlib.deploy.watch import History, known_before, watch
from archlib.errors import (
    ArchlibError,
    AwsError,
    DeployError,
    GuardError,
    InterruptError,
    Problem,
    RunningError,
    StaleError,
    StuckError,
)

_ROUNDS = 5
_IAM_SETTLES = 15.0
_RESOLVED_ANEW = re.compile(r'"(Fn::)?Transform"|"Fn::GetStackOutput"|\{\{resolve:ssm(-secure)?:[^:}]+\}\}')


@dataclass(frozen=True)
class Job:
    """One stack as it should be.

    Attributes:
        artifact: the stack.
        source: its template, ready to be sent.
        parameters: values; None keeps the one the stack has.
        secrets: names of parameters with NoEcho.
        capabilities: what its template needs to be acknowledged.
        content: hash of template, parameters (without secrets) and tags.
    """

    artifact: StackArtifact
    source: Source
    parameters: Mapping[str, str | None]
    secrets: frozenset[str]
    capabilities: tuple[str, ...]
    content: str

    @property
    def name(self) -> str:
        """Return the name of the stack."""
        return self.artifact.name

    def request(self, run: Run, state: StackState | None, *, name: str = "") -> Request:
        """Return the change set that brings ``state`` there."""
        creates = state is None or state.status == "REVIEW_IN_PROGRESS"
        token = name or run.token(self.content)
        target = run.target
        has_nested = any(
            isinstance(resource, Mapping) and resource.get("Type") == "AWS::CloudFormation::Stack"
            for resource in self.artifact.template["Resources"].values()
        )
        known = state.parameters if state and not creates else {}
        return Request(
            stack=self.name if creates or state is None else state.id,
            name=token,
            token=token,
            kind="CREATE" if creates else "UPDATE",
            source=self.source,
            parameters={key: value for key, value in self.parameters.items() if value is not None or key in known},
            tags=self.artifact.tags,
            description=f"archlib {self.content[:24]}",
            capabilities=self.capabilities,
            role=target.service_role,
            notifications=target.notifications,
            # Nothing given keeps what the stack has; an empty list takes it away.
            rollback_alarms=target.rollback_alarms
            if target.rollback_alarms or (state and state.rollback_alarms)
            else None,
            rollback_minutes=target.rollback_minutes,
            nested=has_nested,
            on_failure=run.options.on_failure if creates else None,
            validate=run.options.validate,
            express=run.options.express,
            import_existing=run.options.import_existing,
            revert_drift=run.options.revert_drift and not creates,
        )


@dataclass(frozen=True)
class Approval:
    """What somebody agreed to before.

    Attributes:
        plan: what was shown.
        binding: anything else is refused as stale; otherwise the guards decide.
        moved: this run changed a stack whose values this one takes.
    """

    plan: StackPlan
    binding: bool
    moved: bool = False

    @property
    def agreed(self) -> StackPlan:
        """Return the plan as it binds: what follows from values that this very run brought was not known."""
        return replace(self.plan, estimated=True) if self.moved else self.plan


def deploy(run: Run, job: Job, *, approval: Approval | None = None) -> StackResult:
    """Bring the stack to what ``job`` says.

    Raises:
        DeployError: CloudFormation rolled it back; StuckError: or could not.
        GuardError: the change is not allowed.
        StaleError: it is not what was approved.
        RunningError: nobody watches any more, or somebody else does not come to an end.
        InterruptError: the user stopped before anything was changed.
    """
    began, retried = run.clock.now(), False
    for round_ in range(_ROUNDS):
        if run.stop.requested:
            raise InterruptError(f"stack {job.name!r}: stopped before anything was changed")
        try:
            result = _bring(run, job, approval, fresh=not retried)
        except ReplanError as error:
            if approval and approval.binding:
                raise StaleError(f"stack {job.name!r}: {error}; plan again, and have it approved again") from None
            run.note(job.name, f"{error}; looking again")
            run.clock.sleep(1.0 + round_)
            approval = None
        except DeployError as error:
            # Roles and users that were just made are not known everywhere at once.
            if retried or isinstance(error, StuckError) or not error.failure or not is_transient(error.failure.reason):
                raise
            retried = True
            run.note(job.name, f"{error.failure.reason}; trying once more in {_IAM_SETTLES:.0f} s")
            run.clock.sleep(_IAM_SETTLES)
            approval = approval and replace(approval, plan=replace(approval.plan, change_set=""))
        else:
            if result is not None:
                return replace(result, seconds=run.clock.now() - began)
    raise StaleError(f"stack {job.name!r}: others keep changing it; try again when they are done")


def _bring(run: Run, job: Job, approval: Approval | None, *, fresh: bool) -> StackResult | None:
    """Bring the stack there once; None: somebody else did, but perhaps with other secrets.

    Args:
        run: the run.
        job: the stack as it should be.
        approval: what somebody agreed to.
        fresh: this run has not changed the stack yet.
    """
    state = run.cloudformation.stack(job.name)
    entry = run.journal.get(job.name)
    if entry is not None and _is_dead(run, entry):
        _tidy(run, job.name, entry, state)
        state = run.cloudformation.stack(job.name)
    attached = _attach(run, job, state)
    if attached is not None:
        # A token does not tell secrets.
        return None if any(job.parameters.get(name) is not None for name in job.secrets) else attached
    bound = approval.plan if approval and approval.binding and fresh else None
    if bound:
        check_identity(state, bound)
    before, state = state, settle(run, job.name, state)
    if bound and before is not state and bound.action != "recreate":
        check_identity(state, bound)
    planned = approval is not None and approval.plan.change_set
    if state is not None and not planned and is_unchanged(run, job, state):
        _protect(run, state)
        return StackResult(job.name, "unchanged", state.outputs)
    return _change(run, job, state, approval)


def finish(run: Run, name: str, stack_id: str) -> tuple[str, ...]:
    """Wait until what an update replaced is deleted, and return what could not be."""
    history = known_before(run, stack_id)
    watch(run, name, history, "", settle=True, cancel=False)
    return orphans(history.events)


def orphans(events: list[StackEvent]) -> tuple[str, ...]:
    """Return what CloudFormation could not delete, and no longer knows."""
    return tuple(
        f"{event.resource} ({event.physical_id}): {event.reason}" for event in events if event.status == "DELETE_FAILED"
    )


def is_unchanged(run: Run, job: Job, state: StackState) -> bool:
    """Return whether the stack is certainly what ``job`` says, without a change set.

    What CloudFormation resolves anew at every deployment (parameters of the Parameter Store, secrets, transforms)
    cannot be told from here.
    """
    template = job.artifact.template
    options = run.options
    if state.status not in UPDATABLE or options.revert_drift or options.import_existing:
        return False
    definitions: Mapping[str, Mapping[str, object]] = template.get("Parameters", {})
    if any(str(definition.get("Type", "")).startswith("AWS::SSM") for definition in definitions.values()):
        return False
    if _RESOLVED_ANEW.search(json.dumps(template)):
        return False
    kept = {name: state.parameters.get(name) for name, value in job.parameters.items() if value is None}
    wanted = {**job.parameters, **kept}
    return (
        job.secrets.isdisjoint(name for name, value in job.parameters.items() if value is not None)
        and all(name in job.secrets or value == state.parameters.get(name) for name, value in wanted.items())
        and wanted.keys() == state.parameters.keys()
        and dict(job.artifact.tags) == dict(state.tags)
        and (run.target.service_role is None or run.target.service_role == state.role)
        and sorted(run.target.notifications) == sorted(state.notifications)
        and sorted(run.target.rollback_alarms) == sorted(state.rollback_alarms)
        and run.cloudformation.template(state.id) == template
    )


def _protect(run: Run, state: StackState) -> None:
    """Give the stack what no change set can: termination protection and a stack policy."""
    try:
        if run.target.protected and not state.protected:
            run.cloudformation.protect(state.id, on=True)
        body = run.target.stack_policy
        if body and run.cloudformation.stack_policy(state.id) != body:
            run.cloudformation.set_stack_policy(state.id, body)
    except ServiceError as error:
        run.warn(state.name, f"is in place, but could not be protected: {error}")


def _attach(run: Run, job: Job, state: StackState | None) -> StackResult | None:
    """Follow an operation that brings just what ``job`` says: of a run that died, or of one somewhere else."""
    if state is None or not state.busy or state.status == CLEANING or state.status.startswith("DELETE"):
        return None
    events = run.cloudformation.events(state.id, pages=20)
    roots = [event for event in events if event.of_stack and event.token]
    token = roots[-1].token if roots else ""
    if not is_same_content(token, job.content):
        return None
    run.note(job.name, "an earlier run began this very change; watching it")
    run.tell(Began(job.name, "attach", region=run.cloudformation.region))
    history = History(state.id)
    history.add(event for event in events if event.token == token)
    history.seen.update(event.id for event in events)
    return _conclude(run, job, watch(run, job.name, history, token), history, token, creates="CREATE" in state.status)


def _tidy(run: Run, stack: str, entry: Entry, state: StackState | None) -> None:
    """Remove what a run that died on this machine left."""
    if entry.phase != "delete" and state is not None and entry.change_set:
        others = changesets.discard_old(run, state.id, mine=entry.change_set)
        if entry.shell and not others and state.status == "REVIEW_IN_PROGRESS":
            run.cloudformation.delete(state.id, run.token("shell"))
    if entry.policy and state is not None:
        run.cloudformation.set_stack_policy(state.id, entry.policy)
    run.journal.drop(stack)


def _is_dead(run: Run, entry: Entry) -> bool:
    """Return whether the run that wrote ``entry`` is over; processes of containers often have the same number."""
    return not is_alive(entry.pid) or (entry.pid == os.getpid() and run.id not in entry.token)


def check_identity(state: StackState | None, plan: StackPlan) -> None:
    """Refuse a plan that was made for a stack that is another one now."""
    was, is_ = (plan.stack_id, plan.changed), (state.id if state else "", state.changed if state else "")
    shell = state is not None and state.status == "REVIEW_IN_PROGRESS" and not plan.stack_id
    if was != is_ and not shell:
        raise StaleError(
            f"stack {plan.stack!r}: changed since the plan was made; plan again, and have it approved again"
        )


def _change(run: Run, job: Job, state: StackState | None, approval: Approval | None) -> StackResult:
    creates = state is None or state.status == "REVIEW_IN_PROGRESS"
    token = run.token(job.content)
    request = job.request(run, state, name=token)
    planned = _planned(run, job, approval)
    run.journal.put(job.name, Entry("change-set", state.id if state else "", token, token, shell=state is None))
    change_set = planned or _ask(run, job, request, created=state is None)
    if run.stop.requested:
        drop(run, job.name, change_set, shell=state is None)
        raise InterruptError(f"stack {job.name!r}: stopped before anything was changed")
    if run.cloudformation.empty(change_set):
        drop(run, job.name, change_set, shell=state is None)
        if state is not None:
            _protect(run, state)
        return StackResult(job.name, "unchanged", state.outputs if state else {})
    try:
        before = {} if creates or state is None else run.cloudformation.template(state.id).get("Resources", {})
        run.redact.learn(secret_texts(before))
        changes = change_set.changes
        check_changes(job.artifact, changes, before, allow=run.options.allow)
        if approval and approval.binding:
            check_approved(job.name, changes, approval.agreed)
        history = known_before(run, change_set.stack_id)
        region = run.cloudformation.region
        run.tell(Began(job.name, "create" if creates else "update", len(change_set.changes), region))
        run.journal.put(job.name, Entry("execute", change_set.stack_id, change_set.id, token, shell=False))
        changesets.execute(run, change_set, token)
    except RunningError:
        raise
    except (ArchlibError, ReplanError) as error:
        # What was approved stays: allowed by its id, it can be carried out all the same.
        if not (planned and isinstance(error, GuardError)):
            drop(run, job.name, change_set, shell=state is None)
        raise
    final = watch(run, job.name, history, token, before=None if creates else state)
    return _conclude(run, job, final, history, token, creates=creates)


def _planned(run: Run, job: Job, approval: Approval | None) -> ChangeSet | None:
    """Return the change set of the plan, if it still does just what ``job`` says."""
    if approval is None or not approval.plan.content:
        return None
    if approval.plan.content != job.content:
        if approval.binding and not approval.moved:
            raise ReplanError("it would get other values than those of the plan")
        return None
    if not approval.plan.change_set:
        return None
    found = run.cloudformation.change_set(approval.plan.change_set, full=True)
    usable = found is not None and found.status == "CREATE_COMPLETE" and found.execution == "AVAILABLE"
    if not usable and approval.binding:
        raise ReplanError("its change set is gone or obsolete")
    return found if usable else None


def _ask(run: Run, job: Job, request: Request, *, created: bool) -> ChangeSet:
    """Return a change set that can be executed, or has nothing to do."""
    origins = job.artifact.origins
    try:
        change_set = changesets.make(run, request, full=True)
    except DeniedError:
        run.journal.drop(job.name)
        raise
    except ServiceError as error:
        run.journal.drop(job.name)
        raise failed(_refused(job.name, error.message, origins), run) from None
    if change_set.status == "FAILED" and not run.cloudformation.empty(change_set):
        failure = why_failed(run, job.name, change_set, origins)
        drop(run, job.name, change_set, shell=created)
        raise failed(failure, run)
    return change_set


def why_failed(run: Run, stack: str, change_set: ChangeSet, origins: Mapping[str, Origin]) -> Failure:
    """Return why a change set could not be made."""
    failure = _refused(stack, change_set.reason, origins)
    if is_early_validation(change_set.reason):
        return _validated(run, failure, change_set.id, origins)
    if is_hook(change_set.reason):
        return replace(failure, evidence=run.cloudformation.hook_advice(change_set.id))
    return failure


def _validated(run: Run, failure: Failure, target: str, origins: Mapping[str, Origin]) -> Failure:
    """Return ``failure`` with what early validation found wrong with ``target``."""
    everything = run.cloudformation.early_failures(target)
    found = [each for each in everything if each[0].startswith("/")] or everything
    names = [next((part for part in where.split("/") if part in origins), "") for where, _ in found]
    known = next(filter(None, names), "")
    return replace(
        failure,
        resource=known,
        reason="; ".join(f"{where}: {what}" for where, what in found) or failure.reason,
        origin=origins.get(known),
        next="change what is named; if AWS is wrong about it: archlib deploy --no-validation",
    )


def _refused(stack: str, reason: str, origins: Mapping[str, Origin]) -> Failure:
    named = next((name for name in origins if name in reason), "")
    return Failure(
        stack,
        named,
        "",
        reason,
        origin=origins.get(named),
        state="nothing was changed",
        next=hint(reason) or "run: archlib check",
    )


def drop(run: Run, stack: str, change_set: ChangeSet, *, shell: bool) -> None:
    """Delete the change set, and the stack that was made only to hold it."""
    changesets.discard(run, change_set.id)
    if shell:
        try:
            _drop_shell(run, change_set)
        except AwsError as error:
            run.note(stack, f"the empty stack that held a change set could not be deleted: {error}")
    run.journal.drop(stack)


def _drop_shell(run: Run, change_set: ChangeSet) -> None:
    state = run.cloudformation.stack(change_set.stack_id)
    others = [
        item for item in run.cloudformation.change_sets(change_set.stack_id) if item["ChangeSetId"] != change_set.id
    ]
    if state and state.status == "REVIEW_IN_PROGRESS" and not others:
        run.cloudformation.delete(state.id, run.token("shell"))


def _conclude(run: Run, job: Job, final: StackState, history: History, token: str, *, creates: bool) -> StackResult:
    run.journal.drop(job.name)
    status = history.outcome(token) or final.status
    if status.endswith("_IN_PROGRESS") and status != CLEANING:
        # Ours never came to its own end, as far as events tell; they may be late.
        foreign = [event for event in history.of_root() if event.token != token and "DELETE" in event.status]
        if foreign:
            message = f"stack {job.name!r}: somebody else deleted it meanwhile (token {foreign[-1].token or 'none'})"
            raise DeployError(f"{message}; it is {final.status}; talk to them, then deploy again")
        status = final.status
    if status in COMPLETE or status == CLEANING:
        _protect(run, final)
        action: Literal["created", "updated"] = "created" if creates else "updated"
        cleaning = final.id if final.status == CLEANING else ""
        return StackResult(job.name, action, final.outputs, orphans=orphans(history.events), cleaning=cleaning)
    events = [event for event in history.events if event.token in {token, ""}]
    failure = diagnose(job.name, events, status=status, origins=job.artifact.origins, evidence=history.evidence)
    if is_early_validation(failure.reason):
        failure = _validated(run, failure, final.id, job.artifact.origins)
    raise failed(failure, run, stuck=status.endswith("_FAILED"))


def failed(failure: Failure, run: Run, *, stuck: bool = False) -> DeployError:
    """Return ``failure`` as the error of its kind."""
    where = f"{failure.resource}: " if failure.resource else ""
    message = f"stack {failure.stack!r}: {where}{failure.reason}; {failure.next}"
    error = (StuckError if stuck else DeployError)(Problem(run.redact(message), failure.origin))
    error.failure = run.masked(failure)
    return error
