"""Consumers of Kinesis streams that do not share their throughput."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from awacs import kinesis as actions
from troposphere import kinesis

from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant, Source
from archlib.wiring.watch import Watch

if TYPE_CHECKING:
    from archlib.components.messaging.stream import Stream

_READ = (actions.DescribeStreamConsumer, actions.SubscribeToShard)


class StreamConsumer(Component):
    """A consumer with 2 MB/s per shard of its own (enhanced fan-out) of a Kinesis stream.

    Creates ``<Name>StreamConsumer``.

    See https://docs.aws.amazon.com/streams/latest/dev/enhanced-consumers.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the name of the consumer in AWS, which Kinesis demands.
        stream: the stream it reads; at most 20 consumers each.

    Attributes:
        resource: the ``AWS::Kinesis::StreamConsumer``.
    """

    kind = "StreamConsumer"

    def __init__(self, stack: Stack, name: str, *, stream: Stream) -> None:
        super().__init__(stack, name)
        self.stream = stream
        self.resource = kinesis.StreamConsumer(self.id(), ConsumerName=name, StreamARN=stream.arn)
        self.add(self.resource)

    @property
    def arn(self) -> Value:
        """What event sources call the consumer."""
        return self.attribute("ConsumerARN")

    def for_reading(self) -> Binding:
        """Return what a caller needs to read: rights on stream and consumer, and ``<NAME>_CONSUMER_ARN``."""
        return Binding(
            self.name,
            f"reading {self.stream} as {self}",
            (*self.stream.for_reading().grants, Grant(_READ, (self.arn,))),
            {"CONSUMER_ARN": self.arn},
        )

    def as_source(self) -> Source:
        """Return how a function consumes the stream through this consumer."""
        return Source(self.for_reading(), self.arn, stream=True)

    def watches(self) -> Sequence[Watch]:
        """Return what shows that the consumer falls behind."""
        return (
            Watch(
                "behind", f"Delay of {self}, milliseconds", "AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest",
                {"StreamName": self.stream.stream_name, "ConsumerName": self.name}, "Maximum", 300_000, periods=2,
            ),
        )  # fmt: skip
