"""The Auto Scaling group: what it is made of, how it starts, and how it takes a new launch template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from troposphere import autoscaling, ec2
from troposphere.policies import (
    AutoScalingCreationPolicy,
    AutoScalingRollingUpdate,
    AutoScalingScheduledAction,
    CreationPolicy,
    ResourceSignal,
    UpdatePolicy,
)

from archlib.core.component import Check
from archlib.core.suppression import suppress
from archlib.core.values import Value
from archlib.units import seconds
from archlib.wiring.scaling import Scaling

Update = Literal["rolling", "refresh"]

# A replacement starts before what it replaces ends.
_HEALTHY: dict[str, Any] = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110}
# What would start or end instances while CloudFormation counts them.
_SUSPENDED = ("AlarmNotification", "AZRebalance", "HealthCheck", "ReplaceUnhealthy", "ScheduledActions")


class _UpdatePolicy(UpdatePolicy):
    # troposphere 4.11 does not know instance refresh yet.
    props = {**UpdatePolicy.props, "AutoScalingInstanceRefresh": (dict, False)}  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class WarmPool:
    """Instances that have started already and wait, so that adding them takes seconds.

    Attributes:
        minimum: never fewer wait than these.
        state: how they wait; a stopped instance costs only its volume.
        reuse: an instance that is no longer needed goes back to the pool.
    """

    minimum: int = 1
    state: Literal["Stopped", "Running"] = "Stopped"
    reuse: bool = False

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(self.minimum >= 0, "warm_pool.minimum", "0 or more", self.minimum)
        check.one_of("warm_pool.state", self.state, ("Stopped", "Running"))

    def render(self, title: str, group: Value) -> autoscaling.WarmPool:
        """Return it as the resource ``title`` of the group called ``group``."""
        return autoscaling.WarmPool(
            title,
            AutoScalingGroupName=group,
            InstanceReusePolicy=autoscaling.InstanceReusePolicy(ReuseOnScaleIn=self.reuse),
            MinSize=self.minimum,
            PoolState=self.state,
        )


def autoscaling_group(
    title: str,
    *,
    template: ec2.LaunchTemplate,
    types: Sequence[str],
    spot: int,
    on_demand: int,
    scaling: Scaling,
    subnets: Sequence[Value],
    start_timeout: timedelta,
    max_lifetime_days: int | None,
) -> autoscaling.AutoScalingGroup:
    """Return the group ``title`` of instances made from ``template``; see :class:`Instances` for the rest."""
    group = autoscaling.AutoScalingGroup(
        title,
        Cooldown=str(seconds(scaling.scale_in_cooldown)),
        DefaultInstanceWarmup=seconds(scaling.scale_out_cooldown),
        HealthCheckGracePeriod=seconds(start_timeout),
        InstanceMaintenancePolicy=autoscaling.InstanceMaintenancePolicy(**_HEALTHY),
        MaxSize=scaling.maximum,
        MetricsCollection=[autoscaling.MetricsCollection(Granularity="1Minute")],
        MinSize=scaling.minimum,
        TerminationPolicies=["OldestLaunchTemplate", "OldestInstance"],
        VPCZoneIdentifier=list(subnets),
    )
    suppress(group, "availability-zones-follow-subnets")
    version: dict[str, Any] = {"LaunchTemplateId": template.ref(), "Version": template.get_att("LatestVersionNumber")}
    specification = autoscaling.LaunchTemplateSpecification(**version)
    if spot == 0 and len(types) == 1:
        group.LaunchTemplate = specification
        suppress(group, "single-instance-type")
    else:
        group.MixedInstancesPolicy = _mixed(specification, types, spot, on_demand)
    if spot:
        group.CapacityRebalance = True
    # Left out otherwise: every deployment would set the number back.
    if scaling.desired is not None:
        group.DesiredCapacity = str(scaling.desired)
    if max_lifetime_days is not None:
        group.MaxInstanceLifetime = seconds(timedelta(days=max_lifetime_days))
    return group


def set_updates(group: autoscaling.AutoScalingGroup, scaling: Scaling, update: Update, timeout: timedelta) -> None:
    """Have CloudFormation wait for the instances of ``group``, each for ``timeout``, now and at updates."""
    wait = f"PT{seconds(timeout)}S"
    policy = _UpdatePolicy(
        AutoScalingScheduledAction=AutoScalingScheduledAction(IgnoreUnmodifiedGroupSizeProperties=True)
    )
    if update == "rolling":
        policy.AutoScalingRollingUpdate = AutoScalingRollingUpdate(
            MaxBatchSize=1,
            MinInstancesInService=min(scaling.minimum, scaling.maximum - 1),
            MinSuccessfulInstancesPercent=100,
            PauseTime=wait,
            SuspendProcesses=list(_SUSPENDED),
            WaitOnResourceSignals=True,
        )
    else:
        preferences = {**_HEALTHY, "SkipMatching": True}
        policy.AutoScalingInstanceRefresh = {"Strategy": "Rolling", "Preferences": preferences}
    group.UpdatePolicy = policy
    if scaling.at_first:
        group.CreationPolicy = CreationPolicy(
            AutoScalingCreationPolicy=AutoScalingCreationPolicy(MinSuccessfulInstancesPercent=100),
            ResourceSignal=ResourceSignal(Count=scaling.at_first, Timeout=wait),
        )


def _mixed(
    specification: autoscaling.LaunchTemplateSpecification, types: Sequence[str], spot: int, on_demand: int
) -> autoscaling.MixedInstancesPolicy:
    distribution = autoscaling.InstancesDistribution(
        OnDemandAllocationStrategy="prioritized",
        OnDemandBaseCapacity=on_demand if spot else 0,
        OnDemandPercentageAboveBaseCapacity=100 - spot,
    )
    if spot:
        distribution.SpotAllocationStrategy = "price-capacity-optimized"
    return autoscaling.MixedInstancesPolicy(
        InstancesDistribution=distribution,
        LaunchTemplate=autoscaling.LaunchTemplate(
            LaunchTemplateSpecification=specification,
            Overrides=[autoscaling.LaunchTemplateOverrides(InstanceType=each) for each in types],
        ),
    )
