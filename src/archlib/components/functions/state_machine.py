"""Step Functions state machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from troposphere import stepfunctions

from archlib.components.functions.definition import load, placeholders, portable, problems
from archlib.components.functions.steps import Step, define
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.observability.dead_letters import DeadLetters
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Deferred, Value, encode
from archlib.errors import Problem, WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import connect
from archlib.wiring.watch import Watch

_STANDARD_MAX, _EXPRESS_MAX = timedelta(days=365), timedelta(minutes=5)
_STANDARD_DEFAULT = timedelta(days=1)
_SIZE_MAX = 2**20
_KEY_REUSE = timedelta(minutes=5)
_DELIVER_LOGS = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
_TRACE = (
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)


class StateMachine(Component):
    """A Step Functions state machine, encrypted, logged without the data it handles, and traced.

    Creates ``<Name>StateMachine``, ``<Name>StateMachineRole``, ``<Name>StateMachinePolicy`` and
    ``<Name>StateMachineLogGroup``; once a service needs a place for what it could not start,
    ``<Name>StateMachineDeadLetterQueue``.

    The role may do what the steps use. A definition from a file or a mapping gets its rights, and the values of its
    placeholders, from :meth:`connect`: after ``machine.connect(charge.for_invoking())`` it may invoke the function,
    whose ARN is ``${CHARGE_FUNCTION}``.

    See https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        definition: steps; or a definition in the Amazon States Language, as a mapping or as the path of a JSON or
            YAML file.
        on_failure: steps to take, before the execution fails, when one of ``definition`` failed for good; only with
            steps.
        express: short and cheap executions that may run twice, of at most 5 minutes, instead of long ones that run
            exactly once.
        timeout: longest execution, 1 second to 365 days, or to 5 minutes if express; that of the definition if left
            out, or else a day or 5 minutes.
        substitutions: values of further placeholders.
        log_retention_days: days a log event is kept.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::StepFunctions::StateMachine``.
        role: its :class:`Role`.
        log_group: its :class:`LogGroup`.
        security_group: None: it is in no network.

    Raises:
        SettingsError: the definition cannot work, or a duration is out of range.
        SourceError: the file cannot be read.
    """

    kind = "StateMachine"
    security_group: Value | None = None

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        definition: Path | str | Mapping[str, Any] | Sequence[Step],
        on_failure: Sequence[Step] = (),
        express: bool = False,
        timeout: timedelta | None = None,
        substitutions: Mapping[str, Value] | None = None,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        longest = _EXPRESS_MAX if express else _STANDARD_MAX
        read = _read(definition, on_failure)
        own = read.get("TimeoutSeconds")
        limit = timeout or (timedelta(seconds=own) if isinstance(own, int) else min(_STANDARD_DEFAULT, longest))
        made, integrations = portable({**read, "TimeoutSeconds": seconds(limit)})
        text = json.dumps(made, indent=2)
        with self.checking() as check:
            check_retention(check, log_retention_days)
            check.between("timeout", limit, timedelta(seconds=1), longest)
            typed = not isinstance(definition, (Path, str, Mapping))
            check.that(typed or not on_failure, "on_failure", "left out without steps", list(on_failure))
            check.that(len(text) <= _SIZE_MAX, "definition", "at most 1 MiB", len(text), "split it into several")
            check.problems += [
                Problem(f"{self}: {wrong}", self.origin, "definition") for wrong in problems(read, express=express)
            ]
        self.express = express
        self.key = key or Key.of(stack)
        self.key.serve("delivery.logs.amazonaws.com")
        self._substitutions: dict[str, Value] = {**integrations, **(substitutions or {})}
        self._placeholders = placeholders(text)
        self._failures = DeadLetters(self, key=self.key)

        part = f"{name}-state-machine"
        # Below this prefix the account-wide policy for log delivery does not grow with each log group.
        self.log_group = LogGroup(
            stack,
            part,
            retention_days=log_retention_days,
            physical_name=f"/aws/vendedlogs/states/{stack.app.name}-{stack.app.environment}-{name}",
            key=self.key,
        )
        self.role = Role(stack, part, service="states", description=f"Role of state machine {name}")
        self.allow(Grant(_DELIVER_LOGS, ("*",)), why=f"log of {self}")
        self.allow(Grant(_TRACE, ("*",)), why=f"traces of {self}")
        self.allow(self.key.for_encrypting(), why=f"encryption of {self}")

        self.resource = stepfunctions.StateMachine(
            self.id(),
            DefinitionString=text,
            EncryptionConfiguration=stepfunctions.EncryptionConfiguration(
                KmsDataKeyReusePeriodSeconds=seconds(_KEY_REUSE),
                KmsKeyId=self.key.arn,
                Type="CUSTOMER_MANAGED_KMS_KEY",
            ),
            LoggingConfiguration=stepfunctions.LoggingConfiguration(
                Destinations=[
                    stepfunctions.LogDestination(
                        CloudWatchLogsLogGroup=stepfunctions.CloudWatchLogsLogGroup(
                            LogGroupArn=self.log_group.attribute("Arn")
                        )
                    )
                ],
                IncludeExecutionData=False,
                Level="ALL",
            ),
            RoleArn=self.role.arn,
            StateMachineType="EXPRESS" if express else "STANDARD",
            TracingConfiguration=stepfunctions.TracingConfiguration(Enabled=True),
            # Step Functions tries the role's rights to the log and the key as soon as the state machine exists.
            DependsOn=self.role.policy,
        )
        if self._placeholders:
            self.resource.DefinitionSubstitutions = Deferred(self._values)
        self.add(self.resource, stateful=True)
        if not isinstance(definition, (Path, str, Mapping)):
            self.connect(*(binding for step in (*definition, *on_failure) for binding in step.bindings()))

    def _values(self) -> dict[str, Value]:
        missing = sorted(self._placeholders - self._substitutions.keys())
        if missing:
            known = ", ".join(sorted(self._substitutions)) or "nothing"
            raise ValueError(
                f"placeholders of the definition must have a value, got none for {', '.join(missing)} "
                f"({known} has one); connect the state machine to what it uses, or pass substitutions"
            )
        return {name: self._substitutions[name] for name in sorted(self._placeholders)}

    @property
    def arn(self) -> Value:
        """ARN of the state machine."""
        return self.ref()

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right to the state machine's role."""
        self.role.allow(grant, why=why)

    def set_environment(self, key: str, value: Value) -> None:
        """Give the placeholder ``${key}`` of the definition a value; the same one twice is fine.

        Raises:
            WiringError: the placeholder has another value.
        """
        if encode(self._substitutions.setdefault(key, value)) != encode(value):
            raise WiringError(f"{self}: placeholder {key!r} must have one value, got two; rename a target")

    def set_secret(self, key: str, arn: Value) -> None:
        """Make the ARN of a secret known to the definition as ``${key}``."""
        self.set_environment(key, arn)

    def connect(self, *bindings: Binding) -> None:
        """Let the steps use what ``bindings`` describe; see :func:`archlib.wiring.connect.connect`."""
        connect(self, *bindings)

    def for_starting(self) -> Binding:
        """Return what code needs to start executions: rights and ``<NAME>_STATE_MACHINE``.

        Of express ones it may also wait for the result.
        """
        waiting = (Grant(("states:StartSyncExecution",), (self.arn,)),) if self.express else ()
        return Binding(self.name, f"starting {self}", (*self.start_grants(), *waiting), {"STATE_MACHINE": self.arn})

    def start_grants(self) -> Sequence[Grant]:
        """Return the rights a role needs to start executions, without waiting for them."""
        return (Grant(("states:StartExecution",), (self.arn,)), self.key.for_encrypting())

    def admit(self, service: str, source: Value, *, label: str) -> bool:  # noqa: ARG002  (it has no resource policy)
        """Return False: services start state machines by a role with :meth:`start_grants`; see ``Target``."""
        return False

    def dead_letters_for(self, service: str, source: Value) -> Value:
        """Return the ARN of the queue where ``service`` may keep what it could not start here."""
        return self._failures.admit(service, source)

    def watches(self) -> Sequence[Watch]:
        """Return what shows that executions fail, take too long, or are held back."""
        machine = {"StateMachineArn": self.arn}
        watches = [
            Watch("failures", f"Failures of {self}", "AWS/States", "ExecutionsFailed", machine, "Sum", 1),
            Watch("timeouts", f"Timeouts of {self}", "AWS/States", "ExecutionsTimedOut", machine, "Sum", 1),
        ]
        if not self.express:
            watches.append(
                Watch("throttles", f"Throttles of {self}", "AWS/States", "ExecutionThrottled", machine, "Sum", 1)
            )
        return (*watches, *self._failures.watches())


def _read(definition: Path | str | Mapping[str, Any] | Sequence[Step], on_failure: Sequence[Step]) -> Mapping[str, Any]:
    if isinstance(definition, (Path, str)):
        return load(Path(definition))
    return definition if isinstance(definition, Mapping) else define(definition, on_failure)
