"""Work at fixed times (EventBridge Scheduler)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from troposphere import AWSHelperFn, scheduler

from archlib.components.functions.schedule_group import ScheduleGroup
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.observability.dead_letters import DeadLetterQueue
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.units import seconds
from archlib.wiring.expression import check_schedule
from archlib.wiring.roles import Target
from archlib.wiring.watch import Watch

_WINDOW_MAX = timedelta(hours=24)
_AGE = (timedelta(minutes=1), timedelta(days=1))
_RETRIES_MAX = 185


class Schedule(Component):
    """A schedule that starts a target at fixed times, and keeps what it could not start.

    Creates ``<Name>Schedule``, ``<Name>ScheduleRole``, ``<Name>SchedulePolicy``, ``<Name>ScheduleDeadLetterQueue``
    and ``<Name>ScheduleDeadLetterQueuePolicy``.

    See https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html

    Args:
        stack: where the resources go; it depends on the target's, never the other way.
        name: kebab-case.
        target: what is started: a function, queue, topic, stream, bus or state machine.
        expression: ``rate(5 minutes)``, ``cron(0 8 * * ? *)`` or, once, ``at(2030-01-31T08:00:00)``.
        timezone: IANA name, such as ``Europe/Berlin``, for cron and at expressions.
        window: start at any moment within this time, in whole minutes up to 24 hours; 0: on the minute.
        payload: what the target gets: text as it is, anything else as JSON; an event bus gets it as ``detail``.
        retries: tries after the first, 0 to 185.
        max_age: how long to keep trying, 1 minute to 24 hours.
        group: the group that counts its failures; the account's default group if left out.
        enabled: whether it runs.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::Scheduler::Schedule``.
        role: its :class:`Role`.
        dead_letters: the :class:`DeadLetterQueue` for what could not be started.

    Raises:
        SettingsError: the expression or time zone is malformed, a number is out of range, the payload cannot be
            JSON, or the target is a FIFO topic, to which Scheduler cannot publish.
    """

    kind = "Schedule"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        target: Target,
        expression: str,
        timezone: str = "UTC",
        window: timedelta = timedelta(0),
        payload: Value | Mapping[str, Any] | Sequence[Any] | None = None,
        retries: int = _RETRIES_MAX,
        max_age: timedelta = _AGE[1],
        group: ScheduleGroup | None = None,
        enabled: bool = True,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check_schedule(check, "expression", expression, timezone=timezone)
            check.between("window", window, timedelta(0), _WINDOW_MAX)
            check.that(not window % timedelta(minutes=1), "window", "whole minutes", window)
            problem = _payload_problem(payload)
            check.that(not problem, "payload", "text, or data that JSON has", payload, problem)
            check.between("retries", retries, 0, _RETRIES_MAX)
            check.between("max_age", max_age, *_AGE)
            check.that(
                not target.resource.properties.get("FifoTopic"), "target", "a standard topic", target.name,
                "Scheduler cannot publish to a FIFO topic",
            )  # fmt: skip
        self.key = key or Key.of(stack)
        self.dead_letters = DeadLetterQueue(stack, f"{name}-schedule", key=self.key)
        self.role = Role(stack, f"{name}-schedule", service="scheduler", description=f"Role of schedule {name}")
        self.role.connect(self.dead_letters.for_sending())
        self.role.allow(self.key.for_decrypting(), why=f"payload of {self}")
        for grant in target.start_grants():
            self.role.allow(grant, why=f"starting {target.name!r}")
        self.resource = scheduler.Schedule(
            self.id(),
            FlexibleTimeWindow=_window(window),
            KmsKeyArn=self.key.arn,
            ScheduleExpression=expression,
            ScheduleExpressionTimezone=timezone,
            State="ENABLED" if enabled else "DISABLED",
            Target=scheduler.Target(
                Arn=target.arn,
                DeadLetterConfig=scheduler.DeadLetterConfig(Arn=self.dead_letters.arn),
                RetryPolicy=scheduler.RetryPolicy(
                    MaximumEventAgeInSeconds=seconds(max_age), MaximumRetryAttempts=retries
                ),
                RoleArn=self.role.arn,
            ),
            # The first run may come before the role has its rights.
            DependsOn=self.role.policy,
        )
        if group is not None:
            self.resource.GroupName = group.group_name
        self._address(target, payload)
        self.add(self.resource)

    def _address(self, target: Target, payload: Value | Mapping[str, Any] | Sequence[Any] | None) -> None:
        rendered = self.resource.Target
        match target.resource.resource_type:
            case "AWS::Events::EventBus":
                rendered.EventBridgeParameters = scheduler.EventBridgeParameters(
                    DetailType=self.name, Source=self.stack.app.name
                )
                payload = {} if payload is None else payload
            case "AWS::Kinesis::Stream":
                rendered.KinesisParameters = scheduler.KinesisParameters(PartitionKey=self.name)
            case "AWS::SQS::Queue" if target.resource.properties.get("FifoQueue"):
                rendered.SqsParameters = scheduler.SqsParameters(MessageGroupId=self.name)
        if payload is not None:
            rendered.Input = _input(payload)

    def watches(self) -> Sequence[Watch]:
        """Return what shows that something was not started; AWS counts failures by group, see ``ScheduleGroup``."""
        return self.dead_letters.watches()


def _input(payload: Value | Mapping[str, Any] | Sequence[Any]) -> Value:
    if isinstance(payload, (str, AWSHelperFn)):
        return payload
    return json.dumps(payload, sort_keys=True, allow_nan=False)


def _payload_problem(payload: Any) -> str:
    try:
        _input(payload)
    except (TypeError, ValueError) as error:
        return f"{error}; write it as text"
    return ""


def _window(window: timedelta) -> scheduler.FlexibleTimeWindow:
    if not window:
        return scheduler.FlexibleTimeWindow(Mode="OFF")
    return scheduler.FlexibleTimeWindow(Mode="FLEXIBLE", MaximumWindowInMinutes=window // timedelta(minutes=1))
