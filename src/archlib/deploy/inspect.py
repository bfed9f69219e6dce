"""Look at stacks: how they are, what happened to them, what they give, and why the last change failed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from archlib.core.origin import Origin
from archlib.deploy import past
from archlib.deploy.deployer import Deployer
from archlib.deploy.diagnose import STATES, diagnose
from archlib.deploy.evidence import gather
from archlib.deploy.existing import Named
from archlib.deploy.models import Failure, StackEvent, StackState
from archlib.deploy.operation import why_failed
from archlib.deploy.parameters import secret_outputs
from archlib.deploy.redact import MASK, is_secret_name
from archlib.deploy.run import Run
from archlib.deploy.watch import History
from archlib.errors import AwsError

T = TypeVar("T")
_PAGES = 10


@dataclass(frozen=True, slots=True)
class StackStatus:
    """How a stack is.

    Attributes:
        stack: its name.
        region: where.
        status: CloudFormation's word; empty if there is no such stack.
        reason: why it is so, if CloudFormation says.
        changed: when it last changed, ISO 8601.
        drift: what the last detection of drift found, such as ``IN_SYNC``; ``NOT_CHECKED`` if there was none.
        protected: termination protection is on.
        waiting: logical ids of what CloudFormation is working on.
        next: what to do, if it cannot stay like that.
    """

    stack: str
    region: str
    status: str = ""
    reason: str = ""
    changed: str = ""
    drift: str = ""
    protected: bool = False
    waiting: tuple[str, ...] = ()
    next: str = ""

    @property
    def stuck(self) -> bool:
        """Return whether something failed that was not put back."""
        return self.status.endswith("_FAILED")


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a stack.

    Attributes:
        stack: name of the stack.
        name: its name there.
        value: ``****`` if it is a secret.
        secret: it is a secret by its name, or shows a parameter with NoEcho.
    """

    stack: str
    name: str
    value: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """Return the name of the environment variable: ``SHOP_DEV_APP_URL``."""
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", f"{self.stack}_{self.name}")
        return re.sub(r"[^A-Za-z0-9]+", "_", words).upper()


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs of stacks, in the order in which they were asked for."""

    rows: tuple[Output, ...]

    def to_data(self) -> dict[str, dict[str, str]]:
        """Return them as plain data: stack -> name -> value."""
        data: dict[str, dict[str, str]] = {}
        for row in self.rows:
            data.setdefault(row.stack, {})[row.name] = row.value
        return data

    def to_env(self) -> str:
        """Return them as a file that a shell can read; secrets are left out."""
        return "".join(
            f"# {row.variable} is a secret and left out\n"
            if row.secret
            else f"{row.variable}={shlex.quote(row.value)}\n"
            for row in self.rows
        )


def status(deployer: Deployer, stacks: Sequence[Named]) -> tuple[StackStatus, ...]:
    """Return how ``stacks`` are, of a file or names."""

    def look(stack: Named) -> StackStatus:
        run = deployer.run(stack.region)
        region, state = run.cloudformation.region, run.cloudformation.stack(stack.name)
        if state is None:
            return StackStatus(stack.name, region)
        resources = run.cloudformation.resources(state.id) if state.busy else ()
        advice = STATES[state.status][1] if state.status in STATES else ""
        return StackStatus(
            state.name,
            region,
            state.status,
            run.redact(state.reason),
            state.changed,
            state.drift,
            state.protected,
            tuple(each.id for each in resources if each.status.endswith("_IN_PROGRESS")),
            advice.replace("{stack}", state.name),
        )

    return _each(deployer, stacks, look)


def events(
    run: Run, stack: str, *, limit: int = 100, failed_only: bool = False, nested: bool = True
) -> tuple[StackEvent, ...]:
    """Return the last events of a stack, oldest first.

    Args:
        run: of the region.
        stack: name or ARN; also of a stack that was deleted in the last 90 days.
        limit: how many.
        failed_only: only of what failed.
        nested: those of stacks nested in it, too.

    Raises:
        AwsError: there is no such stack.
    """
    history = History(_find(run, stack).id)
    read: set[str] = set()
    while todo := [arn for arn in history.stacks if arn not in read]:
        read.add(todo[0])
        history.add(run.cloudformation.events(todo[0], pages=_PAGES))
        if not nested:
            break
    wanted = [event for event in history.events if event.failed or not failed_only]
    return tuple(sorted(wanted, key=lambda event: event.time)[-limit:])


def outputs(deployer: Deployer, stacks: Sequence[Named]) -> Outputs:
    """Return the outputs of ``stacks``, of a file or names, without secrets; those that do not exist have none."""

    def look(stack: Named) -> tuple[Output, ...]:
        run = deployer.run(stack.region)
        state = run.cloudformation.stack(stack.name)
        if state is None or not state.outputs:
            return ()
        hidden = secret_outputs(run.cloudformation.template(state.id))
        return tuple(
            Output(state.name, name, MASK, secret=True)
            if name in hidden or is_secret_name(name)
            else Output(state.name, name, run.redact(value))
            for name, value in sorted(state.outputs.items())
        )

    return Outputs(tuple(row for rows in _each(deployer, stacks, look) for row in rows))


def explain_failure(run: Run, stack: str, *, origins: Mapping[str, Origin] | None = None) -> Failure | None:
    """Return why the last change of a stack that failed did so, or None if none did as far as AWS remembers.

    Args:
        run: of the region.
        stack: name or ARN; also of a stack that was deleted in the last 90 days.
        origins: logical id -> the user's line, where there is a file.

    Raises:
        AwsError: there is no such stack.
    """
    state = _find(run, stack)
    operation = past.last(run, state.id, failed=True)
    refused = _refused(run, state, operation.history.events[-1].time if operation else 0.0)
    if refused is not None:
        found = run.cloudformation.change_set(refused)
        if found is not None:
            failure = why_failed(run, state.name, found, origins or {})
            return _shown(run, failure)
    if operation is None:
        return None
    evidence = gather(run, operation.history.events, status=operation.status)
    failure = diagnose(
        state.name, operation.history.events, status=operation.status, origins=origins, evidence=evidence
    )
    return _shown(run, failure)


def _shown(run: Run, failure: Failure) -> Failure:
    return replace(failure, reason=run.redact(failure.reason), others=tuple(map(run.redact, failure.others)))


def _refused(run: Run, state: StackState, since: float) -> str | None:
    """Return the ARN of the newest change set that could not be made after ``since``, if there is one."""
    if state.status == "DELETE_COMPLETE":
        return None
    failed = [
        item
        for item in run.cloudformation.change_sets(state.id)
        if item.get("Status") == "FAILED" and isinstance(item.get("CreationTime"), datetime)
    ]
    told = [item for item in failed if not run.cloudformation.nothing_to_do(item.get("StatusReason", ""))]
    newest = max(told, key=lambda item: item["CreationTime"], default=None)
    return str(newest["ChangeSetId"]) if newest and newest["CreationTime"].timestamp() > since else None


def _find(run: Run, stack: str) -> StackState:
    """Return the stack, also one that was deleted."""
    state = run.cloudformation.stack(stack)
    if state is None and (arn := run.cloudformation.deleted(stack)):
        state = run.cloudformation.stack(arn)
    if state is None:
        region = run.cloudformation.region
        raise AwsError(f"stack {stack!r}: does not exist in {region}; correct the name, or give its --region")
    return state


def _each(deployer: Deployer, stacks: Sequence[Named], look: Callable[[Named], T]) -> tuple[T, ...]:
    with ThreadPoolExecutor(deployer.options.workers) as pool:
        return tuple(pool.map(look, stacks))
