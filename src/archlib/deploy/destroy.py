"""Delete stacks: those that need others first, and nothing that somebody wants to keep."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from graphlib import TopologicalSorter
from typing import Any

from archlib.core.artifact import StackArtifact
from archlib.deploy.deployer import Deployer, Deployment
from archlib.deploy.diagnose import diagnose, hint
from archlib.deploy.empty import BUCKET, CONTAINERS, empty, is_empty
from archlib.deploy.existing import Graph, Named, dependencies, importers
from archlib.deploy.guards import check_account
from archlib.deploy.models import Resource, ResourceChange, StackResult, StackState
from archlib.deploy.operation import failed
from archlib.deploy.plan import Plan, StackPlan
from archlib.deploy.reporter import Began
from archlib.deploy.run import Run
from archlib.deploy.settle import delete, wait_for_other
from archlib.deploy.stateful import is_data
from archlib.deploy.watch import History, known_before, watch
from archlib.errors import GuardError, InterruptError, Problem, RunningError, SettingsError, StaleError

_NESTED = "AWS::CloudFormation::Stack"
_GONE = frozenset({"DELETE_COMPLETE", "DELETE_SKIPPED"})
_POLICIES: Mapping[str, str] = {
    "Delete": "Delete",
    "Retain": "Retain",
    "RetainExceptOnCreate": "Retain",
    "Snapshot": "Snapshot",
}
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class _Thing:
    """A resource with what its template says happens to it when its stack goes; nothing if that does not show it."""

    path: str
    resource: Resource
    policy: str

    @property
    def described(self) -> str:
        named = f"{self.path} ({self.resource.type}, {self.resource.physical_id})"
        if not self.policy:
            return f"{named}: the stack's template does not show it, so it is not known whether it stays"
        return f"{named}: {'a snapshot stays' if self.policy == 'Snapshot' else 'stays'}, its policy is {self.policy}"


@dataclass(frozen=True)
class _Way:
    """How far to go, and the clients of other services, by name and region."""

    client: Callable[..., Any]
    empty_buckets: bool
    retain: frozenset[str]
    force: bool
    unprotect: bool


@dataclass(frozen=True)
class _Found:
    """What is known of the stacks before anything is done."""

    states: Mapping[str, StackState]
    templates: Mapping[str, Any]
    things: Mapping[str, tuple[_Thing, ...]]
    graph: Graph

    @property
    def order(self) -> tuple[str, ...]:
        """Return the names, those that need others first."""
        return tuple(TopologicalSorter(_reversed(self.graph)).static_order())


def destroy_plan(
    deployer: Deployer, stacks: Sequence[Named], *, empty_buckets: bool = False, retain: Sequence[str] = ()
) -> Plan:
    """Return what :func:`destroy` would do; nothing is changed.

    Args:
        deployer: of the account.
        stacks: of a file, or names.
        empty_buckets: whether buckets and image repositories would be emptied.
        retain: logical ids that would be kept if they cannot be deleted.

    Raises:
        GuardError: the account or the region is not the target's.
    """
    check_account(deployer.target, deployer.identity, deployer.aws.region)
    found = _look(deployer, stacks)
    by_name = {stack.name: stack for stack in stacks}
    plans = [_plan(deployer, by_name[name], found, empty_buckets=empty_buckets, retain=retain) for name in found.order]
    apps = {(state.tags.get("app", ""), state.tags.get("environment", "")) for state in found.states.values()}
    # Stacks of no app, or of several, are called by their names.
    app, environment = apps.pop() if len(apps) == 1 else ("", "")
    return Plan(
        app=app or ", ".join(by_name),
        environment=environment,
        account=deployer.identity.account,
        region=deployer.aws.region,
        stacks=tuple(plans),
    )


def destroy(
    deployer: Deployer,
    stacks: Sequence[Named],
    *,
    empty_buckets: bool = False,
    retain: Sequence[str] = (),
    force: bool = False,
    unprotect: bool = False,
) -> Deployment:
    """Delete ``stacks``, each after those that need it; what is gone already counts as done.

    Resources with a deletion policy that keeps them stay; each result lists them in ``left``.

    Args:
        deployer: of the account.
        stacks: of a file, or names.
        empty_buckets: empty the buckets and image repositories of these stacks first, unless they are kept.
        retain: logical ids to keep when they cannot be deleted.
        force: keep whatever cannot be deleted; also delete stacks whose rollback is stuck.
        unprotect: switch termination protection off; the options must also say that the user named the app.

    Raises:
        GuardError: the target or a stack is protected, others import what a stack exports, a bucket is not empty, or
            the account or region is not the target's; nothing was deleted.
        SettingsError: ``retain`` names what no stack has; nothing was deleted.
        ArchlibError: a stack could not be deleted. Its ``deployment`` tells what became of each stack.
    """
    check_account(deployer.target, deployer.identity, deployer.aws.region)
    found = _look(deployer, stacks)
    unprotect = unprotect and deployer.options.confirmed
    if not unprotect:
        _check_protection(deployer, found.states.values())
    _check_retained(found, retain)
    by_name = {stack.name: stack for stack in stacks}
    way = _Way(
        deployer.aws.client, empty_buckets=empty_buckets, retain=frozenset(retain), force=force, unprotect=unprotect
    )
    _check_deletable(deployer, by_name, found, way)
    return deployer.work(_reversed(found.graph), partial(_destroy, deployer, by_name, found, way))


def _look(deployer: Deployer, stacks: Sequence[Named]) -> _Found:
    def read(stack: Named) -> tuple[StackState | None, Any, tuple[_Thing, ...]]:
        run = deployer.run(stack.region)
        state = run.cloudformation.stack(stack.name)
        if state is None or state.status == "DELETE_COMPLETE":
            return None, {}, ()
        template = _template(run, state)
        return state, template, tuple(_things(run, state.id, template))

    with ThreadPoolExecutor(deployer.options.workers) as pool:
        answers = dict(zip((stack.name for stack in stacks), pool.map(read, stacks), strict=True))
    states = {name: state for name, (state, _, _) in answers.items() if state is not None}
    templates = {name: answers[name][1] for name in states}
    things = {name: answers[name][2] for name in states}
    return _Found(states, templates, things, dependencies(deployer, stacks, states, templates))


def _template(run: Run, state: StackState) -> Any:
    """Return the template that the stack really has; one in review has none."""
    return {} if state.status == "REVIEW_IN_PROGRESS" else run.cloudformation.template(state.id, processed=True)


def _reversed(graph: Graph) -> Graph:
    return {name: frozenset(other for other, needs in graph.items() if name in needs) for name in graph}


def _check_protection(deployer: Deployer, states: Iterable[StackState]) -> None:
    protected = [state.name for state in states if state.protected]
    advice = "to delete all the same: archlib destroy --unprotect --confirm NAME, with the app's name"
    if protected:
        raise GuardError([Problem(f"stack {name!r}: termination protection is on; {advice}") for name in protected])
    if deployer.target.protected:
        raise GuardError(f"the environment is protected; {advice}")


def _check_deletable(deployer: Deployer, stacks: Mapping[str, Named], found: _Found, way: _Way) -> None:
    """Refuse what CloudFormation would refuse only after other stacks are gone."""
    problems = []
    advice = "to delete all that is in it: archlib destroy --empty-buckets, or to keep it: --retain"
    for name, state in found.states.items():
        if state.status == "DELETE_IN_PROGRESS":
            continue
        stack, kept = stacks[name], way.empty_buckets or way.force
        problems += [Problem(each) for each in _in_use(deployer, stack, state, found.templates[name], found.graph)]
        problems += [
            Problem(
                f"stack {name!r}: bucket {thing.resource.physical_id!r} ({thing.path}) is not empty"
                f"; {advice} {_owner(thing)}"
            )
            for thing in (() if kept else _filled(deployer, stack, found.things[name], way.retain))
        ]
    if problems:
        raise GuardError(problems)


def _check_same(deployer: Deployer, found: _Found, way: _Way, state: StackState) -> None:
    """Refuse a stack that somebody made anew, or protected, after it was looked at."""
    known = found.states.get(state.name)
    if known is None or known.id != state.id:
        message = f"stack {state.name!r}: somebody else made it meanwhile, so it is not deleted"
        raise StaleError(f"{message}; look at it, then run again: archlib destroy")
    if not way.unprotect:
        _check_protection(deployer, [state])


def _in_use(deployer: Deployer, stack: Named, state: StackState, template: Any, going: Collection[str]) -> list[str]:
    """Return which exports of a stack are in use by stacks that are not ``going`` with it."""
    told = f"stack {stack.name!r}: cannot be deleted while"
    others = {
        export: [user for user in users if user not in going]
        for export, users in importers(deployer, stack, state, template).items()
    }
    return [
        f"{told} {', '.join(users)} import {export}; first deploy them without it, or destroy them"
        for export, users in others.items()
        if users
    ]


def _check_retained(found: _Found, retain: Sequence[str]) -> None:
    known = {name for template in found.templates.values() for name in template.get("Resources", {})}
    problems = [
        Problem(f"retain: no stack has a resource {name!r}; give logical ids, see archlib destroy --plan")
        for name in retain
        if name not in known
    ]
    if problems and found.states:
        raise SettingsError(problems)


def _plan(deployer: Deployer, stack: Named, found: _Found, *, empty_buckets: bool, retain: Sequence[str]) -> StackPlan:
    run, state = deployer.run(stack.region), found.states.get(stack.name)
    region = run.cloudformation.region
    if state is None:
        return StackPlan(stack.name, region, "none", notes=("it does not exist",))
    template, things = found.templates[stack.name], found.things[stack.name]
    notes = [f"it is {state.status}"] if state.busy or state.status.endswith("_FAILED") else []
    if state.protected:
        notes.append("termination protection is on")
    notes += [thing.described for thing in things if thing.policy != "Delete"]
    notes += _contents(deployer, stack, things, empty_buckets=empty_buckets, retain=frozenset(retain))
    notes += [f"{name} is kept if it cannot be deleted" for name in retain if name in template.get("Resources", {})]
    notes += [each.partition(": ")[2] for each in _in_use(deployer, stack, state, template, found.graph)]
    origins = stack.origins if isinstance(stack, StackArtifact) else {}
    changes = tuple(
        ResourceChange(
            "remove", thing.path, thing.resource.type, thing.resource.physical_id, policy=thing.policy,
            origin=origins.get(thing.path),
        )
        for thing in things
        if thing.policy != "Retain"
    )  # fmt: skip
    return StackPlan(
        stack.name,
        region,
        "delete",
        changes,
        stack_id=state.id,
        changed=state.changed,
        losses=tuple(
            thing.path
            for thing in things
            if thing.policy in {"Delete", ""} and thing.resource.type != _NESTED and is_data(thing.resource.type)
        ),
        notes=tuple(notes),
    )


def _contents(
    deployer: Deployer, stack: Named, things: Sequence[_Thing], *, empty_buckets: bool, retain: frozenset[str]
) -> Iterator[str]:
    """Yield what to know of what must be empty to be deleted."""
    if empty_buckets:
        for thing in _emptied(things, retain):
            yield f"{thing.path} ({thing.resource.physical_id}): everything in it is deleted"
        return
    for thing in _filled(deployer, stack, things, retain):
        told = "is not empty, so it cannot be deleted without --empty-buckets"
        yield f"{thing.path} ({thing.resource.physical_id}): {told}"


def _filled(deployer: Deployer, stack: Named, things: Sequence[_Thing], retain: frozenset[str]) -> Iterator[_Thing]:
    """Yield the buckets that should go and are not empty."""
    client = partial(deployer.aws.client, region=deployer.run(stack.region).cloudformation.region)
    for thing in _emptied(things, retain):
        if thing.resource.type == BUCKET and not is_empty(client, thing.resource.physical_id):
            yield thing


def _things(run: Run, stack: str, template: Any, prefix: str = "") -> Iterator[_Thing]:
    """Yield what a stack has, with what is nested in it."""
    definitions = template.get("Resources", {})
    for resource in run.cloudformation.resources(stack):
        if resource.status in _GONE or not resource.physical_id:
            continue
        definition = definitions.get(resource.id)
        policy = "" if definition is None else _POLICIES.get(str(definition.get("DeletionPolicy", "Delete")), "")
        if resource.type == _NESTED and policy == "Delete":
            inner = run.cloudformation.template(resource.physical_id, processed=True)
            yield from _things(run, resource.physical_id, inner, f"{prefix}{resource.id}/")
        yield _Thing(f"{prefix}{resource.id}", resource, policy)


def _emptied(things: Sequence[_Thing], retain: frozenset[str]) -> list[_Thing]:
    """Return what must be empty to go; with a nested stack that is kept stays what is in it."""
    return [
        thing
        for thing in things
        if thing.resource.type in CONTAINERS and thing.policy == "Delete" and _owner(thing) not in retain
    ]


def _owner(thing: _Thing) -> str:
    """Return the logical id in the stack itself: of what is nested that of its stack."""
    return thing.path.split("/")[0]


def _destroy(deployer: Deployer, stacks: Mapping[str, Named], found: _Found, way: _Way, name: str) -> StackResult:
    run = deployer.run(stacks[name].region)
    began = run.clock.now()
    state = _rest(run, name, force=way.force)
    if state is None:
        return StackResult(name, "absent")
    if run.stop.requested:
        raise InterruptError(f"stack {name!r}: stopped before anything of it was deleted")
    _check_same(deployer, found, way, state)
    things: tuple[_Thing, ...] = ()
    if state.status == "DELETE_IN_PROGRESS":
        run.tell(Began(name, "attach", region=run.cloudformation.region))
        history = known_before(run, state.id)
        after = watch(run, name, history, "", cancel=False)
    else:
        template = _template(run, state)
        things = tuple(_things(run, state.id, template))
        if used := _in_use(deployer, stacks[name], state, template, found.graph):
            raise GuardError([Problem(each) for each in used])
        if state.protected:
            run.cloudformation.protect(state.id, on=False)
        run.tell(Began(name, "delete", len(things), run.cloudformation.region))
        if way.empty_buckets:
            _empty(way, run, name, things)
        after, history = _delete(run, state, way)
    if after.status == "DELETE_FAILED":
        after, history = _again(run, after, history, things, way)
    if after.status != "DELETE_COMPLETE":
        stack = stacks[name]
        origins = stack.origins if isinstance(stack, StackArtifact) else {}
        failure = diagnose(name, history.events, status=after.status, origins=origins, evidence=history.evidence)
        raise failed(failure, run, stuck=after.status.endswith("_FAILED"))
    return StackResult(name, "deleted", seconds=run.clock.now() - began, left=_left(history, things))


def _delete(run: Run, state: StackState, way: _Way) -> tuple[StackState, History]:
    """Delete the stack; only one that could not be deleted may keep what it is told to."""
    if state.status != "DELETE_FAILED":
        return delete(run, state)
    if way.force:
        return delete(run, state, force=True)
    return delete(run, state, retain=tuple(sorted(way.retain & _failing(run, state.id))))


def _rest(run: Run, name: str, *, force: bool) -> StackState | None:
    """Return the stack when it can be deleted, or None when there is none."""
    for _ in range(_ROUNDS):
        state = run.cloudformation.stack(name)
        if state is None or state.status == "DELETE_COMPLETE":
            return None
        if state.status == "UPDATE_ROLLBACK_FAILED" and not force:
            raise GuardError(
                f"stack {name!r}: is {state.status}; what runs is between two versions: archlib recover {name}"
                ", or to delete it all the same: archlib destroy --force"
            )
        if not state.busy or state.status == "DELETE_IN_PROGRESS" or (force and state.status == "CREATE_IN_PROGRESS"):
            return state
        wait_for_other(run, state)
    raise RunningError(f"stack {name!r}: does not come to rest; look at it: archlib events {name}")


def _again(
    run: Run, state: StackState, history: History, things: Sequence[_Thing], way: _Way
) -> tuple[StackState, History]:
    """Tell what could not be deleted, and try once more if there is something to do differently."""
    failing = _failing(run, state.id)
    for resource in run.cloudformation.resources(state.id):
        if resource.id in failing:
            advice = hint(resource.reason, resource.id)
            told = f"{resource.id} ({resource.type}) cannot be deleted: {resource.reason}"
            run.warn(state.name, f"{told}; {advice}" if advice else told)
    refilled = way.empty_buckets and any(thing.path in failing for thing in _emptied(things, way.retain))
    if refilled:
        # Logs may have arrived while the rest was being deleted.
        _empty(way, run, state.name, things)
    if not (refilled or way.force or way.retain & failing):
        return state, history
    after, second = _delete(run, state, way)
    second.events[:0] = [event for event in history.events if not event.failed]
    return after, second


def _failing(run: Run, stack: str) -> frozenset[str]:
    return frozenset(each.id for each in run.cloudformation.resources(stack) if each.status == "DELETE_FAILED")


def _empty(way: _Way, run: Run, stack: str, things: Sequence[_Thing]) -> None:
    client = partial(way.client, region=run.cloudformation.region)
    for thing in _emptied(things, way.retain):
        if count := empty(run, client, thing.resource.type, thing.resource.physical_id):
            run.note(stack, f"{thing.path} ({thing.resource.physical_id}): emptied, {count} things deleted")


def _left(history: History, things: Sequence[_Thing]) -> tuple[str, ...]:
    """Return what is still there although its stack is gone."""
    skipped = {
        (event.resource, event.physical_id): event.type
        for event in history.events
        if event.status == "DELETE_SKIPPED" and event.physical_id
    }
    kept = [f"{resource} ({kind}, {physical_id})" for (resource, physical_id), kind in skipped.items()]
    return (*kept, *(thing.described for thing in things if thing.policy == "Snapshot"))
