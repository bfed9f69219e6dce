"""Tasks that run once, on a schedule or when code asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from troposphere import Join, scheduler

from archlib.components.containers.cluster import Cluster
from archlib.components.containers.container import Architecture, Container
from archlib.components.containers.image import Image
from archlib.components.containers.sidecar import COLLECTOR, Sidecar
from archlib.components.containers.task_definition import RunsContainers, TaskDefinition
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.observability.dead_letters import DeadLetters
from archlib.components.observability.log_group import check_retention
from archlib.core.component import Component
from archlib.core.formats import check_variables
from archlib.core.naming import pascal
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.expression import check_schedule
from archlib.wiring.mount import FileSystemMount
from archlib.wiring.roles import Network
from archlib.wiring.watch import Watch

_RETRIES = (0, 185)


class Task(RunsContainers, Component):
    """A container on Fargate that does one piece of work and ends: a migration, a nightly report.

    Creates ``<Name>Task`` (task definition), ``<Name>TaskLogGroup``, ``<Name>TaskSecurityGroup``, ``<Name>TaskRole``
    and ``<Name>TaskPolicy`` for the code, ``<Name>TaskExecutionRole`` and ``<Name>TaskExecutionPolicy`` for ECS; with
    a :meth:`schedule` also ``<Name>TaskSchedule``, ``<Name>TaskScheduleRole``, ``<Name>TaskSchedulePolicy`` and
    ``<Name>TaskDeadLetterQueue``.

    See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/standalone-tasks.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        cluster: the cluster it runs in.
        network: the VPC; see :class:`~archlib.components.containers.service.FargateService` for what it must have.
        image: the image, with a tag or digest; ``repository.image("1.4")``, or text.
        cpu: CPU units, 256 to 16384; 1024 are one processor.
        memory_mib: memory in MiB; Fargate has certain pairs of ``cpu`` and memory only.
        architecture: ``arm64`` costs a fifth less for the same work; ``x86_64`` where the image is for that.
        command: replaces that of the image.
        environment: plain configuration; secrets are injected or connected.
        user: user it runs as, by number, and group: ``1000:1000``; never 0.
        writable: folders it may write to; all else is read-only. They belong to root unless the image declares them
            as volumes.
        storage_gib: disk in GiB, 21 to 200; 20 by default.
        file_systems: EFS file systems it sees as folders.
        stop_timeout: from the request to stop until the kill, 2 to 120 seconds.
        sidecars: containers beside it; an essential one ends the task with itself.
        tracing: run a collector of traces beside it; see the service.
        collector: its image.
        internet: allow HTTPS to every address, through the network's NAT.
        log_retention_days: days a log event is kept.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::ECS::TaskDefinition``.
        task: its :class:`~archlib.components.containers.task_definition.TaskDefinition`.

    Raises:
        SettingsError: a setting is outside its range, or does not fit another.
    """

    kind = "Task"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        cluster: Cluster,
        network: Network,
        image: Image | str,
        cpu: int = 256,
        memory_mib: int = 512,
        architecture: Architecture = "arm64",
        command: Sequence[str] = (),
        environment: Mapping[str, Value] | None = None,
        user: str = "1000:1000",
        writable: Sequence[str] = (),
        storage_gib: int | None = None,
        file_systems: Sequence[FileSystemMount] = (),
        stop_timeout: timedelta = timedelta(seconds=60),
        sidecars: Sequence[Sidecar] = (),
        tracing: bool = False,
        collector: Image | str = COLLECTOR,
        internet: bool = False,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        container = Container(
            image, cpu, memory_mib, architecture, command, user, writable, storage_gib, file_systems, stop_timeout,
            sidecars, tracing, collector, internet,
        )  # fmt: skip
        with self.checking() as check:
            container.check(check, network)
            check_variables(check, environment or {})
            check_retention(check, log_retention_days)
        self.cluster, self.network = cluster, network
        self.key = key or Key.of(stack)
        self._failures = DeadLetters(self, key=self.key)
        self.task = TaskDefinition(
            self, title=self.id(), container=container, network=network,
            log_retention_days=log_retention_days, key=self.key,
        )  # fmt: skip
        self.resource = self.task.resource
        for variable, value in (environment or {}).items():
            self.set_environment(variable, value)

    @property
    def arn(self) -> Value:
        """ARN of the task definition, with its revision."""
        return self.ref()

    def start_grants(self) -> Sequence[Grant]:
        """Return the rights a role needs to start the task in its cluster."""
        roles = (self.task.role.arn, self.task.execution_role.arn)
        return (
            Grant(("ecs:RunTask",), (self.arn,), {"ArnEquals": {"ecs:cluster": self.cluster.arn}}),
            Grant(("iam:PassRole",), roles, {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}),
        )

    def for_running(self) -> Binding:
        """Return what code needs to start the task by ``RunTask``.

        Its environment gets ``<NAME>_CLUSTER``, ``<NAME>_TASK``, ``<NAME>_SUBNETS`` (with commas) and
        ``<NAME>_SECURITY_GROUP``.
        """
        return Binding(
            self.name,
            f"running {self}",
            self.start_grants(),
            {
                "CLUSTER": self.cluster.arn,
                "TASK": self.arn,
                "SUBNETS": Join(",", list(self.network.private_subnets)),
                "SECURITY_GROUP": self.security_group,
            },
        )

    def schedule(self, when: str, *, label: str = "", timezone: str = "UTC", retries: int = 3) -> scheduler.Schedule:
        """Run the task again and again, and keep what could not be started in a dead-letter queue.

        Creates ``<Name>Task<Label>Schedule``, with a role of its own.

        Args:
            when: ``rate(1 hour)``, ``cron(0 3 * * ? *)`` or ``at(2030-01-31T03:00:00)``.
            label: kebab-case; tells a second schedule from the first.
            timezone: name of the time zone ``when`` is in.
            retries: times ECS is asked again when it cannot start the task, 0 to 185.

        Raises:
            SettingsError: a setting is malformed.
        """
        with self.checking() as check:
            check_schedule(check, "when", when, timezone=timezone)
            if label:
                check.name("label", label, "schedule")
            check.between("retries", retries, *_RETRIES)
        queue = self._failures.queue()
        part = "-".join(filter(None, (self.name, "task", label, "schedule")))
        role = Role(self.stack, part, service="scheduler", description=f"Starts {self}")
        role.connect(queue.for_sending())
        for grant in self.start_grants():
            role.allow(grant, why=f"starting {self}")
        placed = self.task.placed()
        return self.add(
            scheduler.Schedule(
                pascal(part),
                FlexibleTimeWindow=scheduler.FlexibleTimeWindow(Mode="OFF"),
                KmsKeyArn=self.key.arn,
                ScheduleExpression=when,
                ScheduleExpressionTimezone=timezone,
                Target=scheduler.Target(
                    Arn=self.cluster.arn,
                    DeadLetterConfig=scheduler.DeadLetterConfig(Arn=queue.arn),
                    EcsParameters=scheduler.EcsParameters(
                        LaunchType="FARGATE",
                        NetworkConfiguration=scheduler.NetworkConfiguration(
                            AwsvpcConfiguration=scheduler.AwsVpcConfiguration(**placed.properties)
                        ),
                        PlatformVersion="LATEST",
                        PropagateTags="TASK_DEFINITION",
                        TaskCount=1,
                        TaskDefinitionArn=self.arn,
                    ),
                    RetryPolicy=scheduler.RetryPolicy(MaximumRetryAttempts=retries),
                    RoleArn=role.arn,
                ),
                # The first run may come before the role and the task have their rights.
                DependsOn=[role.policy, *self.task.needed()],
            )
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that the task could not be started."""
        return self._failures.watches()
