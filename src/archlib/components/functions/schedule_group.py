"""Groups of schedules, which share metrics."""

from __future__ import annotations

from collections.abc import Sequence

from troposphere import scheduler

from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.watch import Watch


class ScheduleGroup(Component):
    """A group of schedules; EventBridge Scheduler counts failures for each group, not for each schedule.

    Creates ``<Name>ScheduleGroup``.

    See https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-group.html

    Args:
        stack: where the resources go.
        name: kebab-case.

    Attributes:
        resource: the ``AWS::Scheduler::ScheduleGroup``.
    """

    kind = "ScheduleGroup"

    def __init__(self, stack: Stack, name: str) -> None:
        super().__init__(stack, name)
        self.resource = scheduler.ScheduleGroup(self.id())
        self.add(self.resource)

    @property
    def group_name(self) -> Value:
        """Name of the group in AWS."""
        return self.ref()

    def watches(self) -> Sequence[Watch]:
        """Return what shows that schedules of the group do not start what they should."""
        dimensions = {"ScheduleGroup": self.group_name}
        return (
            Watch(
                "target-errors", f"Errors of the targets of {self}", "AWS/Scheduler", "TargetErrorCount", dimensions,
                "Sum", 1,
            ),
            Watch(
                "dropped-invocations", f"Invocations that {self} gave up", "AWS/Scheduler", "InvocationDroppedCount",
                dimensions, "Sum", 1,
            ),
        )  # fmt: skip
