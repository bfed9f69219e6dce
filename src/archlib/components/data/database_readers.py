"""Readers of an Aurora cluster that come and go with the load."""

from __future__ import annotations

from collections.abc import Sequence

from troposphere import applicationautoscaling, rds

from archlib.core.component import Component
from archlib.core.values import arn, join

_SERVICE = "rds.application-autoscaling.amazonaws.com"
_ROLE = f"role/aws-service-role/{_SERVICE}/AWSServiceRoleForApplicationAutoScaling_RDSCluster"
_CPU_PERCENT = 70


def scale_readers(cluster: Component, members: Sequence[rds.DBInstance], readers_max: int) -> None:
    """Add what keeps the readers of ``cluster`` at 70 percent CPU; there are at least those among ``members``."""
    target = cluster.add(
        applicationautoscaling.ScalableTarget(
            cluster.id("DatabaseScalableTarget"),
            MaxCapacity=readers_max,
            MinCapacity=len(members) - 1,
            ResourceId=join("cluster:", cluster.ref()),
            RoleARN=arn("iam", _ROLE, region=""),
            ScalableDimension="rds:cluster:ReadReplicaCount",
            ServiceNamespace="rds",
            # A reader must be there before another one can be added.
            DependsOn=[member.title for member in members],
        )
    )
    cluster.add(
        applicationautoscaling.ScalingPolicy(
            cluster.id("DatabaseScalingPolicy"),
            PolicyName=f"{cluster.name}-readers",
            PolicyType="TargetTrackingScaling",
            ScalingTargetId=target.ref(),
            TargetTrackingScalingPolicyConfiguration=applicationautoscaling.TargetTrackingScalingPolicyConfiguration(
                PredefinedMetricSpecification=applicationautoscaling.PredefinedMetricSpecification(
                    PredefinedMetricType="RDSReaderAverageCPUUtilization"
                ),
                TargetValue=_CPU_PERCENT,
            ),
        )
    )
