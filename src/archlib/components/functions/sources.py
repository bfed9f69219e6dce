"""Event source mappings: a function run by the messages of a queue or broker, or the records of a stream."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from troposphere import awslambda

from archlib.core.naming import pascal
from archlib.core.suppression import suppress
from archlib.units import format_duration, seconds
from archlib.wiring.binding import Source
from archlib.wiring.roles import EventSource

if TYPE_CHECKING:
    from archlib.components.functions.function import Function
    from archlib.core.component import Check

_BATCH_MAX, _FIFO_BATCH_MAX, _UNWINDOWED_BATCH_MAX = 10_000, 10, 10
_WINDOW_MAX = timedelta(minutes=5)
_BROKER_TIMEOUT_MAX = timedelta(minutes=14)
_FILTERS_MAX = 10


class _Cap(awslambda.ScalingConfig):
    # troposphere 4.11 lost this property when a newer type of the same name came in.
    props = {"MaximumConcurrency": (int, False)}  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class Consumption:
    """How records reach a function.

    Attributes:
        batch_size: most records a run gets, up to 10,000; 10 by default for queues, 100 for streams and brokers.
            Queues take over 10 only with a window, FIFO queues up to 10.
        window: how long to gather a batch, up to 5 minutes; not for FIFO queues.
        filters: EventBridge patterns, at most 10 (over 5 AWS asks for a higher quota); a record that matches none is
            skipped.
        max_concurrency: for queues, runs at a time, 2 to 1000.
        report_failed_items: for queues and streams, a run may name the records that failed, and only those return.
        start: for streams, ``LATEST`` or ``TRIM_HORIZON`` (everything still kept).
        bisect: for streams, halve a failing batch to find the bad record.
        retries: for streams, tries after the first, 0 to 10,000; what still fails goes to the dead-letter queue.
        max_age: for streams, oldest record still tried, 1 minute to 7 days.
        parallel: for streams, batches of one shard at a time, 1 to 10.
    """

    batch_size: int | None = None
    window: timedelta = timedelta(0)
    filters: Sequence[Mapping[str, Any]] = field(default=())
    max_concurrency: int | None = None
    report_failed_items: bool = True
    start: Literal["LATEST", "TRIM_HORIZON"] = "LATEST"
    bisect: bool = True
    retries: int = 3
    max_age: timedelta = timedelta(days=1)
    parallel: int = 1


def consume(function: Function, source: EventSource, settings: Consumption) -> awslambda.EventSourceMapping:
    """Add the mapping from ``source`` to ``function``, with the rights it needs.

    Raises:
        SettingsError: a setting does not fit the source, or the timeout exceeds the queue's visibility.
    """
    spec = source.as_source()
    broker = spec.broker_queue is not None
    with function.checking() as check:
        check.subject = f"{function} consuming {source.name!r}"
        _check(check, function, settings, spec)
    for grant in spec.binding.grants:
        function.allow(grant, why=spec.binding.access)
    mapping = awslambda.EventSourceMapping(
        function.id(f"From{pascal(source.name)}"),
        BatchSize=settings.batch_size or (100 if spec.stream or broker else 10),
        Enabled=True,
        EventSourceArn=spec.arn,
        FunctionName=function.arn,
        # Lambda tries to read the source as soon as the mapping exists.
        DependsOn=function.role.policy,
    )
    if settings.report_failed_items and not broker:
        mapping.FunctionResponseTypes = ["ReportBatchItemFailures"]
    if settings.window:
        mapping.MaximumBatchingWindowInSeconds = seconds(settings.window)
    if settings.filters:
        mapping.FilterCriteria = awslambda.FilterCriteria(
            Filters=[awslambda.Filter(Pattern=json.dumps(pattern, sort_keys=True)) for pattern in settings.filters]
        )
    if spec.stream:
        _read_stream(mapping, function, settings)
    elif broker:
        mapping.Queues = [spec.broker_queue]
        mapping.SourceAccessConfigurations = [
            awslambda.SourceAccessConfiguration(Type=type_, URI=uri)
            for type_, uri in (("BASIC_AUTH", spec.credentials), ("VIRTUAL_HOST", spec.virtual_host))
            if uri is not None
        ]
    else:
        if settings.max_concurrency is not None:
            mapping.ScalingConfig = _Cap(MaximumConcurrency=settings.max_concurrency)
        suppress(mapping, "sqs-source-has-its-dlq")
    function.add(mapping)
    return mapping


def _read_stream(mapping: awslambda.EventSourceMapping, function: Function, settings: Consumption) -> None:
    function.reads_streams = True
    mapping.BisectBatchOnFunctionError = settings.bisect
    mapping.DestinationConfig = awslambda.DestinationConfig(
        OnFailure=awslambda.OnFailure(Destination=function.failures().arn)
    )
    mapping.MaximumRecordAgeInSeconds = seconds(settings.max_age)
    mapping.MaximumRetryAttempts = settings.retries
    mapping.ParallelizationFactor = settings.parallel
    mapping.StartingPosition = settings.start


def _check(check: Check, function: Function, settings: Consumption, spec: Source) -> None:
    check.between("window", settings.window, timedelta(0), _WINDOW_MAX)
    check.between("batch_size", settings.batch_size, 1, _FIFO_BATCH_MAX if spec.fifo else _BATCH_MAX)
    filters = len(settings.filters)
    check.that(filters <= _FILTERS_MAX, "filters", f"at most {_FILTERS_MAX}", filters, "match in the function")
    if spec.stream:
        _check_stream(check, settings)
    elif spec.broker_queue is not None:
        check.between("timeout", function.timeout, timedelta(seconds=1), _BROKER_TIMEOUT_MAX)
        check.that(settings.max_concurrency is None, "max_concurrency", "left out", settings.max_concurrency)
    else:
        _check_queue(check, function, settings, spec)


def _check_queue(check: Check, function: Function, settings: Consumption, spec: Source) -> None:
    check.that(
        spec.fifo or (settings.batch_size or 1) <= _UNWINDOWED_BATCH_MAX or settings.window >= timedelta(seconds=1),
        "window", f"1s or more for batches over {_UNWINDOWED_BATCH_MAX}", settings.window,
    )  # fmt: skip
    check.that(not (spec.fifo and settings.window), "window", "0s for a FIFO queue", settings.window)
    check.between("max_concurrency", settings.max_concurrency, 2, 1000)
    if spec.visibility is not None:
        check.that(
            function.timeout <= spec.visibility,
            "timeout", f"at most the queue's visibility of {format_duration(spec.visibility)}", function.timeout,
            "raise the visibility, best to six times the timeout, or lower the timeout",
        )  # fmt: skip


def _check_stream(check: Check, settings: Consumption) -> None:
    check.between("retries", settings.retries, 0, 10_000)
    check.between("max_age", settings.max_age, timedelta(minutes=1), timedelta(days=7))
    check.between("parallel", settings.parallel, 1, 10)
    check.one_of("start", settings.start, ("LATEST", "TRIM_HORIZON"))
    check.that(settings.max_concurrency is None, "max_concurrency", "left out", settings.max_concurrency)
