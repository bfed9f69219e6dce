"""From a file to what is deployed: which environments, to which accounts and regions, under which rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from archlib.blueprints.load import load
from archlib.checks.run import check
from archlib.core.app import App
from archlib.core.artifact import StackArtifact
from archlib.core.target import Target
from archlib.deploy.aws import Aws
from archlib.deploy.clock import Stop
from archlib.deploy.deployer import Deployer, Deployment
from archlib.deploy.importing import importable
from archlib.deploy.limiter import Limiter
from archlib.deploy.plan import Plan
from archlib.deploy.reporter import Reporter
from archlib.deploy.run import Options
from archlib.errors import ArchlibError, CheckError, DeployError, GuardError, Problem


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach AWS; what is given here goes before what the file's targets say.

    Attributes:
        region: where the stacks go.
        profile: of the AWS configuration.
        assume_role: ARN of a role to take on.
        service_role: ARN of the role with which CloudFormation works.
        parameters: values of template parameters, beside those of the targets.
        local: deploy to the engine on this machine instead.
        endpoint: URL that answers instead of AWS.
    """

    region: str | None = None
    profile: str | None = None
    assume_role: str | None = None
    service_role: str | None = None
    parameters: Mapping[str, str] | None = None
    local: bool = False
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The stacks of one environment, and the deployer that carries them to one account and region.

    Attributes:
        app: the app.
        stacks: dependencies first.
        deployer: of the account and region.
    """

    app: App
    stacks: tuple[StackArtifact, ...]
    deployer: Deployer

    @property
    def environment(self) -> str:
        """Return the environment."""
        return self.app.environment


def places(
    file: Path,
    *,
    environments: Sequence[str] = (),
    sets: Sequence[str] = (),
    layout: Literal["layered", "single"] | None = None,
    access: Access | None = None,
    options: Options | None = None,
    reporter: Reporter | None = None,
    stop: Stop | None = None,
) -> tuple[Place, ...]:
    """Return where the stacks of ``file`` go: one place for each environment and each of its targets.

    Args:
        file: a blueprint in YAML, or a Python file.
        environments: which; none: the file's own.
        sets: ``path=value`` to change settings.
        layout: instead of the file's own.
        access: how to reach AWS.
        options: how the deployers behave.
        reporter: who is told and asked.
        stop: asks for an early end.

    Raises:
        SourceError: the file cannot be read.
        SettingsError: something in it is wrong.
        CredentialsError: there are no credentials or no region.
    """
    found = []
    limiters: dict[tuple[str, str], Limiter] = {}
    for environment in environments or (None,):
        app = load(file, environment=environment, sets=sets, layout=layout)
        stacks = app.assemble()
        for target in _chosen(app, access):
            deployer = deployer_for(
                target, access=access, options=options, reporter=reporter, stop=stop, limiters=limiters
            )
            found.append(Place(app, stacks, deployer))
    return tuple(found)


def _chosen(app: App, access: Access | None) -> tuple[Target, ...]:
    """Return the targets of ``app``, or those in the one region that is asked for.

    Raises:
        GuardError: there are none in it.
    """
    region = access.region if access else None
    found = tuple(target for target in app.targets if region is None or target.region in {None, region})
    if app.targets and not found:
        known = ", ".join(sorted({str(target.region) for target in app.targets}))
        message = f"region of {app.name} {app.environment} must be {known}, got {region}"
        raise GuardError(f"{message}; correct --region, or the file's targets")
    return found or (Target(),)


def deployer_for(
    target: Target | None = None,
    *,
    access: Access | None = None,
    options: Options | None = None,
    reporter: Reporter | None = None,
    stop: Stop | None = None,
    limiters: dict[tuple[str, str], Limiter] | None = None,
) -> Deployer:
    """Return the deployer for ``target``, changed as ``access`` says."""
    access, target = access or Access(), target or Target()
    target = replace(
        target,
        region=access.region or target.region,
        profile=access.profile or target.profile,
        assume_role=access.assume_role or target.assume_role,
        service_role=access.service_role or target.service_role,
        parameters={**target.parameters, **(access.parameters or {})},
    )
    endpoint = access.endpoint
    if access.local:
        from archlib.local.engine import LocalEngine  # noqa: PLC0415  (an extra)

        endpoint = LocalEngine().start()
        # Nothing of the account that these name is there.
        target = Target(region=target.region, stack_policy=target.stack_policy, parameters=target.parameters)
    aws = Aws(region=target.region, profile=target.profile, assume_role=target.assume_role, endpoint=endpoint)
    return Deployer(target=target, aws=aws, reporter=reporter, options=options, stop=stop, limiters=limiters)


def check_stacks(place: Place) -> None:
    """Check the stacks of ``place`` for its region, as ``archlib synth`` does.

    Raises:
        CheckError: there are unwaived error findings.
    """
    regions = sorted({stack.region or place.deployer.aws.region for stack in place.stacks})
    blocking = [finding for finding in check(place.stacks, regions=regions) if finding.blocking]
    if blocking:
        raise CheckError(
            Problem(f"{finding.rule} {finding.stack}/{finding.resource or '-'}: {finding.message}", finding.origin)
            for finding in blocking
        )


def bootstrap(deployer: Deployer, *, regions: Sequence[str] = ()) -> Deployment:
    """Make what an account needs once in each region: the bucket for code and large templates.

    Args:
        deployer: of the account.
        regions: which; none: the deployer's own.

    Raises:
        ArchlibError: see :meth:`archlib.deploy.Deployer.execute`.
    """
    from archlib.blueprints.bootstrap import bootstrap as make  # noqa: PLC0415  (only here)

    (stack,) = make().assemble()
    deployments = [deployer.deploy([replace(stack, region=region)]) for region in regions or (deployer.aws.region,)]
    results = {
        f"{name} ({region})" if regions else name: result
        for region, deployment in zip(regions or ("",), deployments, strict=True)
        for name, result in deployment.results.items()
    }
    return Deployment(results, seconds=sum(deployment.seconds for deployment in deployments))


def needs_bucket(place: Place) -> tuple[str, ...]:
    """Return the regions in which the stacks of ``place`` need the bucket that :func:`bootstrap` makes, and miss it."""
    from archlib.deploy.cloudformation import INLINE_BYTES  # noqa: PLC0415
    from archlib.emit.template import to_json  # noqa: PLC0415

    wanted = {
        stack.region or place.deployer.aws.region
        for stack in place.stacks
        if stack.assets
        or any(source.kind == "asset-bucket" for source in stack.parameters.values())
        or len(to_json(stack.template, minified=True).encode()) > INLINE_BYTES
    }
    return tuple(region for region in sorted(wanted) if not place.deployer.uploads(region).exists())


def prepare(place: Place) -> None:
    """Have the bucket ready on this machine; in an account, somebody has to want it."""
    if place.deployer.aws.endpoint and (missing := needs_bucket(place)):
        bootstrap(place.deployer, regions=missing)


def deploy(
    place: Place, *, agree: Callable[[Plan], bool] | None = None, binding: bool = False, lint: bool = True
) -> tuple[Plan, Deployment | None]:
    """Check, plan, ask, and deploy the stacks of ``place``.

    Args:
        place: what goes where.
        agree: is shown the plan and says whether to go on; None: goes on.
        binding: refuse whatever is not in the plan that was shown; otherwise the guards alone decide.
        lint: check the templates first.

    Returns:
        The plan, and what became of it; None if it was not agreed to.

    Raises:
        ArchlibError: something was refused, or failed; see :meth:`archlib.deploy.Deployer.execute`.
    """
    if lint:
        check_stacks(place)
    prepare(place)
    with planned(place.deployer, place.stacks) as plan:
        if not plan.empty and agree is not None and not agree(plan):
            return plan, None
        try:
            return plan, place.deployer.execute(plan, binding=binding)
        except ArchlibError as error:
            _advise(place, error)
            raise


def _advise(place: Place, error: ArchlibError) -> None:
    """Say how what was in the way of a creation can be imported."""
    stacks = {stack.name: stack for stack in place.stacks}
    for name, each in error.deployment.errors.items() if error.deployment else ():
        if (
            isinstance(each, DeployError)
            and each.failure
            and (found := importable(place.deployer, stacks[name], each.failure))
        ):
            each.failure = replace(each.failure, next=found.command)


@contextmanager
def planned(deployer: Deployer, stacks: Sequence[StackArtifact]) -> Iterator[Plan]:
    """Give the plan for ``stacks``, and leave nothing of it behind that was not carried out."""
    plan = deployer.plan(stacks)
    try:
        yield plan
    finally:
        deployer.discard(plan)
