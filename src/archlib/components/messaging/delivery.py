"""Firehose streams that deliver records to a bucket."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, get_args

from awacs import firehose as actions
from troposphere import firehose, logs

from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.observability.dead_letters import DeadLetters
from archlib.components.observability.log_group import LogGroup
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value, join
from archlib.errors import WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.roles import ObjectStore, RecordStream
from archlib.wiring.watch import Watch

Compression = Literal["UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY"]

_INTERVAL_MAX = timedelta(minutes=15)
_SIZE_MIB = (1, 128)
_PREFIX_MAX = 1024
_ERROR_TYPE, _DAY = "!{firehose:error-output-type}", "!{timestamp:yyyy/MM/dd}"
_EXPRESSION_OF_OTHERS = re.compile(r"!\{(?!timestamp:|firehose:)")
# What Firehose documents to need beside the right to put objects.
_ON_BUCKET = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
_ON_OBJECTS = ("s3:GetObject",)
_LATE = timedelta(minutes=15)


class Delivery(Component):
    """A Firehose stream that gathers records and writes them to a bucket, compressed and encrypted.

    Creates ``<Name>Delivery``, ``<Name>DeliveryRole``, ``<Name>DeliveryPolicy``, ``<Name>DeliveryLogGroup`` and
    ``<Name>DeliveryLogStream``; once something delivers to it that keeps failures, also
    ``<Name>DeliveryDeadLetterQueue``. Records it cannot deliver go to the same bucket, under ``error_prefix``.

    See https://docs.aws.amazon.com/firehose/latest/dev/what-is-this-service.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        bucket: where the objects go; they are encrypted with its key.
        source: the stream it reads; left out, callers put records themselves.
        prefix: start of the object keys, at most 1024 characters; ``<name>/`` by default. The arrival time
            (``YYYY/MM/dd/HH``, UTC) follows, unless the prefix has its own ``!{timestamp:...}``.
        error_prefix: the same for what failed; ``<name>-errors/<kind of error>/<day>/`` by default. If it has
            expressions, ``!{firehose:error-output-type}`` must be one of them.
        buffer_interval: longest time to gather records, at most 15 minutes.
        buffer_mib: most data to gather, in MiB, 1 to 128; whichever comes first is written as one object.
        compression: ``UNCOMPRESSED``, ``GZIP``, ``ZIP``, ``Snappy`` or ``HADOOP_SNAPPY``.
        log_retention_days: days an error message is kept.
        key: the KMS key for records under way and for the log; the app's by default.

    Attributes:
        resource: the ``AWS::KinesisFirehose::DeliveryStream``.
        role: its :class:`Role`.
        log_group: its :class:`LogGroup`.

    Raises:
        SettingsError: a setting is outside its range.
    """

    kind = "Delivery"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        bucket: ObjectStore,
        source: RecordStream | None = None,
        prefix: str | None = None,
        error_prefix: str | None = None,
        buffer_interval: timedelta = timedelta(minutes=5),
        buffer_mib: int = 5,
        compression: Compression = "GZIP",
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        prefix = f"{name}/" if prefix is None else prefix
        error_prefix = f"{name}-errors/{_ERROR_TYPE}/{_DAY}/" if error_prefix is None else error_prefix
        with self.checking() as check:
            check.between("buffer_interval", buffer_interval, timedelta(0), _INTERVAL_MAX)
            check.between("buffer_mib", buffer_mib, *_SIZE_MIB)
            check.one_of("compression", compression, get_args(Compression))
            for field, text in (("prefix", prefix), ("error_prefix", error_prefix)):
                check.that(len(text) <= _PREFIX_MAX, field, f"at most {_PREFIX_MAX} characters", len(text))
                check.that(
                    not _EXPRESSION_OF_OTHERS.search(text),
                    field,
                    "without expressions but timestamp and firehose",
                    text,
                )
            check.that(_ERROR_TYPE not in prefix, "prefix", f"without {_ERROR_TYPE}, which is for errors", prefix)
            check.that(
                "!{" not in error_prefix or _ERROR_TYPE in error_prefix,
                "error_prefix", f"text with {_ERROR_TYPE} if it has expressions", error_prefix,
            )  # fmt: skip
        self.source = source
        self.buffer_interval = buffer_interval
        self.key = key or Key.of(stack)
        self._failures = DeadLetters(self, key=self.key)

        part = f"{name}-delivery"
        self.log_group = LogGroup(stack, part, retention_days=log_retention_days, key=self.key)
        log_stream = self.add(logs.LogStream(self.id("DeliveryLogStream"), LogGroupName=self.log_group.group_name))
        self.role = Role(stack, part, service="firehose", description=f"Role of delivery {name}")
        self.role.connect(bucket.for_writing(), self.log_group.for_writing())
        for allowed, resource in ((_ON_BUCKET, bucket.arn), (_ON_OBJECTS, join(bucket.arn, "/*"))):
            self.role.allow(Grant(allowed, (resource,)), why=f"delivering to {bucket.name!r}")

        self.resource = firehose.DeliveryStream(
            self.id(),
            ExtendedS3DestinationConfiguration=firehose.ExtendedS3DestinationConfiguration(
                BucketARN=bucket.arn,
                BufferingHints=firehose.BufferingHints(
                    IntervalInSeconds=seconds(buffer_interval), SizeInMBs=buffer_mib
                ),
                CloudWatchLoggingOptions=firehose.CloudWatchLoggingOptions(
                    Enabled=True, LogGroupName=self.log_group.group_name, LogStreamName=log_stream.ref()
                ),
                CompressionFormat=compression,
                EncryptionConfiguration=firehose.EncryptionConfiguration(
                    KMSEncryptionConfig=firehose.KMSEncryptionConfig(AWSKMSKeyARN=bucket.key_arn)
                ),
                ErrorOutputPrefix=error_prefix,
                Prefix=prefix,
                RoleARN=self.role.arn,
            ),
            # Firehose tries the role as soon as the stream exists.
            DependsOn=self.role.policy,
        )
        self._read(source)
        self.add(self.resource)

    def _read(self, source: RecordStream | None) -> None:
        if source is None:
            self.resource.DeliveryStreamType = "DirectPut"
            self.resource.DeliveryStreamEncryptionConfigurationInput = (
                firehose.DeliveryStreamEncryptionConfigurationInput(KeyARN=self.key.arn, KeyType="CUSTOMER_MANAGED_CMK")
            )
            return
        self.role.connect(source.for_reading())
        self.resource.DeliveryStreamType = "KinesisStreamAsSource"
        self.resource.KinesisStreamSourceConfiguration = firehose.KinesisStreamSourceConfiguration(
            KinesisStreamARN=source.arn, RoleARN=self.role.arn
        )
        suppress(self.resource, "stream-source-encrypts")

    @property
    def arn(self) -> Value:
        """ARN of the Firehose stream."""
        return self.attribute("Arn")

    @property
    def stream_name(self) -> Value:
        """Name of the Firehose stream in AWS, which callers put records to."""
        return self.ref()

    def for_writing(self) -> Binding:
        """Return what a caller needs to put records: rights and ``<NAME>_DELIVERY_STREAM``.

        Raises:
            WiringError: it reads a stream, and takes records from nobody else.
        """
        return Binding(self.name, f"writing to {self}", self.start_grants(), {"DELIVERY_STREAM": self.stream_name})

    def start_grants(self) -> Sequence[Grant]:
        """Return the rights a role needs to put records; see ``Target``.

        Raises:
            WiringError: it reads a stream, and takes records from nobody else.
        """
        if self.source is not None:
            raise WiringError(
                f"{self}: source must be left out for callers to put records, got {self.source.name!r}; "
                f"write to {self.source.name!r} instead"
            )
        return (Grant((actions.PutRecord, actions.PutRecordBatch), (self.arn,)),)

    def admit(self, service: str, source: Value, *, label: str = "") -> bool:  # noqa: ARG002  (no resource policy)
        """Return False: Firehose has no resource policy, so ``service`` needs a role; see ``Target``."""
        return False

    def dead_letters_for(self, service: str, source: Value) -> Value:
        """Return the ARN of the queue where ``service`` may keep what it could not deliver here."""
        return self._failures.admit(service, source)

    def watches(self) -> Sequence[Watch]:
        """Return what shows that records are late, fail, or are refused."""
        dimensions = {"DeliveryStreamName": self.stream_name}
        late = seconds(self.buffer_interval + _LATE)
        own = (
            Watch("throttles", f"Records refused by {self}", "AWS/Firehose", "ThrottledRecords", dimensions, "Sum", 1)
            if self.source is None
            else Watch(
                "behind", f"How far {self} is behind its stream, milliseconds", "AWS/Firehose",
                "KinesisMillisBehindLatest", dimensions, "Maximum", seconds(_LATE) * 1000,
            )
        )  # fmt: skip
        return (
            Watch(
                "freshness", f"Age of the oldest record in {self}, seconds", "AWS/Firehose",
                "DeliveryToS3.DataFreshness", dimensions, "Maximum", late,
            ),
            Watch(
                "success", f"Share of objects that {self} could write", "AWS/Firehose",
                "DeliveryToS3.Success", dimensions, "Average", 1, comparison="<",
            ),
            own,
            *self._failures.watches(),
        )  # fmt: skip
