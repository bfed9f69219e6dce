"""How the number of tasks of a service follows its load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import applicationautoscaling as scaling

from archlib.components.observability.alarm import Alarm
from archlib.core.naming import check_name, pascal
from archlib.core.values import join
from archlib.units import seconds
from archlib.wiring.binding import TargetGroup
from archlib.wiring.scaling import Scaling, ScheduledSize, Step

if TYPE_CHECKING:
    from archlib.components.containers.service import FargateService

_OWN = ("cpu", "memory")


def scale(service: FargateService, size: Scaling) -> None:
    """Let CPU, memory and the clock decide how many tasks of ``service`` run."""
    target = scaling.ScalableTarget(
        service.id("ServiceScaling"),
        MaxCapacity=size.maximum,
        MinCapacity=size.minimum,
        ResourceId=join("service/", service.cluster.cluster_name, "/", service.service_name),
        ScalableDimension="ecs:service:DesiredCount",
        ServiceNamespace="ecs",
    )
    if size.schedule:
        target.ScheduledActions = [
            scaling.ScheduledAction(
                ScheduledActionName=name,
                Schedule=at.when,
                Timezone=at.timezone,
                ScalableTargetAction=_limits(at),
            )
            for name, at in sorted(size.schedule.items())
        ]
    service.add(target)
    for name, metric, percent in (
        ("cpu", "ECSServiceAverageCPUUtilization", size.cpu),
        ("memory", "ECSServiceAverageMemoryUtilization", size.memory),
    ):
        if percent is not None:
            _track(service, size, name, percent, scaling.PredefinedMetricSpecification(PredefinedMetricType=metric))
    for step in size.steps:
        if step.metric in _OWN:
            _step(service, size, step, None)


def scale_by_requests(service: FargateService, size: Scaling, group: TargetGroup) -> None:
    """Let what ``group`` measures decide how many tasks of ``service`` run."""
    if size.requests is not None:
        metric = scaling.PredefinedMetricSpecification(
            PredefinedMetricType="ALBRequestCountPerTarget", ResourceLabel=group.resource_label
        )
        _track(service, size, "requests", size.requests, metric)
    for step in size.steps:
        if step.metric not in _OWN:
            _step(service, size, step, group)


def _limits(at: ScheduledSize) -> scaling.ScalableTargetAction:
    found = scaling.ScalableTargetAction()
    if at.minimum is not None:
        found.MinCapacity = at.minimum
    if at.maximum is not None:
        found.MaxCapacity = at.maximum
    return found


def _track(
    service: FargateService, size: Scaling, name: str, value: int, metric: scaling.PredefinedMetricSpecification
) -> None:
    policy = scaling.ScalingPolicy(
        service.id(f"Service{pascal(name)}Scaling"),
        PolicyName=f"{service.name}-{name}",
        PolicyType="TargetTrackingScaling",
        ScalingTargetId=service.ref("ServiceScaling"),
        TargetTrackingScalingPolicyConfiguration=scaling.TargetTrackingScalingPolicyConfiguration(
            PredefinedMetricSpecification=metric,
            ScaleInCooldown=seconds(size.scale_in_cooldown),
            ScaleOutCooldown=seconds(size.scale_out_cooldown),
            TargetValue=value,
        ),
    )
    if "ResourceLabel" in metric.properties:
        # The group counts requests once a load balancer uses it.
        policy.DependsOn = service.resource.title
    service.add(policy)


def _step(service: FargateService, size: Scaling, step: Step, group: TargetGroup | None) -> None:
    change = scaling.StepAdjustment(ScalingAdjustment=step.change)
    if step.below is None:
        change.MetricIntervalLowerBound = 0
    else:
        change.MetricIntervalUpperBound = 0
    policy = scaling.ScalingPolicy(
        service.id(f"Service{pascal(step.name)}Scaling"),
        PolicyName=f"{service.name}-{step.name}",
        PolicyType="StepScaling",
        ScalingTargetId=service.ref("ServiceScaling"),
        StepScalingPolicyConfiguration=scaling.StepScalingPolicyConfiguration(
            AdjustmentType="ChangeInCapacity",
            Cooldown=seconds(size.scale_out_cooldown if step.change > 0 else size.scale_in_cooldown),
            MetricAggregationType="Average",
            StepAdjustments=[change],
        ),
    )
    service.add(policy)
    own = {watch.name: watch for watch in service.watches() if watch.name in _OWN}
    name = check_name(f"{service.name}-scaling-{step.name}", "alarm")
    watch = step.watch(str(service), {"cpu": own["cpu"], "memory": own["memory"]}, group)
    Alarm(service.stack, name, watch=watch, starts=[policy.ref()])
