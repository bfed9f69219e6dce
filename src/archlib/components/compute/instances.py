"""Groups of EC2 instances that are replaced, never repaired."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from troposphere import AWSHelperFn, Base64, ec2, iam

from archlib.components.compute.agent import NAMESPACE, Agent
from archlib.components.compute.failures import tell_failures
from archlib.components.compute.group import Update, WarmPool, autoscaling_group, set_updates
from archlib.components.compute.instance_types import Architecture
from archlib.components.compute.launch_template import (
    DEFAULT_TYPES,
    IMAGE,
    check_image,
    check_types,
    launch_template_data,
)
from archlib.components.compute.scaling import check_scaling, scale, scale_by_targets
from archlib.components.compute.start_script import StartScript, code_folder, environment_file
from archlib.components.compute.user_data import UserData, Variable, weave
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.network.security_group import SecurityGroup
from archlib.components.observability.log_group import LogGroup
from archlib.core.artifact import Asset
from archlib.core.component import Check, Component
from archlib.core.credentials import RESOLVED_SECRET
from archlib.core.formats import check_variables
from archlib.core.naming import logical_id
from archlib.core.package import pack, package_problem
from archlib.core.stack import Stack
from archlib.core.values import PARTITION, Deferred, Value, encode, join
from archlib.errors import Problem, SettingsError, WiringError
from archlib.wiring.binding import Binding, Grant, TargetGroup
from archlib.wiring.connect import connect
from archlib.wiring.mount import FileSystemMount
from archlib.wiring.roles import Network, Target
from archlib.wiring.scaling import Scaling, Signal
from archlib.wiring.watch import Watch

_VOLUME = (8, 16_384)
_WAYS = frozenset({"AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress"})
_PORT = (1, 65_535)
_START = (timedelta(minutes=1), timedelta(hours=1))
_LIFETIME = (1, 365)
_SCRIPT_MAX = 16 * 2**10
_NOT_QUOTED = re.compile(r"['\x00-\x1f]")
_SESSION = (
    *("ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage"),
    *("ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply"),
    "ssm:UpdateInstanceInformation",
    *("ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel"),
    *("ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
)


class Instances(Component):
    """A group of EC2 instances of one kind in private subnets, which scales, heals and updates itself.

    Creates ``<Name>Instances``, ``<Name>InstancesTemplate``, ``<Name>InstancesProfile``, ``<Name>InstancesRole``,
    ``<Name>InstancesPolicy`` and ``<Name>InstancesSecurityGroup``; for what scales it ``<Name>Instances<What>Scaling``,
    ``<Name>Instances<What>Alarm`` and ``<Name>Instances<Name>Schedule``; with ``agent`` also
    ``<Name>InstancesLogGroup``, with ``warm_pool`` ``<Name>InstancesWarmPool``, and with ``notify``
    ``<Name>InstancesFailures``. The parameter ``<Name>Image`` of the stack names the image; with a new image, a
    deployment replaces the instances.

    A new instance writes its environment variables to ``/etc/<app>/environment`` (``NAME='value'``, as systemd's
    ``EnvironmentFile`` and shells read it), unpacks the code in ``/opt/<app>``, and runs the user's script there, with
    these variables and ``set -euo pipefail``. CloudFormation waits until the script ends, and undoes the deployment if
    it fails. Secrets are there as ARNs only, to be read with the instance's role. The image must be Amazon Linux 2023,
    or have its tools: ``cfn-signal``, ``aws``, ``curl``, ``unzip`` and ``dnf``.

    Nobody logs in by SSH: ``aws ssm start-session`` does, with IAM and without an open port. Volumes are encrypted with
    the account's key for EBS: with another key, Auto Scaling could start no instance before its own role, which an
    account has only after its first group, is named in that key's policy.

    Scaling waits: a new instance counts after ``scaling.scale_out_cooldown``; ``scaling.scale_in_cooldown`` is the time
    between two changes by ``simple_steps``.

    See https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-groups.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        network: the VPC it runs in, with interface endpoints for :attr:`needs_endpoints` unless ``internet`` is on.
        architecture: ``arm64`` costs less for the same work; ``x86_64`` where software needs it.
        types: instance types, the preferred one first; ``t4g.small`` or ``t3.small`` by default. Several, or ``spot``,
            let AWS take what it has.
        image: SSM parameter with the id of the image; Amazon Linux 2023 by default.
        user_data: the script that instances run when they start.
        code: local folder or zip, uploaded at deployment and unpacked on the instance.
        port: TCP port the code answers on, for load balancers.
        environment: plain configuration; secrets are never written here but connected, as ARNs.
        scaling: how many there are, and what changes that number.
        simple_steps: after a step, wait for the whole cooldown (simple scaling) instead of following the metric.
        spot: percent of the instances beyond ``on_demand`` that are Spot instances, 0 to 100.
        on_demand: with ``spot``, never fewer on-demand instances than these.
        update: ``rolling`` replaces instances one by one as CloudFormation goes; ``refresh`` leaves it to Auto Scaling,
            which starts a new instance before it ends an old one.
        start_timeout: how long an instance may take to start before it counts as failed, 1 minute to 1 hour.
        warm_pool: instances that wait ready; not with ``spot`` or several types.
        max_lifetime_days: days after which an instance is replaced, 1 to 365; None: it may stay.
        volume_gib: size of the root volume in GiB, 8 to 16384.
        file_systems: EFS file systems to mount.
        agent: what the CloudWatch agent sends; it is needed to scale by memory.
        sessions: people may open sessions on the instances, as far as IAM lets them.
        internet: open HTTPS connections to the internet, through the network's NAT.
        notify: who is told when an instance cannot be started or ended, usually a topic.
        key: the KMS key of the logs; the app's by default.

    Attributes:
        resource: the ``AWS::AutoScaling::AutoScalingGroup``.
        template: the ``AWS::EC2::LaunchTemplate``.
        role: its :class:`Role`.
        security_group: id of its security group.
        network: the VPC it runs in.
        port: TCP port the code answers on.
        groups: the target groups it has joined.
        internet: whether it reaches the internet.

    Raises:
        SettingsError: a setting is outside its range, settings contradict each other, or the script cannot be rendered.
        WiringError: it scales by requests, and no load balancer sends it any.
    """

    kind = "Instances"
    needs_endpoints: ClassVar[tuple[str, ...]] = ("cloudformation", "ec2messages", "ssm", "ssmmessages")
    """Services it must reach; with an ``agent`` also ``logs`` and ``monitoring``."""

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        architecture: Architecture = "arm64",
        types: Sequence[str] = (),
        image: str | None = None,
        user_data: UserData | None = None,
        code: Path | None = None,
        port: int = 8080,
        environment: Mapping[str, Value] | None = None,
        scaling: Scaling | None = None,
        simple_steps: bool = False,
        spot: int = 0,
        on_demand: int = 1,
        update: Update = "rolling",
        start_timeout: timedelta = timedelta(minutes=10),
        warm_pool: WarmPool | None = None,
        max_lifetime_days: int | None = None,
        volume_gib: int = 16,
        file_systems: Sequence[FileSystemMount] = (),
        agent: Agent | None = None,
        sessions: bool = True,
        internet: bool = False,
        notify: Target | None = None,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        types = tuple(types) or (DEFAULT_TYPES.get(architecture, DEFAULT_TYPES["arm64"]),)
        self.scaling = scaling or Scaling()
        self.simple_steps = simple_steps
        self.network, self.port, self.internet = network, port, internet
        self._environment: dict[str, Value] = {}
        self._first: list[Value] = []
        self._agent = agent
        self._group_name = f"{stack.app.name}-{stack.app.environment}-{name}"
        given: dict[str, Variable] = {
            "app": stack.app.name,
            "environment_file": environment_file(stack.app.name),
            "folder": code_folder(stack.app.name),
            "port": port,
            "stage": stack.app.environment,
        }
        apis = network.for_aws_apis()
        with self.checking() as check:
            check_types(check, architecture, types)
            check_image(check, architecture, image)
            (user_data or UserData(text="")).check(check, given)
            problem = package_problem(code) if code is not None else ""
            if problem:
                check.problems.append(Problem(f"{self}: code {problem}", self.origin, "code"))
            _check_environment(check, environment or {})
            check.between("port", port, *_PORT)
            check_scaling(check, self.scaling, memory=agent is not None)
            check.between("spot", spot, 0, 100)
            check.between("on_demand", on_demand, 0, self.scaling.maximum)
            check.one_of("update", update, ("rolling", "refresh"))
            check.between("start_timeout", start_timeout, *_START)
            check.that(
                warm_pool is None or (spot == 0 and len(types) == 1),
                "warm_pool", "left out with spot or several types", warm_pool,
            )  # fmt: skip
            check.between("max_lifetime_days", max_lifetime_days, *_LIFETIME)
            check.between("volume_gib", volume_gib, *_VOLUME)
            for part in (*file_systems, agent, warm_pool):
                if part is not None:
                    part.check(check)
            check.that(
                internet or (apis is not None and apis.security_group is not None),
                "internet", "true in a network without interface endpoints", internet,
                f"or give the network endpoints for {', '.join(self.needs_endpoints)}",
            )  # fmt: skip
        own = user_data.render(str(self), given) if user_data is not None else []

        named = f"{name}-instances"
        self.role = Role(stack, named, service="ec2", description=f"Role of instances {name}")
        self.security_group: Value = SecurityGroup(stack, named, vpc_id=network.vpc_id).group_id
        self.script = StartScript(
            stack.app.name,
            self.id(),
            self._environment,
            tuple(file_systems),
            self._send_logs(agent, key) if agent is not None else (),
            self._first,
            self._fetch(code) if code is not None else None,
            own,
        )
        self.template = self._template(types[0], image or IMAGE.format(architecture), volume_gib)
        self.groups: list[TargetGroup] = []
        self.resource = autoscaling_group(
            self.id(),
            template=self.template,
            types=types,
            spot=spot,
            on_demand=on_demand,
            scaling=self.scaling,
            subnets=network.private_subnets,
            start_timeout=start_timeout,
            max_lifetime_days=max_lifetime_days,
        )
        set_updates(self.resource, self.scaling, update, start_timeout)
        self.resource.HealthCheckType = Deferred(lambda: "ELB" if self.groups else "EC2")
        # The first instances need their rights at once, and the listener without which none of them is ever well.
        self.resource.resource["DependsOn"] = Deferred(self._awaited)
        self.add(self.resource)
        if warm_pool is not None:
            self.add(warm_pool.render(self.id("InstancesWarmPool"), self.ref()))
        if notify is not None:
            tell_failures(self, notify)

        self._reach(apis)
        self._equip(environment or {}, file_systems, sessions=sessions)
        scale(self, self._own_watches())

    @property
    def target_type(self) -> Literal["instance"]:
        """How it registers with target groups."""
        return "instance"

    @property
    def moves(self) -> bool:
        """Whether its deployments move requests to an alternate target group: they replace instances instead."""
        return False

    @property
    def arn(self) -> Value:
        """ARN of the Auto Scaling group."""
        return self.attribute("AutoScalingGroupARN")

    @property
    def group_name(self) -> Value:
        """Name of the Auto Scaling group in AWS."""
        return self.ref()

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right to the instances' role."""
        self.role.allow(grant, why=why)

    def set_environment(self, key: str, value: Value) -> None:
        """Add an environment variable; the same one twice is fine, another value for it is not.

        Raises:
            SettingsError: the name is malformed, or the value has a quote or a line break.
            WiringError: the name is taken by another value.
        """
        with self.checking() as check:
            _check_environment(check, {key: value})
        if encode(self._environment.setdefault(key, value)) != encode(value):
            raise WiringError(f"{self}: environment variable {key!r} must have one value, got two; rename a target")

    def set_secret(self, key: str, arn: Value) -> None:
        """Pass the ARN of a secret, which the code resolves at run time."""
        self.set_environment(key, arn)

    def connect(self, *bindings: Binding) -> None:
        """Let the instances use what ``bindings`` describe; see :func:`archlib.wiring.connect.connect`."""
        connect(self, *bindings)

    def run_first(self, *script: Value) -> None:
        """Have new instances run ``script``, in pieces, before the user's own."""
        self._first.extend(script)

    def join(self, group: TargetGroup) -> None:
        """Register the instances with ``group``, and scale by its requests if that was asked for.

        Raises:
            WiringError: it scales by requests, which ``group`` does not count, or is in several groups.
        """
        if self.scaling.needs_targets:
            if not group.requests:
                raise WiringError(f"{self}: scaling by requests needs an application load balancer, got another kind")
            if not self.groups:
                scale_by_targets(self, group)
        self.groups.append(group)
        self.resource.TargetGroupARNs = [each.arn for each in self.groups]

    def watches(self) -> Sequence[Watch]:
        """Return what shows that instances are missing, fail, or are busy."""
        dimensions: dict[str, Value] = {"AutoScalingGroupName": self.group_name}
        own = self._own_watches()
        least = max(self.scaling.minimum, 1)
        return (
            Watch(
                "in-service", f"Instances in service of {self}", "AWS/AutoScaling", "GroupInServiceInstances",
                dimensions, "Minimum", least, comparison="<", periods=3,
            ),
            Watch(
                "status", f"Failed status checks of {self}", "AWS/EC2", "StatusCheckFailed", dimensions, "Maximum", 1,
                periods=2,
            ),
            own["cpu"],
            *(self._agent.watches(str(self), self._group_name) if self._agent is not None else ()),
        )  # fmt: skip

    def _fetch(self, code: Path) -> tuple[Value, Asset]:
        asset = pack(code)
        bucket = self.stack.asset(asset)
        found = join("arn:", PARTITION, ":s3:::", bucket, "/", asset.key)
        self.allow(Grant(("s3:GetObject",), (found,)), why=f"code of {self}")
        return bucket, asset

    def _send_logs(self, agent: Agent, key: Key | None) -> list[Value]:
        group = LogGroup(self.stack, f"{self.name}-instances", retention_days=agent.retention_days, key=key)
        self.connect(group.for_writing())
        named = {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
        self.allow(Grant(("cloudwatch:PutMetricData",), ("*",), named), why=f"metrics of {self}")
        return weave(agent.configuration(self._group_name), [group.group_name])

    def _template(self, instance_type: str, image: str, volume_gib: int) -> ec2.LaunchTemplate:
        profile = self.add(iam.InstanceProfile(self.id("InstancesProfile"), Roles=[self.role.ref()]))
        parameter = self.stack.parameter(
            f"{self.name}-image",
            type="AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
            default=image,
            description=f"SSM parameter with the id of the image of {self.label} {self.name}",
        )
        data = launch_template_data(
            image=parameter,
            instance_type=instance_type,
            volume_gib=volume_gib,
            profile=profile.get_att("Arn"),
            security_group=self.security_group,
            tags={**self.stack.app.tags, "Name": self._group_name},
            user_data=Deferred(self._user_data),
        )
        return self.add(ec2.LaunchTemplate(self.id("InstancesTemplate"), LaunchTemplateData=data))

    def _user_data(self) -> Base64:
        script = self.script.render()
        size = len(str(script.data if isinstance(script, AWSHelperFn) else script).encode())
        if size > _SCRIPT_MAX:
            raise SettingsError(
                Problem(
                    f"{self}: user_data must be at most 16 KB with all that goes with it, got {size} bytes; "
                    "move parts of it into files of code",
                    self.origin,
                    "user_data",
                )
            )
        return Base64(script)

    def _awaited(self) -> list[str]:
        if self.scaling.needs_targets and not self.groups:
            raise WiringError(
                Problem(
                    f"{self}: scaling by requests needs a load balancer in front, got none; route requests to it, or "
                    "scale by cpu",
                    self.origin,
                )
            )
        policy = [self.role.policy] if self.role.policy in self.stack.template.resources else []
        # What the script reaches must be open when it starts, and until the last instance is gone.
        ways = [
            title
            for title, resource in self.stack.template.resources.items()
            if title.startswith(logical_id(self.name, "To")) and resource.resource_type in _WAYS
        ]
        return [*policy, *(group.ready for group in self.groups), *sorted(ways)]

    def _reach(self, apis: Binding | None) -> None:
        if apis is not None:
            self.connect(apis)
        # Packages of Amazon Linux and uploaded code are in S3.
        if apis is None or "S3" not in apis.ranges:
            self.connect(self.network.for_gateway("s3"))
        if self.internet:
            self.connect(self.network.for_internet())

    def _equip(
        self, environment: Mapping[str, Value], file_systems: Sequence[FileSystemMount], *, sessions: bool
    ) -> None:
        if sessions:
            self.allow(Grant(_SESSION, ("*",)), why=f"sessions on {self}")
        for variable, value in environment.items():
            self.set_environment(variable, value)
        self.connect(*(mount.for_mounting() for mount in file_systems))

    def _own_watches(self) -> dict[Signal, Watch]:
        dimensions: dict[str, Value] = {"AutoScalingGroupName": self.group_name}
        found: dict[Signal, Watch] = {
            "cpu": Watch(
                "cpu", f"CPU of {self}, percent", "AWS/EC2", "CPUUtilization", dimensions, "Average", 90, periods=3
            )
        }
        if self._agent is not None:
            found["memory"] = self._agent.watches(str(self), self._group_name)[0]
        return found


def _check_environment(check: Check, environment: Mapping[str, Value]) -> None:
    """Note variables that the instance's file of them cannot hold, and secrets."""
    check_variables(check, environment)
    for name, value in environment.items():
        if isinstance(value, str):
            check.that(not _NOT_QUOTED.search(value), f"environment.{name}", "one line without '", value)
            check.that(
                not RESOLVED_SECRET.search(value),
                f"environment.{name}", "no secret", value, "pass its ARN, and read it with the instance's role",
            )  # fmt: skip
