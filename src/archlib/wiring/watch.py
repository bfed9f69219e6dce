"""What is worth watching about a component: the base of alarms and dashboards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from archlib.core.values import Value
from archlib.wiring.roles import Named


@dataclass(frozen=True, slots=True)
class Watch:
    """One metric of one component, and the point at which someone should look.

    Attributes:
        name: kebab-case, unique within the component: ``errors``, ``oldest-message``.
        title: what a person reads: ``Errors of function 'orders'``.
        namespace: CloudWatch namespace, such as ``AWS/Lambda``.
        metric: metric name.
        dimensions: dimension name -> value.
        statistic: ``Sum``, ``Average``, ``Maximum``, ``Minimum``, ``SampleCount`` or a percentile such as ``p99``.
        threshold: the value that raises the alarm, in the metric's own unit.
        comparison: how the metric is compared with the threshold.
        period: length of one data point.
        periods: data points in a row that must be over the threshold.
        region: the one region the metric is in; None: that of the component.
    """

    name: str
    title: str
    namespace: str
    metric: str
    dimensions: Mapping[str, Value]
    statistic: str
    threshold: float
    comparison: Literal[">", ">=", "<", "<="] = ">="
    period: timedelta = timedelta(minutes=5)
    periods: int = 1
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """One metric of everything of a kind, whatever there is when somebody looks: of all services of a cluster.

    Attributes:
        title: what a person reads: ``CPU of the services, percent``.
        namespace: CloudWatch namespace, such as ``AWS/ECS``.
        metric: metric name.
        dimensions: names of the metric's dimensions.
        where: dimension name -> the value it must have.
        statistic: as of a :class:`Watch`.
    """

    title: str
    namespace: str
    metric: str
    dimensions: Sequence[str]
    where: Mapping[str, Value]
    statistic: str


class Watched(Named, Protocol):
    """A component that says what is worth watching about it."""

    @property
    def label(self) -> str:
        """What kind of component it is, in words."""
        ...

    def watches(self) -> Sequence[Watch]:
        """Return the metrics that show whether it is well, most telling first."""
        ...
