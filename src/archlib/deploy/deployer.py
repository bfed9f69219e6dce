"""Plan and carry out many stacks at once."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy import operation, parameters
from archlib.deploy.artifacts import Uploads
from archlib.deploy.aws import Aws, Identity
from archlib.deploy.calls import Calls, ServiceError
from archlib.deploy.changesets import ReplanError, discard, make
from archlib.deploy.clock import Clock, Stop, SystemClock
from archlib.deploy.cloudformation import CloudFormation
from archlib.deploy.compare import compare, with_values
from archlib.deploy.guards import check_account, check_losses
from archlib.deploy.journal import Journal, state_folder
from archlib.deploy.limiter import AWS, LOCAL, Limiter
from archlib.deploy.models import UPDATABLE, Failure, StackResult, StackState
from archlib.deploy.operation import Approval, Job
from archlib.deploy.plan import Plan, StackPlan
from archlib.deploy.redact import Redactor, secret_texts
from archlib.deploy.reporter import Ended, Reporter, SilentReporter
from archlib.deploy.run import PREFIX, Options, Run
from archlib.deploy.settle import stuck
from archlib.deploy.stateful import loses_data, widens
from archlib.deploy.walk import walk
from archlib.errors import ArchlibError, AwsError, DeployError, GuardError, InterruptError, Problem, StaleError

_CAPABILITIES = {"AWS::IAM::": "CAPABILITY_NAMED_IAM", "AWS::CloudFormation::Stack": "CAPABILITY_AUTO_EXPAND"}
_PREFIX_LISTS = {
    "s3": "com.amazonaws.{region}.s3",
    "dynamodb": "com.amazonaws.{region}.dynamodb",
    "cloudfront": "com.amazonaws.global.cloudfront.origin-facing",
}
_A_MOMENT = 60.0
"""Seconds for which what was read while planning is not read again."""


@dataclass(frozen=True)
class Deployment:
    """What became of the stacks of a run.

    Attributes:
        results: of the stacks that are as they should be.
        errors: of those that are not.
        skipped: names of the stacks that were not touched, because one they need failed.
        seconds: how long it took.
    """

    results: Mapping[str, StackResult]
    errors: Mapping[str, ArchlibError] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def outputs(self) -> dict[str, Mapping[str, str]]:
        """Return the outputs of the stacks by their names."""
        return {name: result.outputs for name, result in self.results.items()}

    @property
    def told(self) -> dict[str, str]:
        """Return the outputs that are for people, as ``stack.Output`` -> value."""
        return {
            f"{name}.{key}": value
            for name, result in self.results.items()
            for key, value in result.shown.items()
            if result.told is None or key in result.told
        }


class Deployer:
    """Carries the stacks of one app into one account; its methods can be called one after the other.

    Args:
        target: where to, and under which rules.
        aws: the account; None: what ``target`` and the environment say.
        reporter: who is told and asked.
        options: how it behaves.
        clock: what waits.
        stop: asks for an early end.
        journal: folder for what was about to happen; None: in the user's state folder.
        limiters: pace of each account and region; share it between deployers of one process.

    Raises:
        CredentialsError: there are no credentials or no region.
    """

    def __init__(
        self,
        *,
        target: Target | None = None,
        aws: Aws | None = None,
        reporter: Reporter | None = None,
        options: Options | None = None,
        clock: Clock | None = None,
        stop: Stop | None = None,
        journal: Path | None = None,
        limiters: dict[tuple[str, str], Limiter] | None = None,
    ) -> None:
        self.target = target or Target()
        self.aws = aws or Aws(
            region=self.target.region, profile=self.target.profile, assume_role=self.target.assume_role
        )
        self.reporter = reporter or SilentReporter()
        self.options = options or Options()
        self.stop = stop or Stop()
        self.clock = clock or SystemClock(self.stop)
        self.redact = Redactor()
        self._journal = journal or state_folder()
        self._limiters = {} if limiters is None else limiters
        self._runs: dict[str, Run] = {}
        self._uploads: dict[str, Uploads] = {}
        self._lists: dict[tuple[str, str], str] = {}
        self._unchanged: dict[str, tuple[float, StackResult]] = {}
        self._lock = threading.RLock()

    @property
    def identity(self) -> Identity:
        """Return whose account it is."""
        return self.aws.identity()

    def run(self, region: str | None = None) -> Run:
        """Return what the work in ``region`` shares."""
        where = region or self.aws.region
        with self._lock:
            if where not in self._runs:
                account = self.identity.account
                limiter = self._limiters.setdefault(
                    (account, where), Limiter(self.clock, rate=LOCAL if self.aws.endpoint else AWS)
                )
                note = partial(self._note, "")
                calls = Calls(
                    self.aws, region=where, limiter=limiter, clock=self.clock, stop=self.stop, note=note,
                    redact=self.redact,
                )  # fmt: skip
                self._runs[where] = Run(
                    CloudFormation(calls),
                    self.clock,
                    self.stop,
                    self.reporter,
                    Journal(self._journal / f"{account}-{where}", note),
                    self.options,
                    self.target,
                    self.redact,
                )
            return self._runs[where]

    def plan(self, stacks: Sequence[StackArtifact], *, upload: bool = False) -> Plan:
        """Return what deploying ``stacks`` would do; nothing is changed, except that change sets are made.

        Call :meth:`discard` if the plan is not carried out.

        Args:
            stacks: dependencies first.
            upload: also upload code, so that the plan can be carried out somewhere else.

        Raises:
            GuardError: the account or the region is not the target's.
            StuckError: a stack is in a state from which it cannot be changed.
            DeployError: CloudFormation refuses a change.
            SettingsError: a parameter is missing.
        """
        check_account(self.target, self.identity, self.aws.region)
        self._learn_secrets(stacks)
        states = {stack.name: self.run(stack.region).cloudformation.stack(stack.name) for stack in stacks}
        existing = {name: state is not None for name, state in states.items()}
        parameters.check_given(stacks, self.target.parameters, existing)
        walked = walk(_graph(stacks), partial(self._plan_stack, stacks, states), workers=self.options.workers)
        if walked.errors:
            for plan in walked.results.values():
                self._discard(plan)
            raise _together(_as_ours(walked.errors))
        if upload:
            for stack in stacks:
                for asset in stack.assets:
                    self.uploads(stack.region).asset(asset)
        tags = stacks[0].tags if stacks else {}
        return Plan(
            app=tags.get("app", ""),
            environment=tags.get("environment", ""),
            account=self.identity.account,
            region=self.aws.region,
            stacks=tuple(walked.results[stack.name] for stack in stacks),
            artifacts=tuple(stacks),
            target=replace(self.target, parameters=self._public_parameters(stacks)),
        )

    def discard(self, plan: Plan) -> None:
        """Delete the change sets of a plan that is not carried out."""
        for stack in plan.stacks:
            self._discard(stack)

    def execute(self, plan: Plan, *, binding: bool = True) -> Deployment:
        """Carry ``plan`` out.

        A stack starts as soon as those it needs are done. When one fails, those behind it are skipped, and the rest
        still runs.

        Args:
            plan: from :meth:`plan`, or one that was kept.
            binding: refuse whatever is not in the plan; otherwise the guards alone decide.

        Raises:
            ArchlibError: one or more stacks failed; of the class of the worst failure. Its ``deployment`` tells what
                became of each stack.
        """
        check_account(self.target, self.identity, self.aws.region)
        if plan.account != self.identity.account or plan.region != self.aws.region:
            message = f"plan: is for {plan.account} in {plan.region}"
            raise GuardError(f"{message}, got {self.identity.account} in {self.aws.region}; log in to the right one")
        if sorted(stack.stack for stack in plan.stacks) != sorted(stack.name for stack in plan.artifacts):
            raise StaleError("plan: its stacks are not those that it would deploy; plan again")
        self._learn_secrets(plan.artifacts)
        if not plan.empty:
            self.check_confirmed()
        elif found := self._found_unchanged(plan):
            return found
        existing = {stack.stack: stack.action not in {"create", "recreate"} for stack in plan.stacks}
        parameters.check_given(plan.artifacts, self.target.parameters, existing)
        check_losses(plan, allow=self.options.allow)
        if binding:
            for stack in plan.stacks:
                operation.check_identity(self.run(stack.region).cloudformation.stack(stack.stack), stack)
        approvals = {stack.stack: Approval(stack, binding) for stack in plan.stacks}
        return self._carry(plan.artifacts, approvals)

    def deploy(self, stacks: Sequence[StackArtifact]) -> Deployment:
        """Bring ``stacks`` to what they should be, without showing a plan first; the guards hold.

        Raises:
            ArchlibError: see :meth:`execute`.
        """
        self.check_confirmed()
        check_account(self.target, self.identity, self.aws.region)
        self._learn_secrets(stacks)
        return self._carry(stacks, {})

    def uploads(self, region: str | None = None) -> Uploads:
        """Return the bucket for assets in ``region``."""
        run = self.run(region)
        where = run.cloudformation.region
        with self._lock:
            if where not in self._uploads:
                self._uploads[where] = Uploads(self.aws, region=where, cloudformation=run.cloudformation)
            return self._uploads[where]

    def work(
        self,
        graph: Mapping[str, AbstractSet[str]],
        do: Callable[[str], StackResult],
        *,
        finish: Callable[[str, StackResult], StackResult] = lambda _, result: result,
    ) -> Deployment:
        """Do something to each stack after those it depends on, and tell what became of each.

        When one fails, those behind it are skipped, and the rest still runs.

        Args:
            graph: name of each stack -> names of those before it.
            do: called with the name, in a worker thread.
            finish: called at the end, for what others did not have to wait for.

        Raises:
            ArchlibError: one or more stacks failed; see :meth:`execute`.
        """
        began, tell = self.clock.now(), self.run().tell

        def one(name: str) -> StackResult:
            try:
                result = do(name)
            except ArchlibError as error:
                tell(Ended(name, failure=getattr(error, "failure", None), text=str(error)))
                raise
            tell(Ended(name, result))
            return result

        walked = walk(graph, one, workers=self.options.workers)
        results = {name: finish(name, result) for name, result in walked.results.items()}
        for name, needs in walked.skipped.items():
            tell(Ended(name, text=f"skipped: {', '.join(sorted(needs))} failed"))
        errors = _as_ours(walked.errors)
        deployment = Deployment(results, errors, tuple(walked.skipped), self.clock.now() - began)
        if errors:
            error = _together(errors)
            error.deployment = deployment
            raise error
        return deployment

    def _found_unchanged(self, plan: Plan) -> Deployment | None:
        """Return that nothing is to do, if every stack was looked at a moment ago, and found as it should be."""
        now = self.clock.now()
        found = {stack.stack: self._unchanged.get(stack.stack) for stack in plan.stacks}
        results = {name: each[1] for name, each in found.items() if each and now - each[0] < _A_MOMENT}
        return Deployment(results) if results and results.keys() == found.keys() else None

    # One stack

    def job(self, stack: StackArtifact) -> Job:
        """Return ``stack`` ready to be sent, with the values that other stacks have now.

        Raises:
            AwsError: it needs a value that does not exist yet.
        """
        return self._job(stack, {}, {})

    def _carry(self, stacks: Sequence[StackArtifact], approvals: Mapping[str, Approval]) -> Deployment:
        by_name = {stack.name: stack for stack in stacks}
        done: dict[str, Mapping[str, str]] = {}
        moved: set[str] = set()

        def deploy(name: str) -> StackResult:
            stack = by_name[name]
            job = self._job(stack, by_name, done)
            approval = approvals.get(name)
            if approval and stack.depends_on & moved:
                approval = replace(approval, moved=True)
            result = operation.deploy(self.run(stack.region), job, approval=approval)
            done[name] = result.outputs
            if result.action != "unchanged":
                moved.add(name)
            return _for_people(stack, result)

        return self.work(_graph(stacks), deploy, finish=lambda name, result: self._finish(by_name[name], result))

    def _finish(self, stack: StackArtifact, result: StackResult) -> StackResult:
        """Wait for what others did not have to wait for."""
        if not result.cleaning:
            return result
        try:
            late = operation.finish(self.run(stack.region), stack.name, result.cleaning)
        except ArchlibError as error:
            # The new version is in place; only the deletion of the old one was not seen to its end.
            self.run(stack.region).note(stack.name, f"is still deleting what was replaced: {error}")
            return result
        return replace(result, orphans=(*result.orphans, *late), cleaning="")

    def _job(
        self, stack: StackArtifact, stacks: Mapping[str, StackArtifact], done: Mapping[str, Mapping[str, str]]
    ) -> Job:
        def outputs(name: str) -> Mapping[str, str] | None:
            if name in done:
                return done[name]
            other = stacks.get(name)
            state = self.run(other.region if other else stack.region).cloudformation.stack(name)
            return state.outputs if state else None

        values, unknown = self._parameters(stack, outputs)
        if unknown:
            sources = [stack.parameters[name] for name in sorted(unknown)]
            named = ", ".join(f"{source.output} of {source.stack}" for source in sources)
            raise AwsError(f"stack {stack.name!r}: needs {named}, which does not exist; deploy that stack first")
        for asset in stack.assets:
            self.uploads(stack.region).asset(asset)
        return self._make_job(stack, values)

    def _make_job(self, stack: StackArtifact, values: Mapping[str, str | None]) -> Job:
        hidden = parameters.secrets(stack)
        shown = {name: value for name, value in values.items() if name not in hidden}
        content = json.dumps([stack.template, shown, dict(stack.tags)], sort_keys=True)
        return Job(
            stack,
            self.uploads(stack.region).template(stack.template),
            values,
            hidden,
            _capabilities(stack),
            hashlib.sha256(content.encode()).hexdigest(),
        )

    def _parameters(self, stack: StackArtifact, outputs: Any) -> tuple[dict[str, str | None], frozenset[str]]:
        return parameters.resolve(
            stack,
            outputs=outputs,
            bucket=self.uploads(stack.region).bucket,
            prefix_list=partial(self._prefix_list, stack.region or self.aws.region),
            values=self.target.parameters,
        )

    def _plan_stack(
        self, stacks: Sequence[StackArtifact], states: Mapping[str, StackState | None], name: str
    ) -> StackPlan:
        stack = next(each for each in stacks if each.name == name)
        run, state = self.run(stack.region), states[name]

        def outputs(other: str) -> Mapping[str, str] | None:
            known = states[other] if other in states else run.cloudformation.stack(other)
            return known.outputs if known and known.status in UPDATABLE else None

        region = run.cloudformation.region
        values, unknown = self._parameters(stack, outputs)
        if state is None or state.status in {
            "REVIEW_IN_PROGRESS",
            "ROLLBACK_COMPLETE",
            "ROLLBACK_FAILED",
            "DELETE_COMPLETE",
        }:
            action = "recreate" if state and state.status.startswith("ROLLBACK") else "create"
            added = compare({}, stack)
            known = (state.id, state.changed) if state and action == "recreate" else ("", "")
            return self._told(stack, {}, StackPlan(name, region, action, added, True, "", *known))  # type: ignore[arg-type]
        if state.busy:
            note = f"somebody else is working on it ({state.status}): the changes may be others when they are done"
            return self._estimate(run, stack, state, (note,))
        if state.status not in UPDATABLE:
            if state.status in {"CREATE_FAILED", "UPDATE_FAILED"}:
                return self._estimate(run, stack, state, (f"it is {state.status} and will be rolled back first",))
            raise stuck(state)
        if unknown:
            sources = sorted({stack.parameters[each].stack for each in unknown})
            return self._estimate(run, stack, state, (f"needs values of {', '.join(sources)} that do not exist yet",))
        job = self._make_job(stack, values)
        if operation.is_unchanged(run, job, state):
            if not self.target.stack_policy and (state.protected or not self.target.protected):
                self._unchanged[name] = (
                    self.clock.now(),
                    _for_people(stack, StackResult(name, "unchanged", state.outputs)),
                )
            return StackPlan(name, region, "none", stack_id=state.id, changed=state.changed, content=job.content)
        return self._ask(run, job, state)

    def _ask(self, run: Run, job: Job, state: StackState) -> StackPlan:
        """Plan an update by a change set."""
        stack, region = job.artifact, run.cloudformation.region
        name = f"{PREFIX}-plan-{job.content[:24]}-{run.token('x')[-8:]}"
        try:
            found = make(run, job.request(run, state, name=name), full=True)
        except ReplanError as error:
            return self._estimate(run, stack, state, (f"somebody else is working on it ({error})",))
        except ServiceError as error:
            raise operation.failed(Failure(stack.name, "", "", error.message, next="run: archlib check"), run) from None
        if run.stop.requested:
            discard(run, found.id)
            raise InterruptError(f"stack {stack.name!r}: stopped before anything was changed")
        plan = StackPlan(stack.name, region, "none", stack_id=state.id, changed=state.changed, content=job.content)
        if found.status == "FAILED":
            # Once it is deleted, nobody can be asked any more.
            empty = run.cloudformation.empty(found)
            failure = None if empty else operation.why_failed(run, stack.name, found, stack.origins)
            discard(run, found.id)
            if failure is not None:
                raise operation.failed(failure, run)
            return plan
        before = run.cloudformation.template(state.id)
        changes = with_values(found.changes, before, stack)
        planned = replace(plan, action="update", changes=changes, change_set=found.id)
        return self._told(stack, before.get("Resources", {}), planned)

    def _estimate(self, run: Run, stack: StackArtifact, state: StackState, notes: tuple[str, ...]) -> StackPlan:
        """Plan an update from the two templates alone."""
        before = run.cloudformation.template(state.id)
        changes = compare(before, stack)
        plan = StackPlan(
            stack.name, run.cloudformation.region, "update", changes, estimated=True, stack_id=state.id,
            changed=state.changed, notes=notes,
        )  # fmt: skip
        return self._told(stack, before.get("Resources", {}), plan)

    def _told(self, stack: StackArtifact, before: Mapping[str, Any], plan: StackPlan) -> StackPlan:
        """Return ``plan`` with the users' lines, what needs a second look, and without secrets."""
        self.redact.learn(secret_texts(before))
        changes = tuple(
            replace(
                change,
                origin=stack.origins.get(change.resource),
                properties=tuple(
                    replace(
                        each,
                        before=each.before and self.redact.value(each.path, each.before),
                        after=each.after and self.redact.value(each.path, each.after),
                    )
                    for each in change.properties
                ),
            )
            for change in plan.changes
        )
        widened = (widens(change, stack.template["Resources"]) for change in changes)
        return replace(
            plan,
            changes=changes,
            losses=tuple(change.resource for change in changes if loses_data(change, before)),
            widening=tuple(filter(None, widened)) if plan.action == "update" else (),
        )

    # What stacks share

    def _prefix_list(self, region: str, service: str) -> str:
        """Return the id of the list of addresses that AWS manages for ``service``."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        name = _PREFIX_LISTS[service].format(region=region)
        with self._lock:
            if (region, service) not in self._lists:
                try:
                    answer = self.aws.client("ec2", region).describe_managed_prefix_lists(
                        Filters=[{"Name": "prefix-list-name", "Values": [name]}]
                    )
                except (BotoCoreError, ClientError) as error:
                    raise AwsError(f"prefix list {name!r}: cannot be read: {error}") from None
                if not answer["PrefixLists"]:
                    raise AwsError(f"prefix list {name!r}: does not exist in {region}; deploy to another region")
                self._lists[region, service] = answer["PrefixLists"][0]["PrefixListId"]
            return self._lists[region, service]

    def _learn_secrets(self, stacks: Iterable[StackArtifact]) -> None:
        for stack in stacks:
            values = (parameters.given(stack, name, self.target.parameters) for name in parameters.secrets(stack))
            self.redact.learn(value for value in values if value)
            self.redact.learn(parameters.secret_defaults(stack))
            self.redact.learn(secret_texts(stack.template["Resources"]))

    def _public_parameters(self, stacks: Iterable[StackArtifact]) -> dict[str, str]:
        """Return what the user gave for parameters, without what must not be shown."""
        hidden = {
            each for stack in stacks for name in parameters.secrets(stack) for each in (name, f"{stack.name}.{name}")
        }
        return {name: value for name, value in self.target.parameters.items() if name not in hidden}

    def check_confirmed(self) -> None:
        """Refuse to change a protected environment that the user did not name.

        Raises:
            GuardError: it was not named.
        """
        if self.target.protected and not self.options.confirmed:
            raise GuardError("the environment is protected; name the app to go on: --confirm NAME")

    def _discard(self, plan: StackPlan) -> None:
        if not plan.change_set:
            return
        run = self.run(plan.region)
        try:
            found = run.cloudformation.change_set(plan.change_set)
        except AwsError as error:
            run.note(plan.stack, f"its change set could not be deleted: {error}")
            return
        if found is None or found.execution.startswith("EXECUTE_"):
            return
        if plan.action == "import":  # which may have made a stack only to hold it
            operation.drop(run, plan.stack, found, shell=not plan.changed)
        else:
            discard(run, plan.change_set)

    def _note(self, stack: str, text: str) -> None:
        self.run().note(stack, text)


def _for_people(stack: StackArtifact, result: StackResult) -> StackResult:
    """Return ``result`` with what of its outputs is for people, and what is for nobody."""
    return replace(result, told=stack.results, secret=parameters.secret_outputs(stack.template))


def _graph(stacks: Iterable[StackArtifact]) -> dict[str, frozenset[str]]:
    names = {stack.name: stack for stack in stacks}
    return {name: stack.depends_on & names.keys() for name, stack in names.items()}


def _capabilities(stack: StackArtifact) -> tuple[str, ...]:
    """Return what CloudFormation wants to be told that the template does."""
    types = {str(resource.get("Type", "")) for resource in stack.template["Resources"].values()}
    needed = {
        capability for prefix, capability in _CAPABILITIES.items() if any(each.startswith(prefix) for each in types)
    }
    if "Transform" in stack.template or '"Fn::Transform"' in json.dumps(stack.template):
        needed.add("CAPABILITY_AUTO_EXPAND")
    if "CAPABILITY_AUTO_EXPAND" in needed:
        needed.add("CAPABILITY_NAMED_IAM")  # what is nested may have roles
    return tuple(sorted(needed))


def _as_ours(errors: Mapping[str, Exception]) -> dict[str, ArchlibError]:
    """Return the errors of stacks; what is none of ours is a mistake in archlib and goes up at once."""
    ours = {}
    for name, error in errors.items():
        if not isinstance(error, ArchlibError):
            error.add_note(f"while working on stack {name}")
            raise error
        ours[name] = error
    return ours


_WORST_FIRST = (21, 20, 75, 14, 12, 1, 130)


def _together(errors: Mapping[str, ArchlibError]) -> ArchlibError:
    """Return all ``errors`` as one of the class of the worst."""
    worst = min(errors.values(), key=lambda error: _WORST_FIRST.index(error.exit_code))
    problems = [problem for error in errors.values() for problem in error.problems]
    together = type(worst).__new__(type(worst))
    ArchlibError.__init__(together, [Problem(*problem) for problem in problems])
    if isinstance(worst, DeployError) and isinstance(together, DeployError):
        together.failure = worst.failure
    return together
