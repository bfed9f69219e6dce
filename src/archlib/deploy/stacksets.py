"""Stack sets: the same stack in many accounts and regions of an organization."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Literal

from archlib.core.artifact import StackArtifact
from archlib.deploy.calls import DoubtError, ServiceError, UnreachableError
from archlib.deploy.cloudformation import is_absent, is_waiting
from archlib.deploy.deployer import Deployer
from archlib.deploy.guards import check_account
from archlib.deploy.operation import Job
from archlib.deploy.plan import adapter
from archlib.deploy.run import Run
from archlib.errors import DeployError, GuardError, InterruptError, Problem, RunningError, SettingsError

SCHEMA_VERSION = 1
_ACCOUNT = re.compile(r"\d{12}")
_OU = re.compile(r"ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32}")
_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_FASTEST, _SLOWEST = 5.0, 30.0
_APPEARS = 30.0
_LATE_READS = 6
_WRITE_PATIENCE = 120.0
_ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})

Where = tuple[str, str]
"""An account, or an organizational unit, and a region."""


@dataclass(frozen=True, slots=True)
class StackSetTarget:
    """Where the stacks of a stack set go, and how.

    With organizational units, AWS Organizations gives the rights (``SERVICE_MANAGED``); with accounts alone, two roles
    that exist there do (``SELF_MANAGED``).

    Attributes:
        name: of the stack set.
        regions: where, in this order.
        accounts: twelve digits each; together with ``ous``: only these of their accounts.
        ous: ids of organizational units, or of the root.
        auto_deployment: accounts that join the units get the stack, and those that leave lose it; only with ``ous``.
        retain: accounts that leave the units keep the stack.
        delegated_admin: the caller is not in the management account, but in one that was made administrator.
        failure_tolerance_percent: of the accounts of a region, 0-100, that may fail before the rest is given up.
        max_concurrent_percent: of the accounts of a region, 1-100, that are worked on at a time.
        concurrency: ``STRICT_FAILURE_TOLERANCE`` never works on more accounts than may fail, and one; ``SOFT`` does.
        administration_role: ARN of the role that takes on the roles in the accounts; only without ``ous``.
        execution_role: name of the roles in the accounts; only without ``ous``.

    Raises:
        SettingsError: a value cannot work.
    """

    name: str
    regions: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    ous: tuple[str, ...] = ()
    auto_deployment: bool = True
    retain: bool = False
    delegated_admin: bool = False
    failure_tolerance_percent: int = 0
    max_concurrent_percent: int = 25
    concurrency: Literal["STRICT_FAILURE_TOLERANCE", "SOFT_FAILURE_TOLERANCE"] = "STRICT_FAILURE_TOLERANCE"
    administration_role: str | None = None
    execution_role: str | None = None

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise SettingsError(problems)

    @property
    def model(self) -> Literal["SELF_MANAGED", "SERVICE_MANAGED"]:
        """Return who gives the rights."""
        return "SERVICE_MANAGED" if self.ous else "SELF_MANAGED"

    @property
    def call_as(self) -> dict[str, str]:
        """Return as whom calls are made."""
        return {"CallAs": "DELEGATED_ADMIN"} if self.delegated_admin else {}

    @property
    def preferences(self) -> dict[str, Any]:
        """Return how an operation goes on."""
        return {
            "RegionOrder": list(self.regions),
            "FailureTolerancePercentage": self.failure_tolerance_percent,
            "MaxConcurrentPercentage": self.max_concurrent_percent,
            "ConcurrencyMode": self.concurrency,
        }


@dataclass(frozen=True, slots=True)
class InstanceResult:
    """What became of the stack in one account and region.

    Attributes:
        account: twelve digits.
        region: where.
        status: ``SUCCEEDED``, ``FAILED``, ``CANCELLED`` ...
        reason: why.
    """

    account: str
    region: str
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StackSetResult:
    """What became of a stack set.

    Attributes:
        name: its name.
        action: what was done.
        instances: the stacks that were worked on, each with its last result.
        surplus: accounts (or organizational units) and regions that have the stack, but should not.
    """

    name: str
    action: Literal["created", "updated", "unchanged", "deleted", "absent"]
    instances: tuple[InstanceResult, ...] = ()
    surplus: tuple[Where, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return it as plain data, with a ``schema_version``."""
        return {"schema_version": SCHEMA_VERSION, **adapter(StackSetResult).dump_python((self,), mode="json")[0]}

    def to_text(self) -> str:
        """Return it for people to read."""
        rows = [f"  {each.account} {each.region}  {each.status}  {each.reason}".rstrip() for each in self.instances]
        left = [f"  {who} {region}  has it, but should not; take it away with --remove" for who, region in self.surplus]
        return "\n".join([f"{self.name}: {self.action}", *rows, *left])


def deploy_stack_set(
    deployer: Deployer, stack: StackArtifact, target: StackSetTarget, *, remove: bool = False
) -> StackSetResult:
    """Bring a stack into all accounts and regions of ``target``.

    Args:
        deployer: of the management account, or of one that administrates stack sets.
        stack: the stack.
        target: where to.
        remove: also delete the stack where it should no longer be; otherwise that is only told.

    Raises:
        DeployError: it failed in more accounts than may fail; each is told, and ``deployment`` has all results.
        SettingsError: the stack cannot be in other accounts: it needs code, or values, of this one.
        RunningError: nobody watches any more, or somebody else does not come to an end.
    """
    deployer.check_confirmed()
    check_account(deployer.target, deployer.identity, deployer.aws.region)
    _check_portable(stack)
    work = _Work(deployer.run(stack.region), target.name, target.call_as)
    job = deployer.job(stack)
    definition = _definition(stack, job, target)
    current = work.describe()
    action: Literal["created", "updated", "unchanged"] = "unchanged"
    if current is None:
        work.create(definition)
        action = "created"
    elif _differs(current, stack, job, target):
        changes = {key: value for key, value in definition.items() if key != "PermissionModel"}
        work.operate("update_stack_set", OperationPreferences=target.preferences, **changes)
        action = "updated"
    surplus = _spread(work, target, work.describe() or {}, remove=remove)
    if work.results and action == "unchanged":
        action = "updated"
    return work.conclude(action, surplus)


def destroy_stack_set(
    deployer: Deployer, name: str, *, retain: bool = False, delegated_admin: bool = False
) -> StackSetResult:
    """Delete a stack set, and its stacks in all accounts and regions.

    Args:
        deployer: of the account that has it.
        name: of the stack set.
        retain: keep the stacks, without the set.
        delegated_admin: the caller is not in the management account.

    Raises:
        DeployError: a stack could not be deleted; the set stays.
        RunningError: nobody watches any more, or somebody else does not come to an end.
    """
    deployer.check_confirmed()
    check_account(deployer.target, deployer.identity, deployer.aws.region)
    work = _Work(deployer.run(), name, {"CallAs": "DELEGATED_ADMIN"} if delegated_admin else {})
    current = work.describe()
    if current is None:
        return StackSetResult(name, "absent")
    model = current.get("PermissionModel", "SELF_MANAGED")
    for who, regions in _groups(_existing(work, model, current)):
        operation = work.operate("delete_stack_instances", **_to(model, who, regions), RetainStacks=retain)
        work.check(operation)
    work.write("delete_stack_set")
    return work.conclude("deleted", ())


def _problems(target: StackSetTarget) -> Iterator[Problem]:
    def problem(field: str, allowed: str, value: object, advice: str = "correct it") -> Problem:
        return Problem(f"stack set {target.name!r}: {field} must be {allowed}, got {value!r}; {advice}", field=field)

    if not _NAME.fullmatch(target.name):
        yield problem("name", "1 to 128 letters, digits and hyphens, a letter first", target.name)
    if not target.regions:
        yield problem("regions", "one or more", list(target.regions), "add a region")
    if not target.accounts and not target.ous:
        yield problem("accounts", "one or more, or ous", [], "say where the stack goes")
    for field, values, form, words in (
        ("accounts", target.accounts, _ACCOUNT, "twelve digits each"),
        ("ous", target.ous, _OU, "ids such as ou-ab12-11111111, or r-ab12 for all"),
    ):
        if wrong := [value for value in values if not form.fullmatch(value)]:
            yield problem(field, words, wrong)
    if not 0 <= target.failure_tolerance_percent <= 100:  # noqa: PLR2004
        yield problem("failure_tolerance_percent", "0 to 100", target.failure_tolerance_percent)
    if not 1 <= target.max_concurrent_percent <= 100:  # noqa: PLR2004
        yield problem("max_concurrent_percent", "1 to 100", target.max_concurrent_percent)
    roles = target.administration_role or target.execution_role
    if target.ous and roles:
        yield problem(
            "administration_role and execution_role", "unset with ous", roles, "AWS Organizations has its own"
        )


def _check_portable(stack: StackArtifact) -> None:
    problems = [
        Problem(f"stack {stack.name!r}: must not have code of its own in a stack set, got {asset.path}; inline it")
        for asset in stack.assets
    ]
    problems += [
        Problem(
            f"stack {stack.name!r}: parameter {name!r} must not come from {source.stack or source.kind} in a stack set"
        )
        for name, source in stack.parameters.items()
        if source.kind != "user"
    ]
    if problems:
        raise SettingsError(problems)


def _definition(stack: StackArtifact, job: Job, target: StackSetTarget) -> dict[str, Any]:
    """Return what the set is made from."""
    optional: dict[str, Any] = {
        "AdministrationRoleARN": target.administration_role,
        "ExecutionRoleName": target.execution_role,
        "AutoDeployment": _auto(target) if target.ous else None,
    }
    return {
        **job.source.parameters(),
        "Description": f"archlib {stack.name}",
        "PermissionModel": target.model,
        "Capabilities": list(job.capabilities),
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in job.parameters.items()
            if value is not None
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        **{key: value for key, value in optional.items() if value is not None},
    }


def _auto(target: StackSetTarget) -> dict[str, bool]:
    if not target.auto_deployment:
        return {"Enabled": False}
    return {"Enabled": True, "RetainStacksOnAccountRemoval": target.retain}


def _differs(current: Mapping[str, Any], stack: StackArtifact, job: Job, target: StackSetTarget) -> bool:
    """Return whether the set, and so each of its stacks, has to be updated; if not sure, it has.

    Raises:
        GuardError: its rights come from somewhere else, which cannot be changed.
    """
    model = current.get("PermissionModel", "SELF_MANAGED")
    if model != target.model:
        message = f"stack set {target.name!r}: is {model}, which cannot become {target.model}"
        raise GuardError(f"{message}; destroy it first, or give another name")
    defaults = {name: each.get("Default") for name, each in stack.template.get("Parameters", {}).items()}
    wanted = {name: job.parameters.get(name) or default for name, default in defaults.items()}
    has = {each["ParameterKey"]: each.get("ParameterValue") for each in current.get("Parameters", ())}
    roles = current.get("AdministrationRoleARN"), current.get("ExecutionRoleName")
    return (
        current.get("TemplateBody") != job.source.body
        or bool(job.secrets)
        or {each["Key"]: each["Value"] for each in current.get("Tags", ())} != dict(stack.tags)
        or has != {name: None if value is None else str(value) for name, value in wanted.items()}
        or any(
            role and role != was
            for role, was in zip((target.administration_role, target.execution_role), roles, strict=True)
        )
        or (bool(target.ous) and dict(current.get("AutoDeployment", {})) != _auto(target))
    )


def _spread(work: _Work, target: StackSetTarget, current: Mapping[str, Any], *, remove: bool) -> tuple[Where, ...]:
    """Create the stacks that are missing, delete those that should not be, and return what was left of those."""
    existing = _existing(work, target.model, current)
    wanted = {(who, region) for who in target.ous or target.accounts for region in target.regions}
    missing = wanted - existing
    if target.ous and target.accounts:
        # Which unit an account is in only AWS knows; what is there already stays as it is.
        have = {(each["Account"], each["Region"]) for each in work.instances()}
        short = any((account, region) not in have for account in target.accounts for region in target.regions)
        missing = wanted if short else set()
    preferences = {"OperationPreferences": target.preferences}
    for who, regions in _groups(missing):
        where = _to(target.model, who, regions, target.accounts if target.ous else ())
        order = [region for region in target.regions if region in regions]
        work.operate(
            "create_stack_instances",
            **{**where, "OperationPreferences": {**target.preferences, "RegionOrder": order}},
        )
    surplus = existing - wanted
    if not remove:
        return tuple(sorted(surplus))
    for who, regions in _groups(surplus):
        rest = {key: value for key, value in preferences["OperationPreferences"].items() if key != "RegionOrder"}
        work.operate(
            "delete_stack_instances",
            **_to(target.model, who, regions),
            RetainStacks=False,
            OperationPreferences=rest,
        )
    return ()


def _existing(work: _Work, model: str, current: Mapping[str, Any]) -> set[Where]:
    """Return where the set is: accounts or organizational units, each with a region."""
    instances = work.instances()
    if model == "SELF_MANAGED":
        return {(each["Account"], each["Region"]) for each in instances}
    found = {(each["OrganizationalUnitId"], each["Region"]) for each in instances if "OrganizationalUnitId" in each}
    # A unit without accounts has no stacks, and is a target all the same.
    empty = set(current.get("OrganizationalUnitIds", ())) - {unit for unit, _ in found}
    return found | {(unit, region) for unit in empty for region in current.get("Regions", ())}


def _groups(places: AbstractSet[Where]) -> list[tuple[list[str], list[str]]]:
    """Return ``places`` as few groups of accounts or units that have the same regions."""
    regions: dict[str, set[str]] = {}
    for who, region in places:
        regions.setdefault(who, set()).add(region)
    groups: dict[tuple[str, ...], list[str]] = {}
    for who, each in sorted(regions.items()):
        groups.setdefault(tuple(sorted(each)), []).append(who)
    return [(who, list(each)) for each, who in groups.items()]


def _to(model: str, who: list[str], regions: list[str], only: Sequence[str] = ()) -> dict[str, Any]:
    if model == "SELF_MANAGED":
        return {"Accounts": who, "Regions": regions}
    targets: dict[str, Any] = {"OrganizationalUnitIds": who}
    if only:
        targets |= {"Accounts": list(only), "AccountFilterType": "INTERSECTION"}
    return {"DeploymentTargets": targets, "Regions": regions}


class _Work:
    """The calls about one stack set, one operation after the other: AWS takes no two at a time."""

    def __init__(self, run: Run, name: str, call_as: Mapping[str, str]) -> None:
        self.results: dict[Where, InstanceResult] = {}
        self._run = run
        self._name = name
        self._who: dict[str, Any] = {"StackSetName": name, **call_as}
        self._failed = ""

    def describe(self) -> Mapping[str, Any] | None:
        """Return the set, or None if there is none."""
        try:
            found: Mapping[str, Any] = self._read("describe_stack_set")["StackSet"]
        except ServiceError as error:
            if is_absent(error):
                return None
            raise
        return found

    def instances(self) -> list[Mapping[str, Any]]:
        """Return the stacks of the set."""
        return list(self._pages("list_stack_instances"))

    def create(self, definition: Mapping[str, Any]) -> None:
        """Make the set, without stacks."""
        token = self._run.token("stackset")
        self._run.cloudformation.write(
            "create_stack_set", repeat=True, **self._who, **definition, ClientRequestToken=token
        )

    def write(self, operation: str, **parameters: Any) -> Any:
        """Change something, once nobody else works on the set."""
        return self._when_free(
            lambda: self._run.cloudformation.write(operation, repeat=True, **self._who, **parameters)
        )

    def operate(self, operation: str, **parameters: Any) -> str:
        """Start an operation, wait for its end, keep its results, and return its id."""
        if self._failed:
            return self._failed
        number = self._run.token("stackset")
        self._when_free(lambda: self._start(operation, {**parameters, "OperationId": number}))
        self._run.note(self._name, f"{operation.replace('_', ' ')}: AWS works on it")
        status, reason = self._wait(number)
        for each in self._results(number):
            self.results[each.account, each.region] = each
        if status != "SUCCEEDED":
            self._failed = f"{status}{f': {reason}' if reason else ''}"
        return self._failed

    def check(self, failed: str) -> None:
        """Go no further if an operation failed.

        Raises:
            DeployError: it did.
        """
        if failed:
            self.conclude("deleted", ())

    def conclude(
        self, action: Literal["created", "updated", "unchanged", "deleted"], surplus: tuple[Where, ...]
    ) -> StackSetResult:
        """Return what became of the set.

        Raises:
            DeployError: an operation failed.
        """
        instances = tuple(self.results[where] for where in sorted(self.results))
        result = StackSetResult(self._name, action, instances, surplus)
        bad = [each for each in instances if each.status not in {"SUCCEEDED", "CANCELLED"}]
        given_up = sum(each.status == "CANCELLED" for each in instances)
        if not self._failed:
            for each in bad:
                self._run.warn(self._name, f"{each.account} {each.region} {each.status}: {each.reason}")
            return result
        told = f"stack set {self._name!r}"
        problems = [Problem(f"{told}: {each.account} in {each.region}: {each.reason or each.status}") for each in bad]
        rest = f"; {given_up} more were given up" if given_up else ""
        summary = f"{told}: {self._failed}{rest}; correct that and run it again"
        error = DeployError([*problems, Problem(summary)])
        error.deployment = result
        raise error

    def _start(self, operation: str, parameters: Mapping[str, Any]) -> None:
        began = self._run.clock.now()
        while True:
            try:
                self._run.cloudformation.write(operation, **self._who, **parameters)
            except DoubtError as error:
                # The same id again: if the first call got through, AWS says that it knows it.
                if self._run.clock.now() - began > _WRITE_PATIENCE:
                    raise UnreachableError(f"no answer from CloudFormation: {error}") from None
                self._run.clock.sleep(1.0)
            except ServiceError as error:
                if error.code != "OperationIdAlreadyExistsException":
                    raise
                return
            else:
                return

    def _when_free(self, call: Callable[[], Any]) -> Any:
        began, told = self._run.clock.now(), False
        while True:
            if self._run.stop.requested:
                raise InterruptError(f"stack set {self._name!r}: stopped between two operations; run it again to go on")
            try:
                return call()
            except ServiceError as error:
                if not is_waiting(error):
                    raise
                if self._run.clock.now() - began > self._run.options.wait_for_other:
                    message = f"stack set {self._name!r}: somebody else is still working on it"
                    raise RunningError(f"{message}; try again later") from None
                if not told:
                    self._run.note(self._name, "somebody else is working on it; waiting")
                    told = True
            self._run.clock.sleep(15.0)

    def _wait(self, number: str) -> tuple[str, str]:
        began, pause = self._run.clock.now(), _FASTEST
        while True:
            try:
                operation = self._read("describe_stack_set_operation", OperationId=number)["StackSetOperation"]
            except ServiceError as error:
                # A new operation may not be known everywhere at once.
                if error.code != "OperationNotFoundException" or self._run.clock.now() - began > _APPEARS:
                    raise
                operation = {"Status": "QUEUED"}
            if operation["Status"] in _ENDED:
                return operation["Status"], self._run.redact(operation.get("StatusReason", ""))
            if self._run.stop.requested:
                message = f"stack set {self._name!r}: you stopped watching operation {number}; AWS goes on"
                raise RunningError(f"{message}; run it again to go on")
            self._run.clock.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST)

    def _results(self, number: str) -> Iterable[InstanceResult]:
        """Return the results of an ended operation, which may be late."""
        for _ in range(_LATE_READS):
            found = list(self._pages("list_stack_set_operation_results", OperationId=number))
            if all(each.get("Status") not in {"PENDING", "RUNNING"} for each in found):
                break
            self._run.clock.sleep(_FASTEST)
        return [
            InstanceResult(
                each["Account"], each["Region"], each["Status"], self._run.redact(each.get("StatusReason", ""))
            )
            for each in found
        ]

    def _read(self, operation: str, **parameters: Any) -> Any:
        return self._run.cloudformation.read(operation, patience=self._run.options.offline, **self._who, **parameters)

    def _pages(self, operation: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        token: dict[str, Any] = {}
        while True:
            page = self._read(operation, **parameters, **token)
            yield from page.get("Summaries", ())
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}
