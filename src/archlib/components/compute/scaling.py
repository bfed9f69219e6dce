"""Scaling policies, alarms and schedules of a group of instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from troposphere import autoscaling

from archlib.components.compute.cron import crontab, once
from archlib.components.observability.alarm import Alarm
from archlib.core.component import Check
from archlib.core.naming import pascal
from archlib.units import seconds
from archlib.wiring.binding import TargetGroup
from archlib.wiring.expression import expression_problem
from archlib.wiring.scaling import Scaling, Signal, Step
from archlib.wiring.watch import Watch

if TYPE_CHECKING:
    from archlib.components.compute.instances import Instances

OWN: tuple[Signal, ...] = ("cpu", "memory")


def check_scaling(check: Check, scaling: Scaling, *, memory: bool) -> None:
    """Note what is wrong with ``scaling``; ``memory``: there is an agent that measures it."""
    scaling.check(check)
    wants_memory = scaling.memory is not None or any(step.metric == "memory" for step in scaling.steps)
    check.that(memory or not wants_memory, "agent", "given to scale by memory", None, "give it, empty for the defaults")
    for name, size in scaling.schedule.items():
        where = f"scaling.schedule.{name}"
        check.that(
            crontab(size.when) or once(size.when) or expression_problem(size.when),
            f"{where}.when", "at(yyyy-mm-ddThh:mm:ss), or cron(...) with numbers, names, lists and ranges for every "
            "year, which is all that Auto Scaling groups know", size.when,
        )  # fmt: skip
        check.that(
            not once(size.when) or size.timezone == "UTC", f"{where}.timezone", "UTC with at(...)", size.timezone
        )


def scale(instances: Instances, watches: Mapping[Signal, Watch]) -> None:
    """Add what scales by the instances' own metrics, of which ``watches`` are the watches, and by the clock."""
    scaling = instances.scaling
    if scaling.fixed:
        return
    if scaling.cpu is not None:
        _track(instances, "Cpu", scaling.cpu, "ASGAverageCPUUtilization")
    if scaling.memory is not None:
        memory = watches["memory"]
        policy = autoscaling.TargetTrackingConfiguration(
            CustomizedMetricSpecification=autoscaling.CustomizedMetricSpecification(
                Dimensions=[
                    autoscaling.MetricDimension(Name=name, Value=value) for name, value in memory.dimensions.items()
                ],
                MetricName=memory.metric,
                Namespace=memory.namespace,
                Statistic=memory.statistic,
            ),
            TargetValue=scaling.memory,
        )
        _policy(instances, "Memory", PolicyType="TargetTrackingScaling", TargetTrackingConfiguration=policy)
    for step in scaling.steps:
        if step.metric in OWN:
            _step(instances, step, step.watch(str(instances), watches, None))
    for name, size in scaling.schedule.items():
        action = autoscaling.ScheduledAction(
            instances.id(f"Instances{pascal(name)}Schedule"), AutoScalingGroupName=instances.ref()
        )
        if start := once(size.when):
            action.StartTime = start
        else:
            action.Recurrence, action.TimeZone = crontab(size.when), size.timezone
        if size.minimum is not None:
            action.MinSize = size.minimum
        if size.maximum is not None:
            action.MaxSize = size.maximum
        instances.add(action)


def scale_by_targets(instances: Instances, group: TargetGroup) -> None:
    """Add what scales by the requests of ``group``."""
    scaling = instances.scaling
    if scaling.fixed:
        return
    steps = [step for step in scaling.steps if step.metric not in OWN]
    added = [_step(instances, step, step.watch(str(instances), {}, group)) for step in steps]
    if scaling.requests is not None:
        label = group.resource_label
        added.append(_track(instances, "Requests", scaling.requests, "ALBRequestCountPerTarget", ResourceLabel=label))
    for policy in added:
        # A group of targets has a label only when a load balancer uses it.
        policy.DependsOn = group.ready


def _track(instances: Instances, name: str, target: float, metric: str, **details: Any) -> autoscaling.ScalingPolicy:
    return _policy(
        instances,
        name,
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration=autoscaling.TargetTrackingConfiguration(
            PredefinedMetricSpecification=autoscaling.PredefinedMetricSpecification(
                PredefinedMetricType=metric, **details
            ),
            TargetValue=target,
        ),
    )


def _step(instances: Instances, step: Step, watch: Watch) -> autoscaling.ScalingPolicy:
    scaling = instances.scaling
    if instances.simple_steps:
        cooldown = scaling.scale_out_cooldown if step.change > 0 else scaling.scale_in_cooldown
        kind: dict[str, Any] = {
            "PolicyType": "SimpleScaling",
            "ScalingAdjustment": step.change,
            "Cooldown": str(seconds(cooldown)),
        }
    else:
        bound: dict[str, Any] = {f"MetricInterval{'Lower' if step.below is None else 'Upper'}Bound": 0}
        adjustment = autoscaling.StepAdjustments(ScalingAdjustment=step.change, **bound)
        kind = {"PolicyType": "StepScaling", "MetricAggregationType": "Average", "StepAdjustments": [adjustment]}
    policy = _policy(instances, pascal(step.name), AdjustmentType="ChangeInCapacity", **kind)
    Alarm(instances.stack, f"{instances.name}-instances-{step.name}", watch=watch, starts=[policy.ref()])
    return policy


def _policy(instances: Instances, name: str, **properties: Any) -> autoscaling.ScalingPolicy:
    return instances.add(
        autoscaling.ScalingPolicy(
            instances.id(f"Instances{name}Scaling"), AutoScalingGroupName=instances.ref(), **properties
        )
    )
