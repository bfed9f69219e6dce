"""SQS queues, each with its dead-letter queue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from awacs import sqs as actions
from troposphere import sqs

from archlib.components.identity.key import Key
from archlib.components.observability.dead_letters import DeadLetterQueue, DeadLetters
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant, Source
from archlib.wiring.policies import ResourcePolicy
from archlib.wiring.watch import Watch

_SEND = (actions.SendMessage, actions.GetQueueAttributes)
_CONSUME = (
    actions.ReceiveMessage,
    actions.DeleteMessage,
    actions.ChangeMessageVisibility,
    actions.GetQueueAttributes,
)
_VISIBILITY_MAX = timedelta(hours=12)
_RETENTION_MIN, _RETENTION_MAX = timedelta(minutes=1), timedelta(days=14)
_DELAY_MAX = timedelta(minutes=15)
_LONG_POLL = timedelta(seconds=20)


class Queue(Component):
    """An encrypted SQS queue whose failed messages go to a dead-letter queue.

    Creates ``<Name>Queue``, ``<Name>DeadLetterQueue`` and a policy for each, ``<Name>QueuePolicy`` and
    ``<Name>DeadLetterQueuePolicy``, which refuse callers without TLS and admit only services that were wired to it;
    a FIFO queue that is the target of a rule also gets a standard ``<Name>QueueDeadLetterQueue``.

    See https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        visibility: how long a received message stays hidden from other consumers; at most 12 hours. Six times the
            consumer's timeout leaves room for retries.
        retention: how long an unread message is kept; 1 minute to 14 days.
        delay: how long a new message stays invisible; at most 15 minutes.
        max_receives: deliveries before a message counts as failed; 1 to 1000.
        fifo: keep the order and drop duplicates, at lower throughput.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::SQS::Queue``.
        dead_letters: the :class:`DeadLetterQueue` for failed messages.

    Raises:
        SettingsError: a duration or count is outside the range above.
    """

    kind = "Queue"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        visibility: timedelta = timedelta(minutes=3),
        retention: timedelta = timedelta(days=4),
        delay: timedelta = timedelta(0),
        max_receives: int = 3,
        fifo: bool = False,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.between("visibility", visibility, timedelta(0), _VISIBILITY_MAX)
            check.between("retention", retention, _RETENTION_MIN, _RETENTION_MAX)
            check.between("delay", delay, timedelta(0), _DELAY_MAX)
            check.between("max_receives", max_receives, 1, 1000)
        self.visibility = visibility
        self.fifo = fifo
        self.key = key or Key.of(stack)
        self._undelivered = DeadLetters(self, key=self.key)

        self.dead_letters = DeadLetterQueue(stack, name, fifo=fifo, key=self.key)
        self.resource = sqs.Queue(
            self.id(),
            KmsMasterKeyId=self.key.arn,
            MessageRetentionPeriod=seconds(retention),
            ReceiveMessageWaitTimeSeconds=seconds(_LONG_POLL),
            RedrivePolicy=sqs.RedrivePolicy(deadLetterTargetArn=self.dead_letters.arn, maxReceiveCount=max_receives),
            VisibilityTimeout=seconds(visibility),
        )
        if fifo:
            self.resource.FifoQueue = self.resource.ContentBasedDeduplication = True
        if delay:
            self.resource.DelaySeconds = seconds(delay)
        self.add(self.resource, stateful=True)

        self._policy = ResourcePolicy("sqs:*", [self.arn])
        self.add(sqs.QueuePolicy(self.id("QueuePolicy"), Queues=[self.url], PolicyDocument=self._policy.document))

    @property
    def url(self) -> Value:
        """Where clients send messages to."""
        return self.ref()

    @property
    def arn(self) -> Value:
        """What policies and event sources call the queue."""
        return self.attribute("Arn")

    def for_sending(self) -> Binding:
        """Return what a caller needs to send messages: rights and ``<NAME>_QUEUE_URL``."""
        return Binding(
            self.name,
            f"sending to {self}",
            (Grant(_SEND, (self.arn,)), self.key.for_encrypting()),
            {"QUEUE_URL": self.url},
        )

    def for_consuming(self) -> Binding:
        """Return what a caller needs to receive messages: rights and ``<NAME>_QUEUE_URL``."""
        return Binding(
            self.name,
            f"consuming {self}",
            (Grant(_CONSUME, (self.arn,)), self.key.for_decrypting()),
            {"QUEUE_URL": self.url},
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that messages pile up or fail."""
        return (
            Watch(
                "oldest-message", f"Age of the oldest message of {self}, seconds", "AWS/SQS",
                "ApproximateAgeOfOldestMessage", {"QueueName": self.attribute("QueueName")}, "Maximum",
                max(300, 2 * seconds(self.visibility)), periods=2,
            ),
            *self.dead_letters.watches(),
            *self._undelivered.watches(),
        )  # fmt: skip

    def as_source(self) -> Source:
        """Return how a function consumes the queue."""
        return Source(self.for_consuming(), self.arn, fifo=self.fifo, visibility=self.visibility)

    def start_grants(self) -> Sequence[Grant]:
        """Return the rights a role needs to send messages."""
        return self.for_sending().grants

    def dead_letters_for(self, service: str, source: Value) -> Value:
        """Return the ARN of the queue where ``service`` may keep what it could not deliver here."""
        if self.fifo and service != "sns":
            # Only SNS takes a FIFO queue for what it could not deliver; the other services take a standard one.
            return self._undelivered.admit(service, source)
        self.dead_letters.admit(service, source)
        return self.dead_letters.arn

    def admit(self, service: str, source: Value, *, label: str = "") -> bool:  # noqa: ARG002  (one policy, one label)
        """Let AWS service ``service`` send messages on behalf of the resource ``source``; see ``Target``."""
        self.key.serve(service)
        self._policy.allow(service, ["sqs:SendMessage"], self.arn, source)
        return True
