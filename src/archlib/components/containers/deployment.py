"""How new versions of a service replace the old ones, and when they are taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from troposphere import Ref, ecs

from archlib.components.identity.role import Role
from archlib.core.component import Check, Component
from archlib.wiring.binding import Grant, TargetGroup
from archlib.wiring.roles import Target
from archlib.wiring.watch import Watch

Strategy = Literal["rolling", "blue-green", "canary", "linear"]

_STRATEGIES: dict[str, str] = {
    "rolling": "ROLLING",
    "blue-green": "BLUE_GREEN",
    "canary": "CANARY",
    "linear": "LINEAR",
}
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_DESCRIBE = ("DescribeListeners", "DescribeRules", "DescribeTargetGroups", "DescribeTargetHealth")


@dataclass(frozen=True, slots=True)
class Deployment:
    """How new versions of a service replace the old ones.

    A version that does not start, or for which an alarm goes off meanwhile, is taken back.

    Unless ``rolling``, ECS changes which of the two target groups the listener's rule sends requests to. A change of
    that rule by CloudFormation sends them to the first one again: change routes while the tasks are there.

    Attributes:
        strategy: ``rolling`` replaces tasks one after the other. The others start all new tasks beside the old ones
            and move the requests: ``blue-green`` at once, ``canary`` a part first, ``linear`` part by part.
        minimum_percent: for ``rolling``, the running tasks never fall below this part of their number, 0 to 100.
        maximum_percent: for ``rolling``, nor rise above this one, 101 to 200.
        bake: unless ``rolling``, how long the old tasks wait after the last move, up to a day, whole minutes.
        shift_percent: for ``canary`` the first part of the requests that moves, for ``linear`` each, 3 to 100.
        shift_every: how long each part is watched before the next, up to a day, whole minutes.
        errors: 5xx answers of the tasks in each of two minutes for which a version is taken back, 1 or more.
        notify: who is told of it, usually a topic; also of such errors at other times.
    """

    strategy: Strategy = "rolling"
    minimum_percent: int = 100
    maximum_percent: int = 200
    bake: timedelta = timedelta(minutes=5)
    shift_percent: int = 10
    shift_every: timedelta = timedelta(minutes=5)
    errors: int = 10
    notify: Target | None = None

    SHORT: ClassVar[str] = "strategy"
    """The attribute that text alone stands for in settings."""

    @property
    def moves(self) -> bool:
        """Whether requests move from one target group to another."""
        return self.strategy != "rolling"

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.one_of("deployment.strategy", self.strategy, _STRATEGIES)
        check.between("deployment.minimum_percent", self.minimum_percent, 0, 100)
        check.between("deployment.maximum_percent", self.maximum_percent, 101, 200)
        check.between("deployment.shift_percent", self.shift_percent, 3, 100)
        check.that(self.errors >= 1, "deployment.errors", "1 or more", self.errors)
        for field, value in (("bake", self.bake), ("shift_every", self.shift_every)):
            check.between(f"deployment.{field}", value, timedelta(0), _DAY)
            check.that(value % _MINUTE == timedelta(0), f"deployment.{field}", "whole minutes", value)

    def render(self) -> ecs.DeploymentConfiguration:
        """Return it as CloudFormation has it, without alarms."""
        found = ecs.DeploymentConfiguration(
            DeploymentCircuitBreaker=ecs.DeploymentCircuitBreaker(Enable=True, Rollback=True),
            MaximumPercent=self.maximum_percent,
            MinimumHealthyPercent=self.minimum_percent,
            Strategy=_STRATEGIES[self.strategy],
        )
        pause = self.shift_every // _MINUTE
        if self.moves:
            found.BakeTimeInMinutes = self.bake // _MINUTE
        if self.strategy == "canary":
            found.CanaryConfiguration = ecs.CanaryConfiguration(
                CanaryBakeTimeInMinutes=pause, CanaryPercent=self.shift_percent
            )
        if self.strategy == "linear":
            found.LinearConfiguration = ecs.LinearConfiguration(
                StepBakeTimeInMinutes=pause, StepPercent=self.shift_percent
            )
        return found

    def watches(self, title: str, groups: list[TargetGroup]) -> Iterator[Watch]:
        """Return what shows that the tasks of ``title`` behind ``groups`` answer with errors, or not at all."""
        for number, group in enumerate(groups, start=1):
            suffix = "" if number == 1 else str(number)
            if group.requests:
                yield Watch(
                    f"errors{suffix}", f"Server errors of {title}", "AWS/ApplicationELB", "HTTPCode_Target_5XX_Count",
                    group.dimensions, "Sum", self.errors, period=_MINUTE, periods=2,
                )  # fmt: skip
            yield Watch(
                f"unhealthy{suffix}", f"Tasks of {title} that are not well",
                "AWS/ApplicationELB" if group.requests else "AWS/NetworkELB", "UnHealthyHostCount",
                group.dimensions, "Maximum", 1, period=_MINUTE, periods=5,
            )  # fmt: skip


def moving(service: Component, group: TargetGroup, alternate: TargetGroup) -> ecs.AdvancedConfiguration:
    """Return how ECS moves the requests of ``service`` between the two groups, and the role it does it with."""
    # For an application load balancer ECS changes the rule, for a network load balancer the listener.
    rule = Ref(group.ready)
    change = "ModifyRule" if group.requests else "ModifyListener"
    role = Role(service.stack, f"{service.name}-service-shift", service="ecs", description=f"Deploys {service}")
    for actions, resources in (
        (_DESCRIBE, ("*",)),
        (("RegisterTargets", "DeregisterTargets"), (group.arn, alternate.arn)),
        ((change,), (rule,)),
    ):
        names = [f"elasticloadbalancing:{action}" for action in actions]
        role.allow(Grant(names, resources), why=f"moving requests of {service}")
    return ecs.AdvancedConfiguration(
        AlternateTargetGroupArn=alternate.arn, ProductionListenerRule=rule, RoleArn=role.arn
    )
