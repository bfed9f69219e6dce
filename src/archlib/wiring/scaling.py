"""How many instances or tasks run, and what changes that number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from archlib.core.component import Check
from archlib.core.values import Value
from archlib.wiring.binding import TargetGroup
from archlib.wiring.expression import check_schedule
from archlib.wiring.watch import Watch

Signal = Literal["cpu", "memory", "latency", "errors", "successes", "requests"]

_PERCENT = (1, 100)
_OF_TARGETS: dict[Signal, tuple[str, str, str]] = {
    "latency": ("TargetResponseTime", "Average", "Response time, milliseconds"),
    "errors": ("HTTPCode_Target_5XX_Count", "Sum", "Server errors per minute"),
    "successes": ("HTTPCode_Target_2XX_Count", "Sum", "Successful responses per minute"),
    "requests": ("RequestCountPerTarget", "Sum", "Requests per target and minute"),
}
_MINUTE = timedelta(minutes=1)
_MS_PER_S = 1000
SIGNALS: tuple[Signal, ...] = ("cpu", "memory", *_OF_TARGETS)


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the number when a metric crosses a line.

    Attributes:
        metric: ``cpu`` or ``memory`` in percent, ``latency`` in milliseconds, or per minute ``errors`` (5xx),
            ``successes`` (2xx) or ``requests`` (per target). All but the first two need a load balancer in front.
        change: how many are added, or removed if negative.
        above: the change happens while the metric is above this.
        below: the change happens while the metric is below this.
        minutes: for how long it must be so, 1 to 60.
    """

    metric: Signal
    change: int
    above: float | None = None
    below: float | None = None
    minutes: int = 1

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.one_of(f"{field}.metric", self.metric, SIGNALS)
        check.that(self.change != 0, f"{field}.change", "positive to add, negative to remove", self.change)
        check.that(
            (self.above is None) != (self.below is None),
            field, "one with either above or below", {"above": self.above, "below": self.below},
        )  # fmt: skip
        check.between(f"{field}.minutes", self.minutes, 1, 60)

    @property
    def name(self) -> str:
        """Kebab-case, and different for different lines: ``cpu-above``."""
        return f"{self.metric}-{'above' if self.below is None else 'below'}"

    def watch(self, title: str, own: Mapping[Signal, Watch], group: TargetGroup | None) -> Watch:
        """Return what to watch.

        Args:
            title: whose number it is, in words.
            own: the watches of ``cpu`` and ``memory``, whose threshold does not matter.
            group: the target group, for everything else.

        Raises:
            KeyError: the metric is one of a target group, and there is none; or there is no such own metric.
        """
        dimensions: Mapping[str, Value]
        threshold = self.above if self.below is None else self.below
        assert threshold is not None  # noqa: S101  (checked before)
        if self.metric in _OF_TARGETS:
            if group is None:
                raise KeyError(self.metric)
            metric, statistic, words = _OF_TARGETS[self.metric]
            unit = _MS_PER_S if self.metric == "latency" else 1
            namespace, dimensions, threshold = "AWS/ApplicationELB", group.dimensions, threshold / unit
        else:
            base = own[self.metric]
            metric, statistic, words = base.metric, base.statistic, f"{base.metric}, percent"
            namespace, dimensions = base.namespace, base.dimensions
        return Watch(
            self.name, f"{words} of {title}", namespace, metric, dimensions, statistic, threshold,
            comparison=">" if self.below is None else "<", period=_MINUTE, periods=self.minutes,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScheduledSize:
    """A change of the limits at certain times.

    Attributes:
        when: ``cron(0 8 ? * MON-FRI *)``, ``rate(...)`` or ``at(...)``.
        minimum: the new least number; unchanged if left out.
        maximum: the new most; unchanged if left out.
        timezone: name of the time zone ``when`` is in.
    """

    when: str
    minimum: int | None = None
    maximum: int | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many instances or tasks run, and what changes that number.

    Attributes:
        minimum: never fewer than these; two or more survive the loss of a zone.
        maximum: never more than these.
        desired: how many at first; ``minimum`` by default.
        cpu: keeps the average CPU at this percentage, 1 to 100; None: CPU decides nothing.
        memory: keeps the average memory at this percentage; None: memory decides nothing.
        requests: keeps the requests per target and minute at this number; needs an application load balancer.
        steps: changes when a metric crosses a line, beside keeping averages.
        schedule: name -> a change of the limits at certain times.
        scale_out_cooldown: how long to wait after adding, 0 seconds to 1 hour.
        scale_in_cooldown: how long to wait after removing, 0 seconds to 1 hour.
    """

    minimum: int = 2
    maximum: int = 10
    desired: int | None = None
    cpu: int | None = 70
    memory: int | None = None
    requests: int | None = None
    steps: Sequence[Step] = ()
    schedule: Mapping[str, ScheduledSize] = field(default_factory=dict)
    scale_out_cooldown: timedelta = timedelta(seconds=60)
    scale_in_cooldown: timedelta = timedelta(seconds=300)

    @property
    def at_first(self) -> int:
        """How many run at first."""
        return self.minimum if self.desired is None else self.desired

    @property
    def fixed(self) -> bool:
        """Whether nothing ever changes the number."""
        return self.minimum == self.maximum and not self.schedule

    @property
    def needs_targets(self) -> bool:
        """Whether something can only be measured behind a load balancer."""
        return self.requests is not None or any(step.metric in _OF_TARGETS for step in self.steps)

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(self.minimum >= 0, "scaling.minimum", "0 or more", self.minimum)
        check.that(
            self.maximum >= max(self.minimum, 1), "scaling.maximum", f"{max(self.minimum, 1)} or more", self.maximum
        )
        check.between(
            "scaling.desired", self.desired, self.minimum, self.maximum, "between scaling.minimum and scaling.maximum"
        )
        check.between("scaling.cpu", self.cpu, *_PERCENT)
        check.between("scaling.memory", self.memory, *_PERCENT)
        check.that(self.requests is None or self.requests > 0, "scaling.requests", "1 or more", self.requests)
        cooldowns = (("out", self.scale_out_cooldown), ("in", self.scale_in_cooldown))
        for direction, cooldown in cooldowns:
            check.between(f"scaling.scale_{direction}_cooldown", cooldown, timedelta(0), timedelta(hours=1))
        for index, step in enumerate(self.steps):
            step.check(check, f"scaling.steps.{index}")
        names = [step.name for step in self.steps]
        check.that(
            len(set(names)) == len(names), "scaling.steps", "one for each metric and direction", names, "merge them"
        )
        for name, size in self.schedule.items():
            where = f"scaling.schedule.{name}"
            check.name(where, name, "schedule")
            check_schedule(check, f"{where}.when", size.when, timezone=size.timezone)
            check.that(
                size.minimum is not None or size.maximum is not None,
                where, "one that sets minimum or maximum", size.when, "add one of them",
            )  # fmt: skip
            low = self.minimum if size.minimum is None else size.minimum
            high = self.maximum if size.maximum is None else size.maximum
            check.that(0 <= low <= high, f"{where}.minimum", f"0 to {high}", low)
