"""Services of containers on Fargate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from troposphere import ecs

from archlib.components.containers.cluster import Cluster
from archlib.components.containers.container import PROXY_MIB, Architecture, Container, Protocol
from archlib.components.containers.deployment import Deployment, moving
from archlib.components.containers.image import Image
from archlib.components.containers.service_scaling import scale, scale_by_requests
from archlib.components.containers.sidecar import COLLECTOR, MAIN, ContainerHealth, Sidecar
from archlib.components.containers.task_definition import RunsContainers, TaskDefinition
from archlib.components.identity.key import Key
from archlib.components.observability.alarm import Alarm
from archlib.components.observability.log_group import check_retention
from archlib.core.component import Component
from archlib.core.formats import check_variables
from archlib.core.stack import Stack
from archlib.core.values import Deferred, Value
from archlib.errors import Problem, WiringError
from archlib.units import format_duration, seconds
from archlib.wiring.binding import Binding, TargetGroup
from archlib.wiring.mount import FileSystemMount
from archlib.wiring.roles import Network
from archlib.wiring.scaling import Scaling
from archlib.wiring.watch import Watch

_GRACE = (timedelta(0), timedelta(hours=2))
_BUSY_PERCENT = 90


class FargateService(RunsContainers, Component):
    """A service of containers on Fargate: non-root, read-only, scaled by its load, and taken back when it fails.

    Creates ``<Name>Service``, ``<Name>ServiceTask`` (task definition), ``<Name>ServiceLogGroup``,
    ``<Name>ServiceSecurityGroup``, ``<Name>ServiceRole`` and ``<Name>ServicePolicy`` for the code, and
    ``<Name>ServiceExecutionRole`` and ``<Name>ServiceExecutionPolicy`` for ECS; unless the number of tasks is fixed
    ``<Name>ServiceScaling``, with ``<Name>Service<Metric>Scaling`` for each metric that decides, and
    ``<Name>Scaling<Step>Alarm`` for each step; behind a load balancer ``<Name>RollbackErrorsAlarm`` and
    ``<Name>RollbackUnhealthyAlarm``; unless deployments are ``rolling`` ``<Name>ServiceShiftRole`` and
    ``<Name>ServiceShiftPolicy``.

    Tasks run in the private subnets and reach nothing but what they are connected to, AWS APIs by the network's
    endpoints, and S3. They need the endpoints of
    :data:`~archlib.components.containers.container.NEEDS_ENDPOINTS`, or ``internet``.

    While the number of tasks follows the load, the template does not say how many there are, so that a deployment
    keeps the number it finds; ECS starts with one, and scaling raises it to ``scaling.minimum`` at once. A
    ``scaling.desired`` that is given is set again by each change of the service.

    See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security-tasks-containers.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the host name under which other services find it.
        cluster: the cluster it runs in.
        network: the VPC.
        image: the image of the main container, with a tag or digest; ``repository.image("1.4")``, or text.
        port: TCP port the main container listens on, 1024 to 65535; None: it takes no requests.
        protocol: what it speaks there: ``http``, ``http2``, ``grpc`` or ``tcp``.
        cpu: CPU units of a task, 256 to 16384; 1024 are one processor.
        memory_mib: memory of a task in MiB; Fargate has certain pairs of ``cpu`` and memory only.
        architecture: ``arm64`` costs a fifth less for the same work; ``x86_64`` where the image is for that.
        command: replaces that of the image.
        environment: plain configuration; secrets are injected or connected.
        user: user the main container runs as, by number, and group: ``1000:1000``; never 0.
        writable: folders the main container may write to, each an empty volume that ends with the task; all else is
            read-only. A volume belongs to root unless the image declares it after preparing it:
            ``RUN mkdir -p /tmp && chown 1000:1000 /tmp`` and ``VOLUME ["/tmp"]``.
        storage_gib: disk of a task in GiB, 21 to 200; 20 by default.
        file_systems: EFS file systems the main container sees as folders.
        health: how ECS finds out whether the main container is well; None: it is as long as it runs.
        grace: after the start of a task, time in which a load balancer's health checks do not count, up to 2 hours.
        stop_timeout: from the request to stop until the kill, 2 to 120 seconds; the code must end on SIGTERM. At least
            as long as a load balancer drains.
        sidecars: containers beside the main one.
        tracing: run a collector beside the main container, which takes traces by OpenTelemetry at
            ``http://localhost:4318`` and sends them to X-Ray.
        collector: its image; that of AWS is in a public registry, so it needs ``internet`` or a copy in ECR.
        scaling: how many tasks run; 2 to 10 by default, following the CPU.
        spot: percentage of the tasks beyond the first that run on Fargate Spot, 0 to 100: up to 70 percent cheaper,
            and stopped with two minutes' notice.
        deployment: how a new version replaces the old one.
        allow_exec: allow ``aws ecs execute-command``; the sessions are encrypted and recorded.
        internet: allow HTTPS to every address, through the network's NAT.
        log_retention_days: days a log event is kept.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::ECS::Service``.
        task: its :class:`~archlib.components.containers.task_definition.TaskDefinition`.

    Raises:
        SettingsError: a setting is outside its range, or does not fit another.
    """

    kind = "Service"
    target_type: Literal["instance", "ip"] = "ip"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        cluster: Cluster,
        network: Network,
        image: Image | str,
        port: int | None = 8080,
        protocol: Protocol = "http",
        cpu: int = 256,
        memory_mib: int = 512,
        architecture: Architecture = "arm64",
        command: Sequence[str] = (),
        environment: Mapping[str, Value] | None = None,
        user: str = "1000:1000",
        writable: Sequence[str] = (),
        storage_gib: int | None = None,
        file_systems: Sequence[FileSystemMount] = (),
        health: ContainerHealth | None = None,
        grace: timedelta = timedelta(seconds=60),
        stop_timeout: timedelta = timedelta(seconds=60),
        sidecars: Sequence[Sidecar] = (),
        tracing: bool = False,
        collector: Image | str = COLLECTOR,
        scaling: Scaling | None = None,
        spot: int = 0,
        deployment: Deployment | None = None,
        allow_exec: bool = False,
        internet: bool = False,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        container = Container(
            image, cpu, memory_mib, architecture, command, user, writable, storage_gib, file_systems, stop_timeout,
            sidecars, tracing, collector, internet, port, protocol, health, allow_exec, PROXY_MIB,
        )  # fmt: skip
        self.scaling, self.deployment = scaling or Scaling(), deployment or Deployment()
        with self.checking() as check:
            container.check(check, network)
            check_variables(check, environment or {})
            check.between("grace", grace, *_GRACE)
            check.between("spot", spot, 0, 100)
            check_retention(check, log_retention_days)
            self.scaling.check(check)
            self.deployment.check(check)
            check.that(
                port is not None or not (self.scaling.needs_targets or self.deployment.moves),
                "port", "given to scale by requests, or to deploy other than 'rolling'", port,
            )  # fmt: skip
            check.that(
                not (self.deployment.moves and self.scaling.needs_targets),
                "scaling", "without requests, latency and errors unless deployment.strategy is 'rolling'",
                self.deployment.strategy, "they would follow one of the two target groups only",
            )  # fmt: skip
        self.cluster, self.network = cluster, network
        self._port, self._protocol = port, protocol
        self._grace, self._stop_timeout = grace, stop_timeout
        self._groups: list[TargetGroup] = []
        self._registered: list[ecs.LoadBalancer] = []
        self._alarms: list[Value] = []
        self.task = TaskDefinition(
            self, title=self.id("ServiceTask"), container=container, network=network,
            log_retention_days=log_retention_days, key=key or Key.of(stack),
        )  # fmt: skip
        self._rollout = self.deployment.render()
        self.resource = ecs.Service(
            self.id(),
            AvailabilityZoneRebalancing="ENABLED",
            CapacityProviderStrategy=_capacity(spot),
            Cluster=cluster.arn,
            DeploymentConfiguration=self._rollout,
            EnableECSManagedTags=True,
            EnableExecuteCommand=allow_exec,
            NetworkConfiguration=ecs.NetworkConfiguration(AwsvpcConfiguration=self.task.placed()),
            PlatformVersion="LATEST",
            PropagateTags="SERVICE",
            ServiceConnectConfiguration=self._found_by_name(),
            TaskDefinition=self.task.resource.ref(),
            # Without these the first tasks fail, and the deployment with them.
            DependsOn=Deferred(self._needed),
        )
        self.add(self.resource)
        for variable, value in (environment or {}).items():
            self.set_environment(variable, value)
        if allow_exec:
            self.connect(cluster.for_shell())
        self._size()

    def _needed(self) -> list[str]:
        ready = {group.ready for group in self._groups}
        if self.deployment.moves and ready:
            # The service refers to the rule itself, and ECS moves the requests with rights of its own.
            ready = {self.id("ServiceShiftPolicy")}
        return sorted({*self.task.needed(), *ready})

    def _found_by_name(self) -> ecs.ServiceConnectConfiguration:
        found = ecs.ServiceConnectConfiguration(
            Enabled=True, LogConfiguration=self.task.logging("service-connect"), Namespace=self.cluster.namespace.arn
        )
        if self._port is not None:
            found.Services = [
                ecs.ServiceConnectService(
                    ClientAliases=[ecs.ServiceConnectClientAlias(DnsName=self.name, Port=self._port)],
                    DiscoveryName=self.name,
                    PortName=MAIN,
                )
            ]
        return found

    def _size(self) -> None:
        fixed = self.scaling.fixed
        if fixed or self.scaling.desired is not None:
            self.resource.DesiredCount = self.scaling.at_first
        if not fixed:
            scale(self, self.scaling)
        if self._unmeasured:
            self.resource.LoadBalancers = Deferred(self._load_balancers)

    @property
    def _unmeasured(self) -> bool:
        wanted = self.scaling.needs_targets and not self.scaling.fixed
        return wanted and not any(group.requests for group in self._groups)

    @property
    def moves(self) -> bool:
        """Whether its deployments move requests from one target group to an alternate one."""
        return self.deployment.moves

    @property
    def arn(self) -> Value:
        """ARN of the service."""
        return self.ref()

    @property
    def service_name(self) -> Value:
        """Name of the service in AWS, as metrics know it."""
        return self.attribute("Name")

    @property
    def port(self) -> int:
        """TCP port it answers on.

        Raises:
            WiringError: it has none.
        """
        if self._port is None:
            raise WiringError(f"{self}: port must be given to take requests, got nothing; give it one")
        return self._port

    def join(self, group: TargetGroup) -> None:
        """Register with ``group``, scale by its requests where that was asked for, and watch it while deploying.

        Creates ``<Name>RollbackErrorsAlarm`` and ``<Name>RollbackUnhealthyAlarm``.

        Raises:
            WiringError: it drains for longer than a task has to stop, has no second group to deploy to, or is a
                second load balancer for a service whose deployments move requests.
        """
        if group.drain > self._stop_timeout:
            raise WiringError(
                f"{self}: stop_timeout must be at least the {format_duration(group.drain)} its target group drains, "
                f"got {format_duration(self._stop_timeout)}; shorten the one or lengthen the other"
            )
        if self.deployment.moves and group.alternate is None:
            raise WiringError(
                f"{self}: deployment.strategy must be 'rolling' behind a single target group, "
                f"got {self.deployment.strategy!r}; have the load balancer make two"
            )
        if self.deployment.moves and self._groups:
            raise WiringError(
                f"{self}: deployment.strategy must be 'rolling' behind two load balancers, "
                f"got {self.deployment.strategy!r}; put it behind one"
            )
        if group.requests and self._unmeasured:
            scale_by_requests(self, self.scaling, group)
        registered = ecs.LoadBalancer(ContainerName=MAIN, ContainerPort=self.port, TargetGroupArn=group.arn)
        alternates = [] if group.alternate is None or not self.deployment.moves else [group.alternate]
        for alternate in alternates:
            registered.AdvancedConfiguration = moving(self, group, alternate)
        self._registered.append(registered)
        self.resource.LoadBalancers = Deferred(self._load_balancers)
        self.resource.HealthCheckGracePeriodSeconds = seconds(self._grace)
        known = len(self._answers())
        self._groups += [group, *alternates]
        for watch in self._answers()[known:]:
            alarm = Alarm(self.stack, f"{self.name}-rollback-{watch.name}", watch=watch, notify=self.deployment.notify)
            self.take_back_on(alarm.alarm_name)

    def _load_balancers(self) -> list[ecs.LoadBalancer]:
        if self._unmeasured:
            problem = (
                f"{self}: scaling by requests, latency or errors needs an application load balancer in front, "
                "got none; route requests to it, or scale by cpu and memory only"
            )
            raise WiringError(Problem(problem, self.origin))
        return self._registered

    def _answers(self) -> Sequence[Watch]:
        return list(self.deployment.watches(str(self), self._groups))

    def take_back_on(self, alarm: Value) -> None:
        """Take a new version back when the CloudWatch alarm called ``alarm`` goes off while it is deployed."""
        self._alarms.append(alarm)
        self._rollout.Alarms = ecs.DeploymentAlarms(AlarmNames=self._alarms, Enable=True, Rollback=True)

    def for_calling(self) -> Binding:
        """Return what another service of the cluster needs to call this one: its port, and ``<NAME>_URL``.

        The name in the URL is known to services of the same cluster that are deployed after this one; all else calls
        it through a load balancer.

        Raises:
            WiringError: it has no port.
        """
        scheme = "tcp" if self._protocol == "tcp" else "http"
        return Binding(
            self.name,
            f"calling {self}",
            environment={"URL": f"{scheme}://{self.name}:{self.port}"},
            ports=(self.port,),
            security_group=self.security_group,
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that tasks are busy or missing, and, unless ``deployment.notify`` hears of it, fail."""
        dimensions = {"ClusterName": self.cluster.cluster_name, "ServiceName": self.service_name}
        otherwise = [at.minimum for at in self.scaling.schedule.values() if at.minimum is not None]
        least = min([self.scaling.minimum, *otherwise])
        found = [
            Watch(
                name, f"{words}, percent, of {self}", "AWS/ECS", metric, dimensions, "Average", _BUSY_PERCENT, periods=3
            )
            for name, words, metric in (("cpu", "CPU", "CPUUtilization"), ("memory", "Memory", "MemoryUtilization"))
        ]
        if least:
            found.append(
                Watch(
                    "tasks", f"Running tasks of {self}", "ECS/ContainerInsights", "RunningTaskCount", dimensions,
                    "Minimum", least, comparison="<", periods=2,
                )
            )  # fmt: skip
        return found if self.deployment.notify is not None else [*found, *self._answers()]


def _capacity(spot: int) -> list[ecs.CapacityProviderStrategyItem]:
    """Return how tasks are spread over Fargate and Fargate Spot."""
    found = []
    if spot < 100:  # noqa: PLR2004  (percent)
        found.append(ecs.CapacityProviderStrategyItem(Base=1, CapacityProvider="FARGATE", Weight=100 - spot))
    if spot:
        found.append(ecs.CapacityProviderStrategyItem(CapacityProvider="FARGATE_SPOT", Weight=spot))
    return found
