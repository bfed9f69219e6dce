"""Capacity of a table that is bought by the hour, and follows the load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from troposphere import applicationautoscaling, dynamodb

from archlib.core.component import Check, Component
from archlib.core.naming import pascal
from archlib.core.values import join

Dimension = Literal["Read", "Write"]

_UNITS_MAX = 40_000
_UTILIZATION = (20, 90)


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Capacity bought by the hour: cheaper than paying per request where the load is steady.

    A read unit is one strongly consistent read of up to 4 KiB a second, a write unit one write of up to 1 KiB.

    Attributes:
        read_min: fewest read units, 1 to 40,000.
        read_max: most read units, at least ``read_min``.
        write_min: fewest write units, 1 to 40,000.
        write_max: most write units, at least ``write_min``.
        utilization_percent: use of the capacity that scaling holds, 20 to 90.
    """

    read_min: int
    read_max: int
    write_min: int
    write_max: int
    utilization_percent: int = 70

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        for dimension in ("read", "write"):
            low, high = getattr(self, f"{dimension}_min"), getattr(self, f"{dimension}_max")
            check.between(f"{field}.{dimension}_min", low, 1, _UNITS_MAX)
            check.between(f"{field}.{dimension}_max", high, low, _UNITS_MAX)
        check.between(f"{field}.utilization_percent", self.utilization_percent, *_UTILIZATION)

    def limits(self, dimension: Dimension) -> tuple[int, int]:
        """Return the fewest and the most units of ``dimension``."""
        return (self.read_min, self.read_max) if dimension == "Read" else (self.write_min, self.write_max)

    def throughput(self) -> dynamodb.ProvisionedThroughput:
        """Return what a table or index starts with."""
        return dynamodb.ProvisionedThroughput(ReadCapacityUnits=self.read_min, WriteCapacityUnits=self.write_min)

    def scaling(self, dimension: Dimension) -> dynamodb.CapacityAutoScalingSettings:
        """Return how a global table scales ``dimension`` by itself."""
        low, high = self.limits(dimension)
        return dynamodb.CapacityAutoScalingSettings(
            MaxCapacity=high,
            MinCapacity=low,
            TargetTrackingScalingPolicyConfiguration=dynamodb.TargetTrackingScalingPolicyConfiguration(
                TargetValue=self.utilization_percent
            ),
        )

    def scale(self, table: Component, index: str = "") -> None:
        """Add what scales ``table``, or its global index ``index``, with its use."""
        resource = join("table/", table.ref(), f"/index/{index}" if index else "")
        for dimension in ("Read", "Write"):
            part = f"{table.kind}{pascal(index)}{dimension}"
            low, high = self.limits(dimension)
            target = applicationautoscaling.ScalableTarget(
                table.id(f"{part}ScalableTarget"),
                MaxCapacity=high,
                MinCapacity=low,
                ResourceId=resource,
                ScalableDimension=f"dynamodb:{'index' if index else 'table'}:{dimension}CapacityUnits",
                ServiceNamespace="dynamodb",
            )
            table.add(target)
            tracking = applicationautoscaling.TargetTrackingScalingPolicyConfiguration(
                PredefinedMetricSpecification=applicationautoscaling.PredefinedMetricSpecification(
                    PredefinedMetricType=f"DynamoDB{dimension}CapacityUtilization"
                ),
                TargetValue=self.utilization_percent,
            )
            policy = applicationautoscaling.ScalingPolicy(
                table.id(f"{part}ScalingPolicy"),
                PolicyName=f"{table.name}-{index or 'table'}-{dimension.lower()}",
                PolicyType="TargetTrackingScaling",
                ScalingTargetId=target.ref(),
                TargetTrackingScalingPolicyConfiguration=tracking,
            )
            table.add(policy)
