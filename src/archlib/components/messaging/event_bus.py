"""What every event bus offers, and the one that every account has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from archlib.components.messaging.rule import DEFAULT_BUS, Rule
from archlib.core.values import Value, arn, join
from archlib.errors import SettingsError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.roles import Target

_PUBLISH = ("events:PutEvents",)


class EventBus:
    """The event bus that every account has, to which AWS services send their events. It creates nothing.

    See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus.html

    Attributes:
        name: kebab-case; also the prefix of the publishers' environment variables.
    """

    name: str = DEFAULT_BUS

    def __str__(self) -> str:
        return f"event bus {self.name!r}"

    @property
    def bus_name(self) -> Value:
        """Name of the bus in AWS."""
        return DEFAULT_BUS

    @property
    def arn(self) -> Value:
        """What policies call the bus."""
        return arn("events", join("event-bus/", self.bus_name))

    def rule(
        self,
        name: str,
        *targets: Target,
        pattern: Mapping[str, Any],
        input_template: str = "",
        input_paths: Mapping[str, str] | None = None,
        retries: int = 185,
        max_age: timedelta = timedelta(days=1),
        enabled: bool = True,
    ) -> Rule:
        """Deliver events that match ``pattern`` to ``targets``; see :class:`Rule` for the settings.

        The rule is made in the targets' stack.

        Raises:
            SettingsError: the pattern or a setting is malformed, or the targets are in different stacks.
        """
        if not targets:
            raise SettingsError(f"rule {name!r}: targets must be 1 to 5, got 0; name one")
        return Rule(
            targets[0].stack,
            name,
            pattern=pattern,
            targets=targets,
            bus=self.bus_name,
            input_template=input_template,
            input_paths=input_paths,
            retries=retries,
            max_age=max_age,
            enabled=enabled,
        )

    def for_publishing(self) -> Binding:
        """Return what a caller needs to send events: the right and ``<NAME>_BUS_NAME``."""
        return Binding(
            self.name, f"sending events to {self}", (Grant(_PUBLISH, (self.arn,)),), {"BUS_NAME": self.bus_name}
        )
