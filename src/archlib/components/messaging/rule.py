"""EventBridge rules: which events go where."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from troposphere import Select, Split, events

from archlib.components.identity.role import Role
from archlib.components.messaging.patterns import EVENT_KEYS, pattern_problems
from archlib.core.component import Check, Component
from archlib.core.naming import pascal
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.errors import Problem
from archlib.units import seconds
from archlib.wiring.roles import Target
from archlib.wiring.watch import Watch

DEFAULT_BUS = "default"

_TARGETS_MAX = 5
_RETRIES_MAX = 185
_AGE = (timedelta(minutes=1), timedelta(days=1))
_ID_MAX = 64
_PLACEHOLDER = re.compile(r"<([\w.-]+)>")


class Rule(Component):
    """An EventBridge rule that delivers matching events, and keeps what it could not deliver.

    Creates ``<Name>Rule`` and, for targets that EventBridge reaches through a role, ``<Name>RuleRole`` and
    ``<Name>RulePolicy``. What fails waits in the dead-letter queue of its target.

    See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules-best-practices.html

    Args:
        stack: where the resources go; that of the targets, so that the sender of events knows nothing of them.
        name: kebab-case.
        pattern: the event pattern: ``{"source": ["orders"], "detail-type": ["OrderPlaced"]}``.
        targets: where the events go, 1 to 5, all in ``stack``.
        bus: name of the event bus; by default the one every account has, to which AWS services send.
        input_template: what the targets get instead of the event; ``<name>`` stands for a value of ``input_paths``.
        input_paths: name -> JSON path in the event: ``{"key": "$.detail.object.key"}``.
        retries: tries after the first, 0 to 185.
        max_age: how long an event may wait, 1 minute to 24 hours.
        enabled: whether it delivers.

    Attributes:
        resource: the ``AWS::Events::Rule``.

    Raises:
        SettingsError: the pattern or the template is malformed, a number is out of range, or a target is in another
            stack.
    """

    kind = "Rule"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        pattern: Mapping[str, Any],
        targets: Sequence[Target],
        bus: Value = DEFAULT_BUS,
        input_template: str = "",
        input_paths: Mapping[str, str] | None = None,
        retries: int = _RETRIES_MAX,
        max_age: timedelta = _AGE[1],
        enabled: bool = True,
    ) -> None:
        super().__init__(stack, name)
        input_paths = input_paths or {}
        with self.checking() as check:
            for problem in pattern_problems(pattern, EVENT_KEYS):
                check.problems.append(Problem(f"{self}: pattern: {problem}", self.origin, "pattern"))
            check.that(1 <= len(targets) <= _TARGETS_MAX, "targets", f"1 to {_TARGETS_MAX}", len(targets))
            elsewhere = sorted({target.stack.name for target in targets if target.stack is not stack})
            check.that(
                not elsewhere, "targets", f"in stack {stack.name!r}", ", ".join(elsewhere), "make a rule for each stack"
            )
            check.between("retries", retries, 0, _RETRIES_MAX)
            check.between("max_age", max_age, *_AGE)
            _check_input(check, input_template, input_paths)
        self._bus = bus
        self._role: Role | None = None
        self._template, self._paths = input_template, input_paths
        self._retry = events.RetryPolicy(MaximumEventAgeInSeconds=seconds(max_age), MaximumRetryAttempts=retries)
        self.resource = events.Rule(
            self.id(),
            EventBusName=bus,
            EventPattern=dict(pattern),
            State="ENABLED" if enabled else "DISABLED",
            Targets=[self._target(target) for target in targets],
        )
        if self._role is not None:
            self.resource.DependsOn = self._role.policy
        self.add(self.resource)

    def _target(self, target: Target) -> events.Target:
        rendered = events.Target(
            Arn=target.arn,
            DeadLetterConfig=events.DeadLetterConfig(Arn=target.dead_letters_for("events", self.arn)),
            Id=str(target.resource.title)[:_ID_MAX],
            RetryPolicy=self._retry,
        )
        # A role would be in the way of targets that have a policy of their own.
        if not target.admit("events", self.arn, label=f"{pascal(self.name)}Rule"):
            self._role = self._role or Role(
                self.stack, f"{self.name}-rule", service="events", description=f"Role of rule {self.name}"
            )
            for grant in target.start_grants():
                self._role.allow(grant, why=f"delivering events of {self} to {target.name!r}")
            rendered.RoleArn = self._role.arn
        if target.resource.properties.get("FifoQueue"):
            rendered.SqsParameters = events.SqsParameters(MessageGroupId=self.name)
        if target.resource.resource_type == "AWS::Kinesis::Stream":
            rendered.KinesisParameters = events.KinesisParameters(PartitionKeyPath="$.id")
        if self._paths:
            rendered.InputTransformer = events.InputTransformer(
                InputPathsMap=dict(self._paths), InputTemplate=self._template
            )
        elif self._template:
            rendered.Input = self._template
        return rendered

    @property
    def arn(self) -> Value:
        """What the policies of targets call the rule."""
        return self.attribute("Arn")

    def watches(self) -> Sequence[Watch]:
        """Return what shows that events do not arrive."""
        # The ARN ends in rule/<rule> for the default bus, in rule/<bus>/<rule> for others; Ref mixes the two names.
        dimensions: dict[str, Value] = {"RuleName": Select(1, Split("/", self.arn))}
        if self._bus != DEFAULT_BUS:
            dimensions = {"EventBusName": self._bus, "RuleName": Select(2, Split("/", self.arn))}
        return (
            Watch(
                "failed-invocations", f"Events that {self} could not deliver", "AWS/Events", "FailedInvocations",
                dimensions, "Sum", 1,
            ),
            Watch(
                "lost-events", f"Events of {self} that no dead-letter queue took", "AWS/Events",
                "InvocationsFailedToBeSentToDlq", dimensions, "Sum", 1,
            ),
        )  # fmt: skip


def _check_input(check: Check, template: str, paths: Mapping[str, str]) -> None:
    for name, path in paths.items():
        check.that(path.startswith("$"), f"input_paths[{name!r}]", "a JSON path such as $.detail", path)
    used = {name for name in _PLACEHOLDER.findall(template) if not name.startswith("aws.events.")}
    if paths or used:
        check.that(
            used == set(paths), "input_template", f"text that uses {', '.join(sorted(paths)) or 'no <name>'}",
            ", ".join(sorted(used)) or "none", "name the same values in input_paths",
        )  # fmt: skip
    elif template:
        try:
            json.loads(template)
        except ValueError:
            check.that(False, "input_template", "JSON, when it uses no input_paths", template, "quote plain text")
