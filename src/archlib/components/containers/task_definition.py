"""Task definitions: containers with their rights, their log, and their way through the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from troposphere import ecs

from archlib.components.containers.container import ARCHITECTURES, Container
from archlib.components.containers.image import Image
from archlib.components.containers.repository import LOG_IN, PULL
from archlib.components.containers.sidecar import MAIN, TRACING, Sidecar, tracing_environment
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.network.security_group import SecurityGroup
from archlib.components.observability.log_group import LogGroup
from archlib.core.component import Component
from archlib.core.formats import check_variables
from archlib.core.naming import logical_id
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import REGION, Deferred, Value, encode, join
from archlib.errors import WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import connect, open_ports
from archlib.wiring.permissions import action_name
from archlib.wiring.roles import Network

_WAYS = ("AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress")


class TaskDefinition:
    """The task definition of ``owner``, with two roles, a log and a security group.

    The execution role is what ECS itself uses to start a task; the code has the other one.

    Args:
        owner: the service or task.
        title: logical id of the task definition.
        container: what it runs.
        network: the VPC.
        log_retention_days: days a log event is kept.
        key: the KMS key.

    Attributes:
        resource: the ``AWS::ECS::TaskDefinition``.
        role: the role of the code.
        execution_role: the role ECS starts tasks with.
        log_group: where all containers log.
        security_group: id of the security group.
    """

    def __init__(
        self,
        owner: Component,
        *,
        title: str,
        container: Container,
        network: Network,
        log_retention_days: int,
        key: Key,
    ) -> None:
        stack, part = owner.stack, f"{owner.name}-{owner.kind.lower()}"
        self._owner, self._network = owner, network
        self._environment: dict[str, Value] = {}
        self._secrets: dict[str, Value] = {}
        self.log_group = LogGroup(stack, part, retention_days=log_retention_days, key=key)
        self.role = Role(stack, part, service="ecs-tasks", description=f"Role of the code of {owner}")
        self.execution_role = Role(
            stack, f"{part}-execution", service="ecs-tasks", description=f"Starts tasks of {owner}"
        )
        self.execution_role.connect(self.log_group.for_writing())
        self._pull([container.image, *(sidecar.image for sidecar in container.beside)])
        group = SecurityGroup(stack, part, vpc_id=network.vpc_id)
        self.security_group = group.group_id

        self.main = self._main(container)
        self.resource = ecs.TaskDefinition(
            title,
            ContainerDefinitions=[self.main, *(self._beside(sidecar) for sidecar in container.beside)],
            Cpu=str(container.cpu),
            ExecutionRoleArn=self.execution_role.arn,
            Memory=str(container.memory_mib),
            NetworkMode="awsvpc",
            RequiresCompatibilities=["FARGATE"],
            RuntimePlatform=ecs.RuntimePlatform(
                CpuArchitecture=ARCHITECTURES[container.architecture], OperatingSystemFamily="LINUX"
            ),
            TaskRoleArn=self.role.arn,
        )
        if volumes := container.volumes():
            self.resource.Volumes = volumes
        if container.storage_gib is not None:
            self.resource.EphemeralStorage = ecs.EphemeralStorage(SizeInGiB=container.storage_gib)
        # Names of tables and queues are no secrets; those are injected, or passed by ARN.
        suppress(self.resource, "plain-configuration-only")
        owner.add(self.resource)
        self._find_ways(internet=container.internet)
        for mount in container.file_systems:
            self._open(mount.for_mounting())
            self.role.connect(mount.for_mounting())
        if container.tracing:
            self.allow(TRACING, why=f"traces of {owner}")
            for name, value in tracing_environment(owner.name).items():
                self.set_environment(name, value)

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right to the role of the code."""
        self.role.allow(grant, why=why)
        if any(action_name(action).startswith("dynamodb:") for action in grant.actions):
            self._open_gateway("dynamodb")

    def set_environment(self, name: str, value: Value) -> None:
        """Add an environment variable of the main container; the same one twice is fine, another value is not."""
        self._check_variable(name, value, self._environment, self._secrets)
        if "Environment" not in self.main.properties:
            self.main.Environment = Deferred(
                lambda: [{"Name": name, "Value": value} for name, value in sorted(self._environment.items())]
            )

    def inject(self, secret: Binding, name: str, json_key: str | None) -> None:
        """Have ECS read ``secret`` when a task starts and put its value into the variable ``name``."""
        if len(secret.secrets) != 1:
            raise WiringError(
                f"{self._owner}: what is injected as {name!r} must be one secret, got {len(secret.secrets)}; "
                "name a secret, or something with one"
            )
        (arn,) = secret.secrets.values()
        value = arn if json_key is None else join(arn, ":", json_key, "::")
        self._check_variable(name, value, self._secrets, self._environment)
        for grant in secret.grants:
            self.execution_role.allow(grant, why=secret.access)
        if "Secrets" not in self.main.properties:
            self.main.Secrets = Deferred(
                lambda: [{"Name": name, "ValueFrom": value} for name, value in sorted(self._secrets.items())]
            )

    def needed(self) -> list[str]:
        """Return the logical ids of what must be there before a task starts: rights and ways."""
        policies, ways = {self.role.policy, self.execution_role.policy}, logical_id(self._owner.name, "To")
        return sorted(
            title
            for title, resource in self._owner.stack.template.resources.items()
            if title in policies or (title.startswith(ways) and resource.resource_type in _WAYS)
        )

    def logging(self, prefix: str) -> ecs.LogConfiguration:
        """Return how a container logs, whose streams start with ``prefix``."""
        return ecs.LogConfiguration(
            LogDriver="awslogs",
            Options={
                "awslogs-group": self.log_group.group_name,
                "awslogs-region": REGION,
                "awslogs-stream-prefix": prefix,
                # A container never waits for CloudWatch.
                "max-buffer-size": "25m",
                "mode": "non-blocking",
            },
        )

    def placed(self) -> ecs.AwsvpcConfiguration:
        """Return where tasks run: in the private subnets, without an address of the internet."""
        return ecs.AwsvpcConfiguration(
            AssignPublicIp="DISABLED",
            SecurityGroups=[self.security_group],
            Subnets=list(self._network.private_subnets),
        )

    def _check_variable(self, name: str, value: Value, mine: dict[str, Value], others: Mapping[str, Value]) -> None:
        with self._owner.checking() as check:
            check_variables(check, [name])
        if name in others or encode(mine.setdefault(name, value)) != encode(value):
            raise WiringError(
                f"{self._owner}: environment variable {name!r} must have one value, got two; rename a target"
            )

    def _pull(self, images: Sequence[Image | str]) -> None:
        arns = [arn for arn in (Image.of(image).repository_arn for image in images) if arn is not None]
        if arns:
            why = f"images of {self._owner}"
            self.execution_role.allow(LOG_IN, why=why)
            self.execution_role.allow(Grant(PULL, arns), why=why)

    def _find_ways(self, *, internet: bool) -> None:
        apis = self._network.for_aws_apis()
        self._known = set(apis.ranges) if apis is not None else set()
        if apis is not None:
            self._open(apis)
        # The layers of images are in S3.
        self._open_gateway("s3")
        if internet:
            self._open(self._network.for_internet())

    def _open_gateway(self, service: Literal["s3", "dynamodb"]) -> None:
        gateway = self._network.for_gateway(service)
        # EC2 refuses the same rule twice, and the way to AWS APIs may have it.
        if self._known.isdisjoint(gateway.ranges):
            self._open(gateway)

    def _open(self, way: Binding) -> None:
        open_ports(self._owner.name, self.security_group, way, stack=self._owner.stack)

    def _main(self, container: Container) -> ecs.ContainerDefinition:
        found = self._secured(
            Sidecar(
                MAIN, container.image, container.command, memory_mib=container.main_mib, user=container.user,
                health=container.health,
            )
        )  # fmt: skip
        found.Essential = True
        found.StopTimeout = seconds(container.stop_timeout)
        if container.port is not None:
            mapping = ecs.PortMapping(ContainerPort=container.port, Name=MAIN, Protocol="tcp")
            if container.protocol != "tcp":
                mapping.AppProtocol = container.protocol
            found.PortMappings = [mapping]
        if points := container.mount_points():
            found.MountPoints = points
        if container.beside:
            found.DependsOn = [
                ecs.ContainerDependency(
                    ContainerName=sidecar.name, Condition="HEALTHY" if sidecar.essential and sidecar.health else "START"
                )
                for sidecar in container.beside
            ]
        return found

    def _beside(self, sidecar: Sidecar) -> ecs.ContainerDefinition:
        found = self._secured(sidecar)
        found.Essential = sidecar.essential
        if not sidecar.essential:
            found.RestartPolicy = ecs.RestartPolicy(Enabled=True)
        if sidecar.port is not None:
            found.PortMappings = [ecs.PortMapping(ContainerPort=sidecar.port, Protocol="tcp")]
        if sidecar.environment:
            found.Environment = [
                ecs.Environment(Name=name, Value=value) for name, value in sorted(sidecar.environment.items())
            ]
        return found

    def _secured(self, container: Sidecar) -> ecs.ContainerDefinition:
        found = ecs.ContainerDefinition(
            Image=Image.of(container.image).uri,
            LinuxParameters=ecs.LinuxParameters(
                Capabilities=ecs.KernelCapabilities(Drop=["ALL"]), InitProcessEnabled=True
            ),
            LogConfiguration=self.logging(container.name),
            Memory=container.memory_mib,
            Name=container.name,
            Privileged=False,
            ReadonlyRootFilesystem=True,
            User=container.user,
        )
        if container.command:
            found.Command = list(container.command)
        if container.health is not None:
            found.HealthCheck = container.health.render()
        return found


class RunsContainers:
    """What services and tasks offer alike to those who wire them."""

    name: str
    stack: Stack
    task: TaskDefinition

    @property
    def role(self) -> Role:
        """The role of the code."""
        return self.task.role

    @property
    def log_group(self) -> LogGroup:
        """Where the containers log."""
        return self.task.log_group

    @property
    def security_group(self) -> Value:
        """Id of the security group."""
        return self.task.security_group

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right to the role of the code; rights for DynamoDB also open the way to it."""
        self.task.allow(grant, why=why)

    def set_environment(self, key: str, value: Value) -> None:
        """Add an environment variable of the main container; the same one twice is fine, another value is not.

        Raises:
            SettingsError: the key is malformed.
            WiringError: the key is taken by another value.
        """
        self.task.set_environment(key, value)

    def set_secret(self, key: str, arn: Value) -> None:
        """Pass the ARN of a secret, which the code resolves at run time."""
        self.task.set_environment(key, arn)

    def inject(self, secret: Binding, key: str, *, json_key: str | None = None) -> None:
        """Put the value of a secret into the environment variable ``key`` of the main container.

        ECS reads it when a task starts, so that the code needs neither rights nor the SDK; a value that rotates must
        be read by the code instead: ``connect`` passes the ARN.

        Args:
            secret: ``for_reading()`` of a secret, or another binding with one secret.
            key: name of the variable.
            json_key: the key inside a secret that is JSON; by default all of it.

        Raises:
            SettingsError: the key is malformed.
            WiringError: the key is taken by another value, or the binding does not have one secret.
        """
        self.task.inject(secret, key, json_key)

    def connect(self, *bindings: Binding) -> None:
        """Let the containers use what ``bindings`` describe; see :func:`archlib.wiring.connect.connect`."""
        connect(self, *bindings)
