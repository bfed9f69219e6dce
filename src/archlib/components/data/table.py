"""DynamoDB tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from awacs import dynamodb as actions
from troposphere import Tags, dynamodb

from archlib.components.data.capacity import Provisioned
from archlib.components.data.indexes import (
    AttributeLike,
    GlobalIndex,
    LocalIndex,
    attributes,
    check_attributes,
    check_indexes,
    definitions,
    projected,
    schema,
)
from archlib.components.identity.key import Key
from archlib.core.component import Check, Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import REGION, Value, join
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, Grant, Source
from archlib.wiring.watch import Watch

StreamView = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]

_READ = (
    *(actions.BatchGetItem, actions.ConditionCheckItem, actions.DescribeTable),
    *(actions.GetItem, actions.Query, actions.Scan),
)
_WRITE = (
    *(actions.BatchWriteItem, actions.DeleteItem, actions.DescribeTable),
    *(actions.PutItem, actions.UpdateItem),
)
_READ_STREAM = (actions.DescribeStream, actions.GetRecords, actions.GetShardIterator, actions.ListStreams)
_WATCHED_OPERATIONS = ("GetItem", "PutItem", "Query", "UpdateItem")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")


@dataclass(frozen=True, slots=True)
class Replica:
    """A full copy of the table in another region, which takes writes as well.

    Attributes:
        region: such as ``eu-west-1``; not the stack's own.
        key_arn: ARN of the KMS key there that encrypts the copy.
    """

    region: str
    key_arn: Value


class Table(Component):
    """An encrypted DynamoDB table that can be restored to any second of the last weeks.

    Creates ``<Name>Table``; with ``capacity`` also ``<Name>TableReadScalableTarget``,
    ``<Name>TableReadScalingPolicy``, the same two for ``Write``, and all four again for each global index:
    ``<Name>Table<Index>ReadScalableTarget``. With ``replicas`` the table is an ``AWS::DynamoDB::GlobalTable``, which
    scales without them. CloudFormation cannot turn one type into the other: decide before there is data.

    See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/best-practices.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        partition_key: what items are spread by: a text attribute by its name, or an ``Attribute``.
        sort_key: what items are ordered by within a partition, if anything.
        global_indexes: other keys to find items by, at most 20.
        local_indexes: other orders within a partition, at most 5; they need a ``sort_key``.
        capacity: capacity bought by the hour; left out, each request is paid for.
        expires_by: number attribute with the time, in seconds since 1970, after which DynamoDB removes an item.
        stream: what the stream of changes shows of an item; no stream by default. A table with replicas has one,
            with ``NEW_AND_OLD_IMAGES``.
        replicas: copies in other regions.
        restore_days: how far back the table can be restored, 1 to 35 days.
        insights: let CloudWatch find the most used keys, at a price for each event.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::DynamoDB::Table`` or ``AWS::DynamoDB::GlobalTable``.

    Raises:
        SettingsError: keys or indexes contradict each other, or a setting is outside its range.
    """

    kind = "Table"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        partition_key: AttributeLike,
        sort_key: AttributeLike | None = None,
        global_indexes: Sequence[GlobalIndex] = (),
        local_indexes: Sequence[LocalIndex] = (),
        capacity: Provisioned | None = None,
        expires_by: str | None = None,
        stream: StreamView | None = None,
        replicas: Sequence[Replica] = (),
        restore_days: int = 35,
        insights: bool = False,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        keys = [partition_key, sort_key]
        keys += [attribute for index in global_indexes for attribute in (index.partition_key, index.sort_key)]
        keys += [index.sort_key for index in local_indexes]
        with self.checking() as check:
            check_attributes(check, attributes(keys))
            check_indexes(check, global_indexes, local_indexes, sorted_table=sort_key is not None)
            _check_capacity(check, capacity, global_indexes)
            _check_replicas(check, replicas, stream)
            check.one_of("stream", stream, (None, *get_args(StreamView)))
            check.between("restore_days", restore_days, 1, 35)
            check.that(expires_by != "", "expires_by", "the name of an attribute", expires_by)
        self.key = key or Key.of(stack)
        self.stream: StreamView | None = "NEW_AND_OLD_IMAGES" if replicas else stream
        self._global_indexes = [index.name for index in global_indexes]
        self._indexed = bool(global_indexes or local_indexes)
        self._capacity = capacity
        self._insights = dynamodb.ContributorInsightsSpecification(Enabled=True) if insights else None
        self._recovery = dynamodb.PointInTimeRecoverySpecification(
            PointInTimeRecoveryEnabled=True, RecoveryPeriodInDays=restore_days
        )
        self._protected = stack.app.removal == "Retain"

        self.resource = self._global(global_indexes, replicas) if replicas else self._regional(global_indexes)
        self.resource.AttributeDefinitions = definitions(keys)
        self.resource.BillingMode = "PAY_PER_REQUEST" if capacity is None else "PROVISIONED"
        self.resource.KeySchema = schema(partition_key, sort_key)
        if local_indexes:
            self.resource.LocalSecondaryIndexes = [
                dynamodb.LocalSecondaryIndex(
                    IndexName=index.name,
                    KeySchema=schema(partition_key, index.sort_key),
                    Projection=projected(index.projection),
                )
                for index in local_indexes
            ]
        if self.stream is not None:
            self.resource.StreamSpecification = dynamodb.StreamSpecification(StreamViewType=self.stream)
        if expires_by is not None:
            self.resource.TimeToLiveSpecification = dynamodb.TimeToLiveSpecification(
                AttributeName=expires_by, Enabled=True
            )
        self.add(self.resource, stateful=True)

    def _regional(self, indexes: Sequence[GlobalIndex]) -> dynamodb.Table:
        table = dynamodb.Table(
            self.id(),
            DeletionProtectionEnabled=self._protected,
            PointInTimeRecoverySpecification=self._recovery,
            SSESpecification=dynamodb.SSESpecification(KMSMasterKeyId=self.key.arn, SSEEnabled=True, SSEType="KMS"),
        )
        suppress(table, "not-in-backup-plan")
        if indexes:
            table.GlobalSecondaryIndexes = [self._regional_index(index) for index in indexes]
        if self._insights is not None:
            table.ContributorInsightsSpecification = self._insights
        if self._capacity is not None:
            table.ProvisionedThroughput = self._capacity.throughput()
            self._capacity.scale(self)
            for index in indexes:
                (index.capacity or self._capacity).scale(self, index.name)
        return table

    def _regional_index(self, index: GlobalIndex) -> dynamodb.GlobalSecondaryIndex:
        rendered = dynamodb.GlobalSecondaryIndex(
            IndexName=index.name,
            KeySchema=schema(index.partition_key, index.sort_key),
            Projection=projected(index.projection),
        )
        if self._insights is not None:
            rendered.ContributorInsightsSpecification = self._insights
        if self._capacity is not None:
            rendered.ProvisionedThroughput = (index.capacity or self._capacity).throughput()
        return rendered

    def _global(self, indexes: Sequence[GlobalIndex], replicas: Sequence[Replica]) -> dynamodb.GlobalTable:
        # The stack's own region is one of the replicas.
        copies: list[tuple[Value, Value]] = [
            (REGION, self.key.arn),
            *((replica.region, replica.key_arn) for replica in replicas),
        ]
        table = dynamodb.GlobalTable(
            self.id(),
            Replicas=[self._replica(region, key_arn, indexes) for region, key_arn in copies],
            SSESpecification=dynamodb.GlobalTableSSESpecification(SSEEnabled=True, SSEType="KMS"),
        )
        if indexes:
            table.GlobalSecondaryIndexes = [self._global_index(index) for index in indexes]
        if self._capacity is not None:
            table.WriteProvisionedThroughputSettings = _writes(self._capacity)
        return table

    def _global_index(self, index: GlobalIndex) -> dynamodb.GlobalTableGlobalSecondaryIndex:
        rendered = dynamodb.GlobalTableGlobalSecondaryIndex(
            IndexName=index.name,
            KeySchema=schema(index.partition_key, index.sort_key),
            Projection=projected(index.projection),
        )
        if self._capacity is not None:
            rendered.WriteProvisionedThroughputSettings = _writes(index.capacity or self._capacity)
        return rendered

    def _replica(self, region: Value, key_arn: Value, indexes: Sequence[GlobalIndex]) -> dynamodb.ReplicaSpecification:
        replica = dynamodb.ReplicaSpecification(
            DeletionProtectionEnabled=self._protected,
            PointInTimeRecoverySpecification=self._recovery,
            Region=region,
            SSESpecification=dynamodb.ReplicaSSESpecification(KMSMasterKeyId=key_arn),
            # A global table itself takes no tags, so the app's have to be written here.
            Tags=Tags(self.stack.app.tags),
        )
        if self._insights is not None:
            replica.ContributorInsightsSpecification = self._insights
        if self._capacity is not None:
            replica.ReadProvisionedThroughputSettings = _reads(self._capacity)
        if indexes and (self._insights is not None or self._capacity is not None):
            replica.GlobalSecondaryIndexes = [self._replica_index(index) for index in indexes]
        return replica

    def _replica_index(self, index: GlobalIndex) -> dynamodb.ReplicaGlobalSecondaryIndexSpecification:
        rendered = dynamodb.ReplicaGlobalSecondaryIndexSpecification(IndexName=index.name)
        if self._insights is not None:
            rendered.ContributorInsightsSpecification = self._insights
        if self._capacity is not None:
            rendered.ReadProvisionedThroughputSettings = _reads(index.capacity or self._capacity)
        return rendered

    @property
    def table_name(self) -> Value:
        """Name of the table in AWS."""
        return self.ref()

    @property
    def arn(self) -> Value:
        """ARN of the table."""
        return self.attribute("Arn")

    @property
    def stream_arn(self) -> Value:
        """ARN of the stream of changes.

        Raises:
            WiringError: the table has no stream.
        """
        if self.stream is None:
            raise WiringError(
                f"{self}: stream must be set to consume its changes, got nothing; set stream to NEW_AND_OLD_IMAGES"
            )
        return self.attribute("StreamArn")

    def for_reading(self) -> Binding:
        """Return what a caller needs to read items, by key, query or scan: rights and ``<NAME>_TABLE``."""
        return self._binding("reading", (self._reads(), self.key.for_decrypting()))

    def for_writing(self) -> Binding:
        """Return what a caller needs to put, update and delete items: rights and ``<NAME>_TABLE``; not to read."""
        return self._binding("writing", (Grant(_WRITE, (self.arn,)), self.key.for_encrypting()))

    def for_reading_and_writing(self) -> Binding:
        """Return what a caller needs to read and write items: rights and ``<NAME>_TABLE``."""
        grants = (self._reads(), Grant(_WRITE, (self.arn,)), self.key.for_encrypting())
        return self._binding("reading and writing", grants)

    def for_exporting(self) -> Binding:
        """Return what a caller needs to export the table: rights and ``<NAME>_TABLE``.

        It also needs the bucket's ``for_writing``. An export reads a backup, so it uses no capacity.
        """
        grants = (
            Grant((actions.ExportTableToPointInTime,), (self.arn,)),
            Grant((actions.DescribeExport,), (join(self.arn, "/export/*"),)),
        )
        return self._binding("exporting", grants)

    def as_source(self) -> Source:
        """Return how a function consumes the stream of changes.

        Raises:
            WiringError: the table has no stream.
        """
        grants = (Grant(_READ_STREAM, (self.stream_arn,)), self.key.for_decrypting())
        return Source(Binding(self.name, f"consuming the changes of {self}", grants), self.stream_arn, stream=True)

    def watches(self) -> Sequence[Watch]:
        """Return what shows that requests are refused or fail."""
        table = {"TableName": self.table_name}
        # A throttled index also holds back the writes of its table.
        indexes = [({**table, "GlobalSecondaryIndexName": index}, index) for index in self._global_indexes]
        throttles = [
            Watch(
                f"{index}-{dimension}-throttles".lower().strip("-"),
                f"{dimension} requests refused by {f'index {index!r} of ' if index else ''}{self}",
                "AWS/DynamoDB", f"{dimension}ThrottleEvents", dimensions, "Sum", 1,
            )
            for dimensions, index in ((table, ""), *indexes)
            for dimension in ("Read", "Write")
        ]  # fmt: skip
        errors = [
            Watch(
                f"system-errors-{operation.lower()}", f"{operation} requests to {self} that failed inside DynamoDB",
                "AWS/DynamoDB", "SystemErrors", {**table, "Operation": operation}, "Sum", 1,
            )
            for operation in _WATCHED_OPERATIONS
        ]  # fmt: skip
        return (*throttles, *errors)

    def _reads(self) -> Grant:
        return Grant(_READ, (self.arn, join(self.arn, "/index/*")) if self._indexed else (self.arn,))

    def _binding(self, access: str, grants: Sequence[Grant]) -> Binding:
        return Binding(self.name, f"{access} {self}", grants, {"TABLE": self.table_name})


def _check_capacity(check: Check, capacity: Provisioned | None, indexes: Sequence[GlobalIndex]) -> None:
    if capacity is not None:
        capacity.check(check, "capacity")
    for index in indexes:
        if index.capacity is not None:
            field = f"capacity of index {index.name!r}"
            check.that(capacity is not None, field, "left out for a table without capacity", index.capacity)
            index.capacity.check(check, field)


def _check_replicas(check: Check, replicas: Sequence[Replica], stream: StreamView | None) -> None:
    regions = [replica.region for replica in replicas]
    for region in regions:
        check.that(bool(_REGION.fullmatch(region)), "replicas", "in regions such as eu-west-1", region)
    check.that(len(set(regions)) == len(regions), "replicas", "in different regions", regions)
    check.that(
        not replicas or stream in (None, "NEW_AND_OLD_IMAGES"),
        "stream", "NEW_AND_OLD_IMAGES, or left out, for a table with replicas", stream,
    )  # fmt: skip


def _writes(capacity: Provisioned) -> dynamodb.WriteProvisionedThroughputSettings:
    return dynamodb.WriteProvisionedThroughputSettings(WriteCapacityAutoScalingSettings=capacity.scaling("Write"))


def _reads(capacity: Provisioned) -> dynamodb.ReadProvisionedThroughputSettings:
    return dynamodb.ReadProvisionedThroughputSettings(ReadCapacityAutoScalingSettings=capacity.scaling("Read"))
