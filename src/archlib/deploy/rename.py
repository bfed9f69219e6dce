"""Rename logical ids, and move resources between stacks, without touching the real things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archlib.core.artifact import StackArtifact, Template
from archlib.deploy.calls import DoubtError, ServiceError
from archlib.deploy.cloudformation import is_busy
from archlib.deploy.deployer import Deployer
from archlib.deploy.existing import Named
from archlib.deploy.guards import check_account
from archlib.deploy.models import UPDATABLE, StackState
from archlib.deploy.plan import adapter
from archlib.deploy.references import needs, renamed, spread, variables
from archlib.deploy.run import Run
from archlib.errors import (
    AwsError,
    DeployError,
    InterruptError,
    Problem,
    RunningError,
    SettingsError,
    StaleError,
    StuckError,
)

SCHEMA_VERSION = 1
_OPERATION = "CreateStackRefactor"
_SECTIONS = ("Parameters", "Conditions", "Mappings")
_FASTEST, _SLOWEST = 1.0, 5.0
_LONGEST = 3600.0
_STUCK_READS = 5
"""A failed execution may still begin to be rolled back."""


@dataclass(frozen=True, slots=True)
class Move:
    """A resource that gets another logical id, or another stack.

    Attributes:
        stack: name of the stack that has it.
        resource: its logical id there.
        to_stack: name of the stack that will have it.
        to_resource: its logical id then.
        type: such as ``AWS::SQS::Queue``.
        physical_id: id of the real thing, which stays.
    """

    stack: str
    resource: str
    to_stack: str
    to_resource: str
    type: str
    physical_id: str = ""


@dataclass(frozen=True, slots=True)
class RenamePlan:
    """What a renaming will do.

    Attributes:
        id: of CloudFormation's refactor.
        region: where.
        moves: the resources.
        created: names of stacks that it makes.
        tagged: how many tags of resources it changes.
    """

    id: str
    region: str
    moves: tuple[Move, ...]
    created: tuple[str, ...] = ()
    tagged: int = 0

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data, with a ``schema_version``."""
        return {"schema_version": SCHEMA_VERSION, **adapter(RenamePlan).dump_python((self,), mode="json")[0]}

    def to_text(self) -> str:
        """Return it for people to read."""
        lines = [f"+ stack {name}" for name in self.created]
        for move in self.moves:
            place = "" if move.stack == move.to_stack else f"{move.to_stack}/"
            thing = f"  {move.type}{f' ({move.physical_id})' if move.physical_id else ''}"
            lines.append(f"  {move.stack}/{move.resource} -> {place}{move.to_resource}{thing}")
        if self.tagged:
            lines.append(f"  CloudFormation's own tags follow ({self.tagged})")
        return "\n".join([*lines, f"{len(self.moves)} resources renamed or moved; the real things stay as they are"])


def plan_rename(deployer: Deployer, stack: Named, names: Mapping[str, str], *, to: str | None = None) -> RenamePlan:
    """Ask CloudFormation what renaming would do; nothing is changed.

    The templates are those that the stacks have now. Deploy what else changed before, or afterwards.

    Args:
        deployer: of the account.
        stack: the stack. One of a file must already have the new ids: what the file does not have, the next deployment
            would delete.
        names: old logical id -> new logical id; with ``to``, the resources to move, each with its id there.
        to: name of the stack to which the resources move; it is made if there is none.

    Raises:
        SettingsError: a name cannot be right, all problems at once.
        AwsError: the installed boto3 cannot do that, or CloudFormation refuses.
    """
    check_account(deployer.target, deployer.identity, deployer.aws.region)
    run = deployer.run(stack.region)
    _check_botocore(run)
    state, now = _current(run, stack.name)
    other, there = _current(run, to) if to else (None, {})
    problems = list(_state_problems(stack.name, state)) + (list(_state_problems(to, other)) if to and other else [])
    if state is not None:
        problems += _moving(stack, now, there, names, to) if to else _renaming(stack, now, names)
    if problems:
        raise SettingsError(problems)
    templates = _moved(now, there, names, stack.name, to) if to else {stack.name: renamed(now, names)}
    moves = tuple(
        Move(stack.name, old, to or stack.name, new, now["Resources"][old]["Type"]) for old, new in names.items()
    )
    uploads = deployer.uploads(stack.region)
    request = {
        "Description": f"archlib: {len(moves)} resources",
        "EnableStackCreation": bool(to and other is None),
        "StackDefinitions": [
            {"StackName": name, **uploads.template(template).parameters()} for name, template in templates.items()
        ],
        "ResourceMappings": [
            {
                "Source": {"StackName": move.stack, "LogicalResourceId": move.resource},
                "Destination": {"StackName": move.to_stack, "LogicalResourceId": move.to_resource},
            }
            for move in moves
        ],
    }
    # A refactor that nobody executes does nothing, so asking twice is safe.
    refactor = run.cloudformation.write("create_stack_refactor", repeat=True, **request)["StackRefactorId"]
    _wait_until_made(run, stack.name, refactor)
    return _told(run, refactor, moves)


def execute_rename(deployer: Deployer, plan: RenamePlan) -> None:
    """Carry out what :func:`plan_rename` gave.

    Raises:
        DeployError: CloudFormation could not, and put everything back.
        StuckError: or could not put it back.
        StaleError: a stack was changed meanwhile.
        RunningError: nobody watches any more; CloudFormation goes on.
    """
    deployer.check_confirmed()
    check_account(deployer.target, deployer.identity, deployer.aws.region)
    run = deployer.run(plan.region)
    stack = plan.moves[0].stack
    if run.stop.requested:
        raise InterruptError(f"stack {stack!r}: stopped before anything was renamed")
    _start(run, stack, plan.id)
    began, failures = run.clock.now(), 0
    while True:
        answer = _describe(run, plan.id)
        status, reason = answer.get("ExecutionStatus", ""), run.redact(answer.get("ExecutionStatusReason", ""))
        why = f": {reason}" if reason else ""
        match status:
            case "EXECUTE_COMPLETE":
                return
            case "ROLLBACK_COMPLETE":
                raise DeployError(f"stack {stack!r}: nothing was renamed{why}; correct that and run it again")
            case "ROLLBACK_FAILED":
                raise _stuck(stack, f"renaming failed and could not be undone{why}")
            case "EXECUTE_FAILED" if failures >= _STUCK_READS:
                raise _stuck(stack, f"renaming failed{why}")
            case "EXECUTE_FAILED":
                failures += 1
        if run.stop.requested or run.clock.now() - began > _LONGEST:
            message = f"stack {stack!r}: CloudFormation is still renaming ({status})"
            raise RunningError(f"{message}; look at it: archlib status {stack}")
        run.clock.sleep(_SLOWEST)


def rename(deployer: Deployer, stack: Named, names: Mapping[str, str], *, to: str | None = None) -> RenamePlan:
    """Rename logical ids, or move resources; see :func:`plan_rename` and :func:`execute_rename`."""
    plan = plan_rename(deployer, stack, names, to=to)
    execute_rename(deployer, plan)
    return plan


def _check_botocore(run: Run) -> None:
    if not run.cloudformation.knows("StackDefinitions", _OPERATION):
        import botocore  # noqa: PLC0415  (slow to import)

        message = f"the installed botocore {botocore.__version__} has no {_OPERATION}, which renames without replacing"
        raise AwsError(f'{message}; update it with: pip install --upgrade "boto3>=1.43"')


def _current(run: Run, name: str) -> tuple[StackState | None, Template]:
    state = run.cloudformation.stack(name)
    if state is None or state.status in {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}:
        return None, {"Resources": {}}
    return state, run.cloudformation.template(state.id)


def _state_problems(name: str, state: StackState | None) -> Iterator[Problem]:
    if state is None:
        yield Problem(f"stack {name!r}: must exist to be renamed in; deploy it, or correct the name")
    elif state.status not in UPDATABLE:
        yield Problem(f"stack {name!r}: must be at rest, got {state.status}; run: archlib status {name}")


def _known(stack: Named, now: Template, names: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with names wherever they go."""
    if not names:
        yield Problem(f"stack {stack.name!r}: names must be one or more, got none; add OLD=NEW")
    if "Transform" in now:
        yield Problem(f"stack {stack.name!r}: has a transform, which may make names of its own; rename by hand")
    for old in names:
        if old not in now["Resources"]:
            yield Problem(f"resource {old!r}: must be in stack {stack.name!r}; archlib status shows what it has")
    for new in {each for each in names.values() if list(names.values()).count(each) > 1}:
        yield Problem(f"resource {new!r}: must be the new name of one resource, got several; give each its own")
    own = variables([now["Resources"], now.get("Outputs", {})])
    for new in names.values():
        if new in own:
            yield Problem(f"resource {new!r}: is a variable of an Fn::Sub in {stack.name!r}; choose another name")
        if not (new.isascii() and new.isalnum()):
            yield Problem(f"resource {new!r}: must be letters and digits; choose another name")


def _renaming(stack: Named, now: Template, names: Mapping[str, str]) -> list[Problem]:
    problems = list(_known(stack, now, names))
    taken = {*now["Resources"], *now.get("Parameters", {})} - names.keys()
    for old, new in names.items():
        if old == new:
            problems.append(Problem(f"resource {old!r}: must get another name, got the same; leave it out"))
        elif new in taken:
            problems.append(Problem(f"resource {new!r}: stack {stack.name!r} has one already; choose another name"))
    if isinstance(stack, StackArtifact):
        wanted = stack.template["Resources"]
        for old, new in names.items():
            kind = now["Resources"].get(old, {}).get("Type")
            told = wanted.get(new, {}).get("Type")
            if kind and told != kind:
                got = f"is {told} there" if told else "is not there"
                advice = "rename it there first, or the next deployment deletes it"
                problems.append(Problem(f"resource {new!r}: must be {kind} in the file, {got}; {advice}"))
    return problems


def _moving(stack: Named, now: Template, there: Template, names: Mapping[str, str], to: str) -> list[Problem]:
    problems = list(_known(stack, now, names))
    if to == stack.name:
        problems.append(Problem(f"stack {to!r}: must be another one to move to; leave it out to rename"))
    resources = now["Resources"]
    moving = {old: resources[old] for old in names if old in resources}
    staying = {name: resource for name, resource in resources.items() if name not in moving}
    taken = {*there["Resources"], *there.get("Parameters", {})}
    problems += [
        Problem(f"resource {new!r}: stack {to!r} has one already; choose another name")
        for new in names.values()
        if new in taken
    ]
    for name, resource in moving.items():
        problems += [
            Problem(f"resource {name!r}: needs {each}, which stays in {stack.name}; move it too")
            for each in sorted(needs(resource, staying))
        ]
        problems += [
            Problem(f"resource {name!r}: needs {section[:-1].lower()} {each!r}, which {to} does not have like that")
            for section, each in sorted(spread({name: resource}, now, _SECTIONS))
            if there.get(section, {}).get(each) != now[section][each]
        ]
    outputs = {f"output {name}": output for name, output in now.get("Outputs", {}).items()}
    for name, node in {**staying, **outputs}.items():
        problems += [
            Problem(f"resource {each!r}: {name} of {stack.name} needs it; move that too, or deploy without it first")
            for each in sorted(needs(node, moving))
        ]
    if not staying:
        problems.append(Problem(f"stack {stack.name!r}: must keep one resource or more; leave one out"))
    return problems


def _moved(now: Template, there: Template, names: Mapping[str, str], stack: str, to: str) -> dict[str, Template]:
    """Return the templates of both stacks after the move."""
    moving = {"Resources": {name: resource for name, resource in now["Resources"].items() if name in names}}
    rest = {name: resource for name, resource in now["Resources"].items() if name not in names}
    head = {key: now[key] for key in ("AWSTemplateFormatVersion",) if key in now}
    return {
        stack: {**now, "Resources": rest},
        to: {**head, **there, "Resources": {**there["Resources"], **renamed(moving, names)["Resources"]}},
    }


def _describe(run: Run, refactor: str) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = run.cloudformation.read(
        "describe_stack_refactor", StackRefactorId=refactor, patience=run.options.offline
    )
    return answer


def _wait_until_made(run: Run, stack: str, refactor: str) -> None:
    pause = _FASTEST
    while (answer := _describe(run, refactor))["Status"] == "CREATE_IN_PROGRESS":
        if run.stop.requested:
            raise InterruptError(f"stack {stack!r}: stopped before anything was renamed")
        run.clock.sleep(pause)
        pause = min(pause * 1.5, _SLOWEST)
    if answer["Status"] != "CREATE_COMPLETE":
        reason = run.redact(answer.get("StatusReason", answer["Status"]))
        raise DeployError(f"stack {stack!r}: CloudFormation cannot rename: {reason}; nothing was changed")


def _told(run: Run, refactor: str, moves: tuple[Move, ...]) -> RenamePlan:
    """Return what CloudFormation says that it will do."""
    actions: list[Mapping[str, Any]] = []
    token: dict[str, Any] = {}
    while True:
        page = run.cloudformation.read("list_stack_refactor_actions", StackRefactorId=refactor, **token)
        actions += page.get("StackRefactorActions", ())
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    types = {(move.stack, move.resource): move.type for move in moves}
    found = []
    for action in actions:
        if action.get("Entity") == "RESOURCE" and "ResourceMapping" in action:
            source, target = action["ResourceMapping"]["Source"], action["ResourceMapping"]["Destination"]
            place = source["StackName"], source["LogicalResourceId"]
            found.append(
                Move(
                    *place,
                    target["StackName"],
                    target["LogicalResourceId"],
                    types.get(place, ""),
                    action.get("PhysicalResourceId", ""),
                )
            )
    return RenamePlan(
        refactor,
        run.cloudformation.region,
        tuple(found) or moves,
        tuple(sorted({move.to_stack for move in moves}) if any(each["Action"] == "CREATE" for each in actions) else ()),
        sum(len(action.get("TagResources", ())) + len(action.get("UntagResources", ())) for action in actions),
    )


def _start(run: Run, stack: str, refactor: str) -> None:
    """Execute the refactor once, whatever happens to the answer."""
    while True:
        try:
            run.cloudformation.write("execute_stack_refactor", StackRefactorId=refactor)
        except DoubtError as error:
            run.note(stack, f"no answer from CloudFormation ({error}); looking what happened")
        except ServiceError as error:
            if is_busy(error) and "EXECUTE_" not in error.message:
                raise StaleError(f"stack {stack!r}: {error.message}; wait for that, and run it again") from None
            if _describe(run, refactor).get("ExecutionStatus") in {"AVAILABLE", "UNAVAILABLE"}:
                raise
            return
        else:
            return
        status = _describe(run, refactor).get("ExecutionStatus")
        if status == "OBSOLETE":
            raise StaleError(f"stack {stack!r}: was changed meanwhile; run it again")
        if status != "AVAILABLE":
            return
        run.clock.sleep(_FASTEST)


def _stuck(stack: str, what: str) -> StuckError:
    return StuckError(f"stack {stack!r}: {what}; look at the events: archlib events {stack}")
