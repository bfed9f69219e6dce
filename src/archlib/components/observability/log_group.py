"""CloudWatch log groups, encrypted and with an end."""

from __future__ import annotations

from troposphere import logs

from archlib.components.identity.key import Key
from archlib.core.component import Check, Component
from archlib.core.naming import check_name, pascal
from archlib.core.stack import Stack
from archlib.core.values import Value, arn, join
from archlib.wiring.binding import Binding, Grant

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)  # fmt: skip


def check_retention(check: Check, days: int, field: str = "log_retention_days") -> None:
    """Note a number of days that CloudWatch does not keep events for, with the closest one that it does."""
    close = min(RETENTION_DAYS, key=lambda each: abs(each - days))
    check.one_of(field, days, RETENTION_DAYS, f"take {close}")


class LogGroup(Component):
    """A CloudWatch log group encrypted with the app's key.

    Creates ``<Name>LogGroup``.

    See https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        retention_days: days an event is kept, one of CloudWatch's values; a year by default, as audits ask for.
        physical_name: name in AWS, only where a service demands a prefix such as ``aws-waf-logs-``. A group that stayed
            when its stack was deleted is then in the way of a new one: delete or import it first. The same holds after
            a failed creation, unless the deployer asked CloudFormation for ``RetainExceptOnCreate``.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::Logs::LogGroup``.

    Raises:
        SettingsError: CloudWatch does not offer that retention.
    """

    kind = "LogGroup"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        retention_days: int = 365,
        physical_name: Value | None = None,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check_retention(check, retention_days, "retention_days")
        self.key = key or Key.of(stack)
        self.key.serve("logs")
        self.resource = logs.LogGroup(self.id(), KmsKeyId=self.key.arn, RetentionInDays=retention_days)
        if physical_name is not None:
            self.resource.LogGroupName = physical_name
        self.add(self.resource, stateful=True)

    @property
    def group_name(self) -> Value:
        """Name of the group in AWS."""
        return self.ref()

    @property
    def arn(self) -> Value:
        """ARN of the group without the ``:*`` that ``Fn::GetAtt`` appends."""
        return arn("logs", join("log-group:", self.group_name))

    def for_writing(self) -> Binding:
        """Return what a caller needs to write its own streams and events."""
        return Binding(
            self.name,
            f"writing to {self}",
            (Grant(("logs:CreateLogStream", "logs:PutLogEvents"), (self.attribute("Arn"),)),),
        )

    def metric(self, name: str, *, pattern: str, namespace: str | None = None, value: str = "1") -> None:
        """Count events that match ``pattern`` as metric ``name`` (kebab-case).

        Creates ``<Name><Metric>MetricFilter``.

        Args:
            name: metric name, also part of the logical id.
            pattern: CloudWatch filter pattern, such as ``{ $.level = "ERROR" }``.
            namespace: metric namespace; the app's name by default.
            value: what one match adds: a number, or a field such as ``$.latency``.

        Raises:
            SettingsError: the name is malformed.
        """
        self.add(
            logs.MetricFilter(
                self.id(f"{pascal(check_name(name, 'metric'))}MetricFilter"),
                FilterPattern=pattern,
                LogGroupName=self.group_name,
                MetricTransformations=[
                    logs.MetricTransformation(
                        MetricName=name, MetricNamespace=namespace or self.stack.app.name, MetricValue=value
                    )
                ],
            )
        )
