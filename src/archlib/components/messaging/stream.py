"""Kinesis data streams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from awacs import kinesis as actions
from troposphere import kinesis

from archlib.components.identity.key import Key
from archlib.components.messaging.stream_consumer import StreamConsumer
from archlib.components.observability.dead_letters import DeadLetters
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant, Source
from archlib.wiring.watch import Watch

_WRITE = (actions.PutRecord, actions.PutRecords)
_READ = (
    actions.DescribeStream,
    actions.DescribeStreamSummary,
    actions.GetRecords,
    actions.GetShardIterator,
    actions.ListShards,
)
_RETENTION_MIN, _RETENTION_MAX = timedelta(hours=24), timedelta(days=365)
_SHARDS_MAX = 10_000
_BEHIND = timedelta(minutes=5)
# Costs nothing and needs no rights of its own, unlike a key of the account.
_AWS_KEY = "alias/aws/kinesis"


class Stream(Component):
    """An encrypted Kinesis data stream.

    Creates ``<Name>Stream``; with the first service that delivers to it also ``<Name>StreamDeadLetterQueue``.

    See https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        shards: capacity, 1 MB/s in and 2 MB/s out each; 1 to 10000. None: on demand, paid by use.
        retention: how long a record can be read, in whole hours; 24 hours to 365 days.
        key: a KMS key; by default the one that AWS manages for Kinesis.

    Attributes:
        resource: the ``AWS::Kinesis::Stream``.

    Raises:
        SettingsError: the number of shards or the retention is out of range.
    """

    kind = "Stream"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        shards: int | None = None,
        retention: timedelta = timedelta(hours=24),
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.between("shards", shards, 1, _SHARDS_MAX)
            check.between("retention", retention, _RETENTION_MIN, _RETENTION_MAX)
            check.that(not retention % timedelta(hours=1), "retention", "whole hours", retention)
        self.key = key
        self._failures = DeadLetters(self, key=key)
        self.resource = kinesis.Stream(
            self.id(),
            RetentionPeriodHours=retention // timedelta(hours=1),
            StreamEncryption=kinesis.StreamEncryption(EncryptionType="KMS", KeyId=key.arn if key else _AWS_KEY),
            StreamModeDetails=kinesis.StreamModeDetails(StreamMode="PROVISIONED" if shards else "ON_DEMAND"),
        )
        if shards:
            self.resource.ShardCount = shards
        self.add(self.resource, stateful=True)

    @property
    def arn(self) -> Value:
        """What policies and event sources call the stream."""
        return self.attribute("Arn")

    @property
    def stream_name(self) -> Value:
        """Name of the stream in AWS, as clients and metrics know it."""
        return self.ref()

    def for_writing(self) -> Binding:
        """Return what a caller needs to put records: rights and ``<NAME>_STREAM_NAME``."""
        key = (self.key.for_encrypting(),) if self.key else ()
        return Binding(
            self.name,
            f"writing to {self}",
            (Grant(_WRITE, (self.arn,)), *key),
            {"STREAM_NAME": self.stream_name},
        )

    def for_reading(self) -> Binding:
        """Return what a caller needs to get records: rights and ``<NAME>_STREAM_NAME``."""
        key = (self.key.for_decrypting(),) if self.key else ()
        return Binding(
            self.name,
            f"reading {self}",
            (Grant(_READ, (self.arn,)), *key),
            {"STREAM_NAME": self.stream_name},
        )

    def consumer(self, name: str, *, stack: Stack | None = None) -> StreamConsumer:
        """Return a consumer with 2 MB/s per shard of its own (enhanced fan-out).

        Args:
            name: kebab-case; also the name of the consumer in AWS.
            stack: where it goes; the stream's stack by default.
        """
        return StreamConsumer(stack or self.stack, name, stream=self)

    def as_source(self) -> Source:
        """Return how a function consumes the stream, sharing its throughput with other consumers."""
        return Source(self.for_reading(), self.arn, stream=True)

    def watches(self) -> Sequence[Watch]:
        """Return what shows that consumers fall behind, or that the stream refuses records."""
        dimensions = {"StreamName": self.stream_name}
        return (
            Watch(
                "iterator-age", f"Age of the last record read from {self}, milliseconds", "AWS/Kinesis",
                "GetRecords.IteratorAgeMilliseconds", dimensions, "Maximum", _BEHIND / timedelta(milliseconds=1),
                periods=2,
            ),
            Watch(
                "write-throttles", f"Throttled writes to {self}", "AWS/Kinesis",
                "WriteProvisionedThroughputExceeded", dimensions, "Sum", 1, periods=2,
            ),
            Watch(
                "read-throttles", f"Throttled reads of {self}", "AWS/Kinesis",
                "ReadProvisionedThroughputExceeded", dimensions, "Sum", 1, periods=2,
            ),
            *self._failures.watches(),
        )  # fmt: skip

    def start_grants(self) -> Sequence[Grant]:
        """Return the rights a role needs to put records."""
        return self.for_writing().grants

    def admit(self, service: str, source: Value, *, label: str = "") -> bool:  # noqa: ARG002  (a protocol)
        """Return False: every service needs a role to write here; see ``Target``."""
        return False

    def dead_letters_for(self, service: str, source: Value) -> Value:
        """Return the ARN of the queue where ``service`` may keep what it could not deliver here."""
        return self._failures.admit(service, source)
