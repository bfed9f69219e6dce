"""Where messages and events wait that nothing could process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from troposphere import sqs

from archlib.components.identity.key import Key
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.policies import ResourcePolicy
from archlib.wiring.watch import Watch

_RETENTION = timedelta(days=14)


class DeadLetterQueue(Component):
    """An encrypted SQS queue that keeps what failed for 14 days, the longest SQS can.

    Creates ``<Name>DeadLetterQueue`` and ``<Name>DeadLetterQueuePolicy``.

    See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        fifo: for the failed messages of a FIFO queue, which only a FIFO queue can take.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::SQS::Queue``.
    """

    kind = "DeadLetterQueue"

    def __init__(self, stack: Stack, name: str, *, fifo: bool = False, key: Key | None = None) -> None:
        super().__init__(stack, name)
        self.key = key or Key.of(stack)
        self.resource = sqs.Queue(
            self.id(),
            KmsMasterKeyId=self.key.arn,
            MessageRetentionPeriod=seconds(_RETENTION),
            RedriveAllowPolicy={"redrivePermission": "allowAll"},
        )
        if fifo:
            self.resource.FifoQueue = True
        suppress(self.resource, "is-a-dead-letter-queue")
        self.add(self.resource, stateful=True)
        self._policy = ResourcePolicy("sqs:*", [self.arn])
        self.add(
            sqs.QueuePolicy(self.id("DeadLetterQueuePolicy"), Queues=[self.ref()], PolicyDocument=self._policy.document)
        )

    @property
    def arn(self) -> Value:
        """ARN of the queue."""
        return self.attribute("Arn")

    def for_sending(self) -> Binding:
        """Return the rights a role needs to put failures here."""
        return Binding(
            self.name,
            f"keeping failures in {self}",
            (Grant(("sqs:SendMessage",), (self.arn,)), self.key.for_encrypting()),
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that something failed for good."""
        return (
            Watch(
                "dead-letters", f"Messages in {self}", "AWS/SQS", "ApproximateNumberOfMessagesVisible",
                {"QueueName": self.attribute("QueueName")}, "Maximum", 1,
            ),
        )  # fmt: skip

    def admit(self, service: str, source: Value, *, label: str = "") -> bool:  # noqa: ARG002  (one policy, one label)
        """Let AWS service ``service`` send messages on behalf of the resource ``source``; see ``Target``."""
        self.key.serve(service)
        self._policy.allow(service, ["sqs:SendMessage"], self.arn, source)
        return True


class DeadLetters:
    """The dead-letter queue of a component that needs one only once something delivers to it.

    Creates ``<Name><Kind>DeadLetterQueue`` and its policy beside ``owner`` the first time :meth:`queue` is called.

    Args:
        owner: the component.
        key: the KMS key; the app's by default.
    """

    def __init__(self, owner: Component, *, key: Key | None = None) -> None:
        self._owner = owner
        self._key = key
        self._made: DeadLetterQueue | None = None

    def queue(self) -> DeadLetterQueue:
        """Return the queue, made the first time."""
        if self._made is None:
            name = f"{self._owner.name}-{self._owner.label.replace(' ', '-')}"
            self._made = DeadLetterQueue(self._owner.stack, name, key=self._key)
        return self._made

    def admit(self, service: str, source: Value) -> Value:
        """Let ``service`` keep here what it could not deliver for ``source``, and return the ARN of the queue."""
        self.queue().admit(service, source)
        return self.queue().arn

    def watches(self) -> Sequence[Watch]:
        """Return what shows that something failed for good; nothing as long as there is no queue."""
        return self._made.watches() if self._made is not None else ()
