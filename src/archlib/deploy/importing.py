"""Import: a stack takes over things that exist already."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from archlib.core.artifact import StackArtifact
from archlib.deploy import changesets, operation
from archlib.deploy.calls import ServiceError
from archlib.deploy.cloudformation import Request, Source
from archlib.deploy.deployer import Deployer
from archlib.deploy.diagnose import diagnose
from archlib.deploy.guards import check_account
from archlib.deploy.journal import Entry
from archlib.deploy.models import COMPLETE, UPDATABLE, Failure, StackResult, StackState
from archlib.deploy.plan import Plan, StackPlan
from archlib.deploy.references import needs, spread
from archlib.deploy.reporter import Began, Ended
from archlib.deploy.run import PREFIX, Run
from archlib.deploy.settle import stuck, wait_for_other
from archlib.deploy.watch import is_over, known_before, watch
from archlib.errors import ArchlibError, GuardError, InterruptError, Problem, SettingsError, StaleError

MOST = 200
"""Most resources that CloudFormation imports at a time."""

Identifiers = Mapping[str, str | Mapping[str, str]]
"""Logical id -> what identifies the real thing: its keys and values, or the value alone where there is one key."""

_SECTIONS = ("Parameters", "Conditions", "Mappings")
_HEAD = ("AWSTemplateFormatVersion", "Description", "Transform")


@dataclass(frozen=True, slots=True)
class Importable:
    """Something that was in the way of a creation, and can be imported.

    Attributes:
        stack: name of the stack that wants it.
        resource: logical id.
        type: such as ``AWS::S3::Bucket``.
        identifier: what identifies it; a value that is not known is empty.
        owner: name of the stack that has it; then it cannot be imported.
    """

    stack: str
    resource: str
    type: str
    identifier: Mapping[str, str]
    owner: str | None = None

    @property
    def command(self) -> str:
        """Return what imports it, or what else to do."""
        if self.owner:
            move = f"move it from there (archlib rename --stack {self.owner} --to {self.stack} ...)"
            return f"stack {self.owner} has it; {move}, or give this one another name"
        told = " ".join(
            f"--resource {self.resource}{f'.{key}' if key else ''}={value or 'VALUE'}"
            for key, value in self.identifier.items()
        )
        return f"archlib import --stack {self.stack} {told}"


def plan_import(deployer: Deployer, stack: StackArtifact, identifiers: Identifiers) -> Plan:
    """Return what importing would do: a change set that takes the things over, and changes nothing else.

    The template that is sent is what the stack has now with the resources to import. What else the file says comes with
    the next deployment. Call :meth:`archlib.deploy.Deployer.discard` if the plan is not carried out.

    Args:
        deployer: of the account.
        stack: the stack as it should be; it may exist or not.
        identifiers: what to import.

    Raises:
        SettingsError: something in it cannot be imported, all problems at once.
        DeployError: CloudFormation refuses.
        StuckError: the stack cannot be changed as it is.
        RunningError: somebody else has been working on it for too long.
    """
    check_account(deployer.target, deployer.identity, deployer.aws.region)
    run = deployer.run(stack.region)
    state = _at_rest(run, stack.name)
    exists = state is not None and state.status != "REVIEW_IN_PROGRESS"
    now = run.cloudformation.template(state.id) if state and exists else {}
    problems = list(_problems(stack, now, identifiers))
    if problems:
        raise SettingsError(problems)
    merged = replace(stack, template=_merge(now, stack, tuple(identifiers)), assets=())
    job = deployer.job(merged)
    keys = _keys(run, job.source)
    problems = list(_unidentified(stack, identifiers, keys))
    if problems:
        raise SettingsError(problems)
    imports = [
        {
            "ResourceType": stack.template["Resources"][name]["Type"],
            "LogicalResourceId": name,
            "ResourceIdentifier": _identifier(stack, name, given, keys),
        }
        for name, given in identifiers.items()
    ]
    name = f"{PREFIX}-plan-{job.content[:24]}-{run.token('x')[-8:]}"
    request = _request(job.request(run, state, name=name), state if exists else None, imports)
    return _ask(deployer, merged, state, request, job.content)


def _at_rest(run: Run, stack: str) -> StackState | None:
    """Return the stack when it can be changed, or None when there is none; nothing is rolled back or deleted for it."""
    state = run.cloudformation.stack(stack)
    if state is not None and state.busy:
        wait_for_other(run, state)
        state = run.cloudformation.stack(stack)
    if state is None or state.status == "DELETE_COMPLETE":
        return None
    if state.status in UPDATABLE or state.status == "REVIEW_IN_PROGRESS":
        return state
    raise stuck(state)


def execute_import(deployer: Deployer, plan: Plan) -> StackResult:
    """Carry out what :func:`plan_import` gave.

    Raises:
        DeployError: CloudFormation could not import, and put everything back.
        StuckError: or could not put it back.
        StaleError: somebody changed the stack meanwhile.
        RunningError: nobody watches any more; CloudFormation goes on.
    """
    deployer.check_confirmed()
    (planned,), (stack,) = plan.stacks, plan.artifacts
    run = deployer.run(planned.region)
    change_set = run.cloudformation.change_set(planned.change_set)
    if change_set is None or change_set.execution != "AVAILABLE":
        raise _stale(stack.name, "its change set is gone or obsolete")
    if run.stop.requested:
        raise InterruptError(f"stack {stack.name!r}: stopped before anything was changed")
    began, token = run.clock.now(), run.token(planned.content)
    history = known_before(run, change_set.stack_id)
    run.tell(Began(stack.name, "import", len(planned.changes), planned.region))
    run.journal.put(stack.name, Entry("execute", change_set.stack_id, change_set.id, token))
    try:
        changesets.execute(run, change_set, token)
    except changesets.ReplanError as error:
        raise _stale(stack.name, str(error)) from None
    final = watch(run, stack.name, history, token, cancel=False)
    run.journal.drop(stack.name)
    outcome = history.outcome(token)
    # Its last event may come after the stack shows how it ended.
    status = outcome if is_over(outcome) else final.status
    if status not in COMPLETE:
        failure = diagnose(stack.name, history.events, status=status, origins=stack.origins)
        run.tell(Ended(stack.name, failure=failure))
        raise operation.failed(failure, run, stuck=status.endswith("_FAILED"))
    result = StackResult(stack.name, "imported", final.outputs, seconds=run.clock.now() - began)
    run.tell(Ended(stack.name, result))
    run.note(stack.name, "what else the file says about these resources comes with the next: archlib deploy")
    return result


def import_resources(deployer: Deployer, stack: StackArtifact, identifiers: Identifiers) -> StackResult:
    """Import things that exist into a stack; see :func:`plan_import` and :func:`execute_import`."""
    plan = plan_import(deployer, stack, identifiers)
    try:
        return execute_import(deployer, plan)
    finally:
        deployer.discard(plan)


def importable(deployer: Deployer, stack: StackArtifact, failure: Failure) -> Importable | None:
    """Return what was in the way of a creation, if that was why it failed.

    Args:
        deployer: of the account.
        stack: the stack that failed.
        failure: why.
    """
    resource = stack.template["Resources"].get(failure.resource)
    if resource is None or not re.search(r"already exists|AlreadyExists", failure.reason):
        return None
    run = deployer.run(stack.region)
    source = deployer.uploads(stack.region).template(stack.template)
    # A service that does not tell which keys identify a thing has none of them: the name is all there is.
    keys = (_keys(run, source) or {}).get(failure.resource, ("",))
    found = re.search(
        r"identifier '([^']+)'|^(\S+) already exists|\b[Nn]ame:? \[?([\w./-]+)\]? already", failure.reason
    )
    told = next(filter(None, found.groups()), "") if found else ""
    literal = {key: value for key, value in resource.get("Properties", {}).items() if isinstance(value, str)}
    values = told.split("|") if told and len(told.split("|")) == len(keys) else [""] * len(keys)
    identifier = {key: value or literal.get(key, "") for key, value in zip(keys, values, strict=True)}
    owner = next(filter(None, (run.cloudformation.owner(value) for value in identifier.values() if value)), None)
    return Importable(stack.name, failure.resource, resource["Type"], identifier, owner)


def _stale(stack: str, why: str) -> StaleError:
    return StaleError(f"stack {stack!r}: {why}; run again: archlib import")


def _problems(stack: StackArtifact, now: Mapping[str, Any], identifiers: Identifiers) -> Iterator[Problem]:
    """Yield what cannot be imported, as far as templates tell."""
    resources, current = stack.template["Resources"], now.get("Resources", {})
    if not 0 < len(identifiers) <= MOST:
        yield Problem(f"import: resources must be 1 to {MOST}, got {len(identifiers)}; import the rest afterwards")
    for name in identifiers:
        told, origin = f"resource {name!r}", stack.origins.get(name)
        if name not in resources:
            yield Problem(f"{told}: must be a logical id of stack {stack.name!r}; archlib synth shows them")
        elif name in current:
            yield Problem(f"{told}: stack {stack.name!r} has it already; leave it out", origin)
        else:
            if "DeletionPolicy" not in resources[name]:
                advice = "set it to Retain, which also keeps the thing if the import fails"
                yield Problem(f"{told}: DeletionPolicy must be set to be imported, got none; {advice}", origin)
            missing = needs(resources[name], resources.keys()) - current.keys() - identifiers.keys()
            if missing:
                advice = f"import that too, or deploy it before without {name}"
                yield Problem(f"{told}: needs {', '.join(sorted(missing))}, which does not exist yet; {advice}", origin)


def _unidentified(
    stack: StackArtifact, identifiers: Identifiers, keys: Mapping[str, tuple[str, ...]] | None
) -> Iterator[Problem]:
    """Yield what is not identified as CloudFormation needs it."""
    for name, given in identifiers.items():
        resource, origin = stack.template["Resources"][name], stack.origins.get(name)
        told = f"resource {name!r}"
        if keys is not None and name not in keys:
            advice = "leave it out, and let a deployment make a new one"
            yield Problem(f"{told}: CloudFormation cannot import {resource['Type']}; {advice}", origin)
            continue
        wanted = _wanted(given, None if keys is None else keys[name])
        if not wanted:
            yield Problem(f"{told}: must be identified by a key and its value; write {name}.KEY=VALUE", origin)
            continue
        named = ", ".join(wanted)
        if isinstance(given, str) and len(wanted) > 1:
            yield Problem(f"{told}: must be identified by {named}, got only a value; name each", origin)
            continue
        if unknown := sorted(set(given if isinstance(given, Mapping) else ()) - set(wanted)):
            yield Problem(f"{told}: must be identified by {named}, got {', '.join(unknown)}; correct it", origin)
        known = _identifier(stack, name, given, keys)
        if missing := [key for key in wanted if not known.get(key)]:
            example = " ".join(f"--resource {name}.{key}=VALUE" for key in missing)
            yield Problem(f"{told}: must be identified by {named}, got no {', '.join(missing)}; add {example}", origin)


def _wanted(given: str | Mapping[str, str], keys: tuple[str, ...] | None) -> tuple[str, ...]:
    if keys is not None:
        return keys
    # An engine that does not tell takes what the user says.
    return tuple(given) if isinstance(given, Mapping) else ()


def _identifier(
    stack: StackArtifact, name: str, given: str | Mapping[str, str], keys: Mapping[str, tuple[str, ...]] | None
) -> dict[str, str]:
    """Return what identifies the thing: what the user gave, completed by names that the template gives."""
    wanted = _wanted(given, None if keys is None else keys[name])
    if isinstance(given, str):
        return dict.fromkeys(wanted, given)
    literal = stack.template["Resources"][name].get("Properties", {})
    values = {key: given.get(key) or literal.get(key) for key in wanted}
    return {key: value for key, value in values.items() if isinstance(value, str)}


def _keys(run: Run, source: Source) -> Mapping[str, tuple[str, ...]] | None:
    """Return by which keys each resource is identified that can be imported; None: the service does not tell."""
    answer = run.cloudformation.read("get_template_summary", **source.parameters())
    if "ResourceIdentifierSummaries" not in answer:
        return None
    return {
        name: tuple(item.get("ResourceIdentifiers", ()))
        for item in answer["ResourceIdentifierSummaries"]
        for name in item.get("LogicalResourceIds", ())
    }


def _merge(now: Mapping[str, Any], stack: StackArtifact, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the template ``now`` with the resources ``names``, and what they refer to."""
    wanted = stack.template
    imported = {name: wanted["Resources"][name] for name in names}
    used = spread(imported, wanted, _SECTIONS)
    merged = dict(now) or {key: wanted[key] for key in _HEAD if key in wanted}
    for section in _SECTIONS:
        added = {name: wanted[section][name] for name in wanted.get(section, {}) if (section, name) in used}
        if added or section in now:
            # What the stack has stays as it is: CloudFormation refuses any other change.
            merged[section] = {**added, **now.get(section, {})}
    merged["Resources"] = {**now.get("Resources", {}), **imported}
    return merged


def _request(request: Request, state: StackState | None, imports: list[dict[str, Any]]) -> Request:
    """Return ``request`` as an import, which must not change values or tags: new tags come with the deployment."""
    known = state.parameters if state else {}
    return replace(
        request,
        kind="IMPORT",
        imports=imports,
        tags=state.tags if state else {},
        parameters={name: None if name in known else value for name, value in request.parameters.items()},
        on_failure=None,
        import_existing=False,
        revert_drift=False,
        nested=False,
    )


def _ask(deployer: Deployer, stack: StackArtifact, state: StackState | None, request: Request, content: str) -> Plan:
    run = deployer.run(stack.region)
    try:
        found = changesets.make(run, request, full=True)
    except changesets.ReplanError as error:
        raise _stale(stack.name, str(error)) from None
    except ServiceError as error:
        failure = Failure(stack.name, "", "", error.message, state="nothing was changed", next="correct what it names")
        raise operation.failed(failure, run) from None
    plan = StackPlan(
        stack.name,
        run.cloudformation.region,
        "import",
        tuple(replace(change, origin=stack.origins.get(change.resource)) for change in found.changes),
        change_set=found.id,
        stack_id=found.stack_id,
        changed=state.changed if state else "",
        content=content,
    )
    whole = Plan(
        stack.tags.get("app", ""),
        stack.tags.get("environment", ""),
        deployer.identity.account,
        run.cloudformation.region,
        (plan,),
        (stack,),
    )
    try:
        if found.status == "FAILED":
            raise operation.failed(operation.why_failed(run, stack.name, found, stack.origins), run)
        others = [f"{change.action} {change.resource}" for change in found.changes if change.action != "import"]
        if others:
            raise GuardError(f"stack {stack.name!r}: an import must change nothing else, got {', '.join(others)}")
    except ArchlibError:
        operation.drop(run, stack.name, found, shell=state is None)
        raise
    return whole
