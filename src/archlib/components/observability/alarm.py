"""CloudWatch alarms, made from what each component says is worth watching."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from troposphere import cloudwatch

from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value, arn
from archlib.units import format_duration, seconds
from archlib.wiring.roles import Target
from archlib.wiring.watch import Watch, Watched

_COMPARISONS = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}
_STATISTICS = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")
_SHORT_PERIODS = (10, 20, 30)
_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)


class Alarm(Component):
    """A CloudWatch alarm that tells one target when it goes off, when all is well again, and when data is missing.

    Instead, or beside that, it starts something when it goes off: a scaling policy.

    Creates ``<Name>Alarm``. Missing data is no alarm: a metric without events has none.

    See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html

    Args:
        stack: where the alarm goes.
        name: kebab-case.
        watch: the metric and the threshold.
        notify: who is told, usually a topic; CloudWatch is admitted there for every alarm of this account.
        starts: ARNs of what starts when it goes off, such as scaling policies.

    Attributes:
        resource: the ``AWS::CloudWatch::Alarm``.

    Raises:
        SettingsError: the period is not one CloudWatch has, the periods together are longer than it looks back, or
            the metric is in another region.
    """

    kind = "Alarm"

    def __init__(
        self, stack: Stack, name: str, *, watch: Watch, notify: Target | None = None, starts: Sequence[Value] = ()
    ) -> None:
        super().__init__(stack, name)
        period = seconds(watch.period)
        with self.checking() as check:
            check.that(
                period in _SHORT_PERIODS or (period > 0 and period % 60 == 0),
                "period", "10s, 20s, 30s or whole minutes", watch.period,
            )  # fmt: skip
            most = _WEEK if watch.period >= _HOUR else _DAY
            check.that(watch.periods >= 1, "periods", "1 or more", watch.periods)
            check.that(
                watch.period * watch.periods <= most,
                "periods", f"at most {format_duration(most)} together", watch.period * watch.periods,
            )  # fmt: skip
            check.one_of("comparison", watch.comparison, tuple(_COMPARISONS))
            check.that(
                watch.region in {None, stack.region},
                "stack", f"one of region {watch.region}, where the metric is", stack.region,
                f"put the alarm, and whom it tells, into Stack(app, name, region={watch.region!r})",
            )  # fmt: skip
        self.resource = cloudwatch.Alarm(
            self.id(),
            ActionsEnabled=True,
            AlarmDescription=f"{watch.title}: {watch.comparison} {watch.threshold:g} "
            f"for {format_duration(watch.period * watch.periods)}",
            ComparisonOperator=_COMPARISONS[watch.comparison],
            DatapointsToAlarm=watch.periods,
            Dimensions=[
                cloudwatch.MetricDimension(Name=dimension, Value=value)
                for dimension, value in sorted(watch.dimensions.items())
            ],
            EvaluationPeriods=watch.periods,
            MetricName=watch.metric,
            Namespace=watch.namespace,
            Period=period,
            Threshold=watch.threshold,
            TreatMissingData="notBreaching",
        )
        if notify is not None:
            notify.admit("cloudwatch", arn("cloudwatch", "alarm:*"), label="Alarms")
            self.resource.InsufficientDataActions = self.resource.OKActions = [notify.arn]
        if actions := [*([] if notify is None else [notify.arn]), *starts]:
            self.resource.AlarmActions = actions
        if watch.statistic in _STATISTICS:
            self.resource.Statistic = watch.statistic
        else:
            self.resource.ExtendedStatistic = watch.statistic
            # A percentile of a handful of values says nothing.
            self.resource.EvaluateLowSampleCountPercentile = "ignore"
        self.add(self.resource)

    @classmethod
    def each(cls, stack: Stack, watched: Iterable[Watched], *, notify: Target) -> list[Alarm]:
        """Return one alarm, called ``<component>-<kind>-<watch>``, for each watch of the components ``watched``.

        Call it when the components are wired: some watch more then, such as their dead-letter queue.
        """
        return [
            cls(stack, f"{component.name}-{component.label.replace(' ', '-')}-{watch.name}", watch=watch, notify=notify)
            for component in watched
            for watch in component.watches()
        ]

    @property
    def arn(self) -> Value:
        """ARN of the alarm."""
        return self.attribute("Arn")

    @property
    def alarm_name(self) -> Value:
        """Name of the alarm in AWS."""
        return self.ref()
