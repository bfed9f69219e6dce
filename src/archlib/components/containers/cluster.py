"""ECS clusters."""

from __future__ import annotations

from collections.abc import Sequence

from troposphere import ecs

from archlib.components.containers.discovery import Namespace
from archlib.components.identity.key import Key
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.watch import Overview, Watch

_CHANNELS = (
    *("ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel"),
    *("ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
)


class Cluster(Component):
    """An ECS cluster on Fargate and Fargate Spot, measured by Container Insights, whose services find each other.

    Creates ``<Name>Cluster`` and ``<Name>Namespace``; with ``instances`` also ``<Name>ClusterCapacity``, and once a
    service allows shells ``<Name>ShellLogGroup``, which records the sessions.

    See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security-ecs-best-practices.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        instances: name or ARN of an Auto Scaling group, for tasks that Fargate cannot run; ECS starts and stops its
            instances as tasks need them. It is offered as the capacity provider :attr:`capacity`.
        log_retention_days: days a recorded shell is kept.
        key: the KMS key of shells and their records; the app's by default.

    Attributes:
        resource: the ``AWS::ECS::Cluster``.
        namespace: its :class:`~archlib.components.containers.discovery.Namespace`.
        capacity: name of the capacity provider of ``instances``; None without them.
    """

    kind = "Cluster"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        instances: Value | None = None,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check_retention(check, log_retention_days)
        self.key = key or Key.of(stack)
        self.namespace = Namespace(stack, name)
        self._retention_days = log_retention_days
        self._shells: LogGroup | None = None
        self.capacity = None if instances is None else self._capacity(instances)
        self.resource = ecs.Cluster(
            self.id(),
            CapacityProviders=["FARGATE", "FARGATE_SPOT", *([self.capacity] if self.capacity else [])],
            ClusterSettings=[ecs.ClusterSetting(Name="containerInsights", Value="enabled")],
        )
        self.add(self.resource)

    def _capacity(self, instances: Value) -> Value:
        provider = ecs.CapacityProvider(
            self.id("ClusterCapacity"),
            AutoScalingGroupProvider=ecs.AutoScalingGroupProvider(
                AutoScalingGroupArn=instances,
                ManagedDraining="ENABLED",
                ManagedScaling=ecs.ManagedScaling(Status="ENABLED", TargetCapacity=100),
                # Protection would need the group to protect its new instances, which only their owner can set.
                ManagedTerminationProtection="DISABLED",
            ),
        )
        return self.add(provider).ref()

    @property
    def arn(self) -> Value:
        """ARN of the cluster."""
        return self.attribute("Arn")

    @property
    def cluster_name(self) -> Value:
        """Name of the cluster in AWS, as metrics know it."""
        return self.ref()

    def watches(self) -> Sequence[Watch]:
        """Return nothing: services watch themselves."""
        return ()

    def overviews(self) -> Sequence[Overview]:
        """Return how busy the services are, whichever there are."""
        dimensions, where = ("ClusterName", "ServiceName"), {"ClusterName": self.cluster_name}
        return tuple(
            Overview(f"{words} of the services in {self}, percent", "AWS/ECS", metric, dimensions, where, "Average")
            for words, metric in (("CPU", "CPUUtilization"), ("Memory", "MemoryUtilization"))
        )

    def for_shell(self) -> Binding:
        """Return what containers need for ``aws ecs execute-command``; sessions are then encrypted and recorded."""
        if self._shells is None:
            self._shells = LogGroup(self.stack, f"{self.name}-shell", retention_days=self._retention_days, key=self.key)
            self.resource.Configuration = ecs.ClusterConfiguration(
                ExecuteCommandConfiguration=ecs.ExecuteCommandConfiguration(
                    KmsKeyId=self.key.arn,
                    Logging="OVERRIDE",
                    LogConfiguration=ecs.ExecuteCommandLogConfiguration(
                        CloudWatchEncryptionEnabled=True, CloudWatchLogGroupName=self._shells.group_name
                    ),
                )
            )
        return Binding(
            self.name,
            f"shells recorded by {self}",
            (
                Grant(_CHANNELS, ("*",)),
                Grant(("logs:DescribeLogGroups",), ("*",)),
                Grant(("logs:DescribeLogStreams",), (self._shells.attribute("Arn"),)),
                *self._shells.for_writing().grants,
                self.key.for_decrypting(),
            ),
        )
