"""Firehose streams that deliver records to a bucket, or to an OpenSearch domain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, get_args

from awacs import firehose as actions
from troposphere import firehose, logs

from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.messaging.search_index import SearchIndex, interface_grants
from archlib.components.network.security_group import SecurityGroup
from archlib.components.observability.dead_letters import DeadLetters
from archlib.components.observability.log_group import LogGroup
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value, join
from archlib.errors import WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import open_ports
from archlib.wiring.roles import DocumentStore, ObjectStore, RecordStream
from archlib.wiring.watch import Watch

Compression = Literal["UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY"]

_INTERVAL_MAX = timedelta(minutes=15)
_SIZE_MIB = (1, 128)
_SEARCH_SIZE_MIB = (1, 100)
_PREFIX_MAX = 1024
_ERROR_TYPE, _DAY = "!{firehose:error-output-type}", "!{timestamp:yyyy/MM/dd}"
_EXPRESSION_OF_OTHERS = re.compile(r"!\{(?!timestamp:|firehose:)")
# What Firehose documents to need beside the right to put objects.
_ON_BUCKET = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
_ON_OBJECTS = ("s3:GetObject",)
_LATE = timedelta(minutes=15)


class Delivery(Component):
    """A Firehose stream that gathers records and writes them to a bucket or an OpenSearch domain, always encrypted.

    Creates ``<Name>Delivery``, ``<Name>DeliveryRole``, ``<Name>DeliveryPolicy``, ``<Name>DeliveryLogGroup`` and
    ``<Name>DeliveryLogStream``; with ``search`` also ``<Name>DeliverySecurityGroup`` and its rules to the domain; once
    something delivers to it that keeps failures, also ``<Name>DeliveryDeadLetterQueue``. Records it cannot deliver go
    to the bucket, compressed, under ``error_prefix``.

    With ``search``, each record must be one JSON object. IAM lets the role write, but the domain has an access control
    of its own, which CloudFormation cannot reach: whoever is connected ``for_administering`` lets the role in, once,
    by two requests; until then documents count as failed::

        PUT /_plugins/_security/api/roles/<name>
        {"cluster_permissions": ["cluster_composite_ops", "cluster_monitor"],
         "index_permissions": [{"index_patterns": ["<index>*"], "allowed_actions": ["crud", "create_index", "manage"]}]}

        PUT /_plugins/_security/api/rolesmapping/<name>
        {"backend_roles": ["<ARN of <Name>DeliveryRole>"]}

    See https://docs.aws.amazon.com/firehose/latest/dev/what-is-this-service.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        bucket: where the objects go, with ``search`` those that failed; they are encrypted with its key.
        search: the OpenSearch domain that records go to instead; Firehose reaches it from its isolated subnets.
        index: for ``search``, the index they go to.
        source: the stream it reads; left out, callers put records themselves.
        prefix: start of the object keys, at most 1024 characters; ``<name>/`` by default. The arrival time
            (``YYYY/MM/dd/HH``, UTC) follows, unless the prefix has its own ``!{timestamp:...}``.
        error_prefix: the same for what failed; ``<name>-errors/<kind of error>/<day>/`` by default. If it has
            expressions, ``!{firehose:error-output-type}`` must be one of them.
        buffer_interval: longest time to gather records, at most 15 minutes.
        buffer_mib: most data to gather, in MiB, 1 to 128, with ``search`` to 100; whichever comes first is written at
            once.
        compression: ``UNCOMPRESSED``, ``GZIP``, ``ZIP``, ``Snappy`` or ``HADOOP_SNAPPY``.
        log_retention_days: days an error message is kept.
        key: the KMS key for records under way and for the log; the app's by default.

    Attributes:
        resource: the ``AWS::KinesisFirehose::DeliveryStream``.
        role: its :class:`Role`, which the domain must let in.
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
        search: DocumentStore | None = None,
        index: SearchIndex | None = None,
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
            check.between("buffer_mib", buffer_mib, *(_SEARCH_SIZE_MIB if search else _SIZE_MIB))
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
            if index:
                check.that(
                    search, "index", "left out without a search domain", index.name or name, "choose the domain, too"
                )
                index.check(check)
        self.source = source
        self.search = search
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
            # Firehose tries the role as soon as the stream exists.
            DependsOn=self.role.policy,
        )
        hints: dict[str, Any] = {"IntervalInSeconds": seconds(buffer_interval), "SizeInMBs": buffer_mib}
        logging = firehose.CloudWatchLoggingOptions(
            Enabled=True, LogGroupName=self.log_group.group_name, LogStreamName=log_stream.ref()
        )
        objects: dict[str, Any] = {
            "BucketARN": bucket.arn,
            "BufferingHints": firehose.BufferingHints(**hints),
            "CloudWatchLoggingOptions": logging,
            "CompressionFormat": compression,
            "EncryptionConfiguration": firehose.EncryptionConfiguration(
                KMSEncryptionConfig=firehose.KMSEncryptionConfig(AWSKMSKeyARN=bucket.key_arn)
            ),
            "ErrorOutputPrefix": error_prefix,
            "Prefix": prefix,
            "RoleARN": self.role.arn,
        }
        if search is None:
            self.resource.ExtendedS3DestinationConfiguration = firehose.ExtendedS3DestinationConfiguration(**objects)
        else:
            self._deliver_to(
                search,
                index or SearchIndex(),
                BufferingHints=firehose.AmazonopensearchserviceBufferingHints(**hints),
                CloudWatchLoggingOptions=logging,
                S3Configuration=firehose.S3DestinationConfiguration(**objects),
            )
        self._read(source)
        self.add(self.resource)

    def _deliver_to(self, search: DocumentStore, index: SearchIndex, **settings: Any) -> None:
        network, index_name = search.network, index.name or self.name
        group = SecurityGroup(self.stack, f"{self.name}-delivery", vpc_id=network.vpc_id).group_id
        way = search.for_delivering(index_name)
        before = set(self.stack.template.resources)
        open_ports(self.name, group, way, stack=self.stack)
        rules = sorted(set(self.stack.template.resources) - before)
        self.role.connect(way)
        for grant in interface_grants(network, group):
            self.role.allow(grant, why=f"reaching {search.name!r}")
        self.resource.DependsOn = [self.role.policy, *rules]
        self.resource.AmazonopensearchserviceDestinationConfiguration = (
            firehose.AmazonopensearchserviceDestinationConfiguration(
                DomainARN=search.arn,
                IndexName=index_name,
                IndexRotationPeriod=index.rotation,
                RetryOptions=firehose.AmazonopensearchserviceRetryOptions(DurationInSeconds=seconds(index.retry)),
                RoleARN=self.role.arn,
                S3BackupMode=index.backup,
                VpcConfiguration=firehose.VpcConfiguration(
                    RoleARN=self.role.arn, SecurityGroupIds=[group], SubnetIds=list(network.isolated_subnets)
                ),
                **settings,
            )
        )

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
        late, behind = seconds(self.buffer_interval + _LATE), seconds(_LATE) * 1000
        into = "DeliveryToS3" if self.search is None else "DeliveryToAmazonOpenSearchService"
        written = f"Share of {'objects' if self.search is None else 'documents'} that {self} could write"
        found = [
            self._watch("freshness", f"Age of the oldest record in {self}, seconds", f"{into}.DataFreshness", late),
            self._watch("success", written, f"{into}.Success", 1, statistic="Average", comparison="<"),
        ]
        if self.search is not None:
            backup = f"Share of objects that {self} could write"
            found += [
                self._watch("auth", f"{self.search.name!r} does not let {self} in", f"{into}.AuthFailure", 1),
                self._watch("rejected", f"{self.search.name!r} rejects {self}", f"{into}.DeliveryRejected", 1),
                self._watch("backup", backup, "DeliveryToS3.Success", 1, statistic="Average", comparison="<"),
            ]
        found.append(
            self._watch("throttles", f"Records refused by {self}", "ThrottledRecords", 1, statistic="Sum")
            if self.source is None
            else self._watch(
                "behind", f"How far {self} is behind its stream, milliseconds", "KinesisMillisBehindLatest", behind
            )
        )
        return (*found, *self._failures.watches())

    def _watch(
        self,
        name: str,
        title: str,
        metric: str,
        threshold: float,
        *,
        statistic: str = "Maximum",
        comparison: Literal[">=", "<"] = ">=",
    ) -> Watch:
        dimensions = {"DeliveryStreamName": self.stream_name}
        return Watch(name, title, "AWS/Firehose", metric, dimensions, statistic, threshold, comparison)
