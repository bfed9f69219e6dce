"""EventBridge event buses of an app's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from troposphere import events, eventschemas

from archlib.components.identity.key import Key
from archlib.components.messaging.event_bus import EventBus
from archlib.components.observability.dead_letters import DeadLetterQueue
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Grant
from archlib.wiring.watch import Watch


class Bus(Component, EventBus):
    """An encrypted EventBridge event bus; events it cannot encrypt or decrypt wait in a dead-letter queue.

    Creates ``<Name>Bus``, ``<Name>BusDeadLetterQueue`` and ``<Name>BusDeadLetterQueuePolicy``; with ``archive`` also
    ``<Name>BusArchive``, with ``discover_schemas`` ``<Name>BusDiscoverer``.

    See https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus.html

    Args:
        stack: where the resources go.
        name: kebab-case; ``<app>-<environment>-<name>`` is the name in AWS, which EventBridge demands.
        archive: how long to keep events for a replay, in whole days; None: not at all.
        discover_schemas: derive schemas from the events. EventBridge can do so only when the bus and its archive are
            encrypted with a key of AWS's own.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::Events::EventBus``.
        dead_letters: the :class:`DeadLetterQueue` for events that could not be processed or delivered here.

    Raises:
        SettingsError: the archive is not kept for whole days, or a key is given although schemas are discovered.
    """

    kind = "Bus"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        archive: timedelta | None = None,
        discover_schemas: bool = False,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.that(
                archive is None or (archive >= timedelta(days=1) and not archive % timedelta(days=1)),
                "archive", "1d or more in whole days", archive,
            )  # fmt: skip
            check.that(
                key is None or not discover_schemas,
                "key", "left out with discover_schemas", key and key.name, "choose one of the two",
            )  # fmt: skip
        self.key = key or Key.of(stack)
        self.dead_letters = DeadLetterQueue(stack, f"{name}-bus", key=self.key)
        self.resource = events.EventBus(
            self.id(),
            DeadLetterConfig=events.DeadLetterConfig(Arn=self.dead_letters.arn),
            Name=f"{stack.app.name}-{stack.app.environment}-{name}",
        )
        self.add(self.resource)
        self.dead_letters.admit("events", self.arn)
        encrypted: list[events.EventBus | events.Archive] = [self.resource]
        if archive is not None:
            encrypted.append(
                self.add(
                    events.Archive(self.id("BusArchive"), RetentionDays=archive.days, SourceArn=self.arn),
                    stateful=True,
                )
            )
        if discover_schemas:
            self.add(eventschemas.Discoverer(self.id("BusDiscoverer"), SourceArn=self.arn))
            return
        self.key.serve("events")
        for resource in encrypted:
            resource.KmsKeyIdentifier = self.key.arn

    @staticmethod
    def default() -> EventBus:
        """Return the bus every account has, to which AWS services send: ``Bus.default().rule(...)`` for S3 events."""
        return EventBus()

    @property
    def bus_name(self) -> Value:
        """Name of the bus in AWS."""
        return self.ref()

    @property
    def arn(self) -> Value:
        """What policies call the bus."""
        return self.attribute("Arn")

    def watches(self) -> Sequence[Watch]:
        """Return what shows that events could not be processed; each rule watches its deliveries."""
        return self.dead_letters.watches()

    def start_grants(self) -> Sequence[Grant]:
        """Return the right a role needs to send events."""
        return self.for_publishing().grants

    def admit(self, service: str, source: Value, *, label: str = "") -> bool:  # noqa: ARG002  (a protocol)
        """Return False: every service needs a role to send events here; see ``Target``."""
        return False

    def dead_letters_for(self, service: str, source: Value) -> Value:
        """Return the ARN of the queue where ``service`` may keep what it could not deliver here."""
        self.dead_letters.admit(service, source)
        return self.dead_letters.arn
