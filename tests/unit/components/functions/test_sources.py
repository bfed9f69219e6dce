from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.functions.live import Live
from archlib.components.functions.sources import Consumption
from archlib.components.messaging.queue import Queue
from archlib.errors import SettingsError
from archlib.wiring.binding import Binding, Grant, Source

Rendered = Callable[[], dict[str, Any]]
INLINE = Code(inline="def handler(event, context):\n    return event\n")
ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
BROKER = "arn:aws:mq:eu-west-1:123456789012:broker:b-1"


class Existing:
    """A stream or broker that exists already."""

    def __init__(self, stack: Stack, source: Source) -> None:
        self.stack, self.name, self._source = stack, source.binding.target, source

    def as_source(self) -> Source:
        return self._source


@pytest.fixture
def worker(stack: Stack) -> Function:
    return Function(stack, "worker", code=INLINE, timeout=timedelta(seconds=30))


@pytest.fixture
def stream(stack: Stack) -> Existing:
    binding = Binding("clicks", "reading stream 'clicks'", (Grant(("kinesis:GetRecords",), (ARN,)),))
    return Existing(stack, Source(binding, ARN, stream=True))


@pytest.fixture
def broker(stack: Stack) -> Existing:
    binding = Binding("legacy", "consuming broker 'legacy'", (Grant(("mq:DescribeBroker",), (BROKER,)),))
    source = Source(binding, BROKER, broker_queue="orders", credentials="arn:aws:secretsmanager:x", virtual_host="/")
    return Existing(stack, source)


def actions(found: dict[str, Any]) -> set[str]:
    statements = found["WorkerFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    return {action for statement in statements for action in statement["Action"]}


def test_a_queue_is_consumed_in_batches_that_may_fail_in_part(
    stack: Stack, worker: Function, rendered: Rendered
) -> None:
    worker.consume(Queue(stack, "jobs"))

    found = rendered()
    mapping = found["WorkerFromJobs"]
    assert mapping["Properties"] == {
        "BatchSize": 10,
        "Enabled": True,
        "EventSourceArn": {"Fn::GetAtt": ["JobsQueue", "Arn"]},
        "FunctionName": {"Fn::GetAtt": ["WorkerFunction", "Arn"]},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "Tags": mapping["Properties"]["Tags"],
    }
    assert mapping["DependsOn"] == "WorkerFunctionPolicy"
    assert {"sqs:ReceiveMessage", "sqs:DeleteMessage", "kms:Decrypt"} <= actions(found)
    assert "WorkerFunctionDeadLetterQueue" not in found


def test_a_mapping_runs_what_is_live(stack: Stack, rendered: Rendered) -> None:
    Function(stack, "worker", code=INLINE, live=Live()).consume(Queue(stack, "jobs"))

    assert rendered()["WorkerFromJobs"]["Properties"]["FunctionName"] == {"Ref": "WorkerLiveAlias"}


def test_a_queue_takes_a_window_filters_and_a_cap(stack: Stack, worker: Function, rendered: Rendered) -> None:
    settings = Consumption(
        batch_size=100,
        window=timedelta(seconds=5),
        filters=[{"body": {"kind": ["order"]}}],
        max_concurrency=4,
        report_failed_items=False,
    )

    worker.consume(Queue(stack, "jobs"), settings)

    mapping = rendered()["WorkerFromJobs"]["Properties"]
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (100, 5)
    assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": '{"body": {"kind": ["order"]}}'}]}
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 4}
    assert "FunctionResponseTypes" not in mapping


@pytest.mark.parametrize(
    ("settings", "fifo", "message"),
    [
        (Consumption(batch_size=0), False, "batch_size must be 1 to 10000, got 0"),
        (Consumption(batch_size=10_001), False, "batch_size must be 1 to 10000, got 10001"),
        (Consumption(batch_size=11), True, "batch_size must be 1 to 10, got 11"),
        (Consumption(batch_size=11), False, "window must be 1s or more for batches over 10, got 0s"),
        (Consumption(window=timedelta(seconds=1)), True, "window must be 0s for a FIFO queue, got 1s"),
        (Consumption(window=timedelta(minutes=6)), False, "window must be 0s to 5m, got 6m"),
        (Consumption(max_concurrency=1), False, "max_concurrency must be 2 to 1000, got 1"),
        (Consumption(filters=[{}] * 11), False, "filters must be at most 10, got 11"),
    ],
)
def test_refuses_settings_that_do_not_fit_a_queue(
    worker: Function,
    settings: Consumption,
    fifo: bool,  # noqa: FBT001  (a parameter of the test)
    message: str,
) -> None:
    with pytest.raises(SettingsError) as caught:
        worker.consume(Queue(worker.stack, "jobs", fifo=fifo), settings)

    assert f"function 'worker' consuming 'jobs': {message}" in str(caught.value)
    assert "WorkerFromJobs" not in worker.stack.template.resources


def test_refuses_a_queue_whose_messages_return_during_a_run(stack: Stack, worker: Function) -> None:
    with pytest.raises(SettingsError, match="timeout must be at most the queue's visibility of 29s, got 30s"):
        worker.consume(Queue(stack, "jobs", visibility=timedelta(seconds=29)))


def test_a_stream_halves_failing_batches_and_keeps_what_failed(
    worker: Function, stream: Existing, rendered: Rendered
) -> None:
    worker.consume(stream)

    found = rendered()
    mapping = found["WorkerFromClicks"]["Properties"]
    assert mapping["BatchSize"] == 100
    assert mapping["StartingPosition"] == "LATEST"
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 3
    assert mapping["MaximumRecordAgeInSeconds"] == 86_400
    assert mapping["ParallelizationFactor"] == 1
    assert mapping["DestinationConfig"] == {
        "OnFailure": {"Destination": {"Fn::GetAtt": ["WorkerFunctionDeadLetterQueue", "Arn"]}}
    }
    assert {"kinesis:GetRecords", "sqs:SendMessage"} <= actions(found)


def test_a_reader_of_a_stream_watches_how_far_behind_it_is(worker: Function, stream: Existing) -> None:
    assert "iterator-age" not in [watch.name for watch in worker.watches()]

    worker.consume(stream)

    assert "IteratorAge" in [watch.metric for watch in worker.watches()]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Consumption(batch_size=10_001), "batch_size must be 1 to 10000"),
        (Consumption(retries=-1), "retries must be 0 to 10000, got -1"),
        (Consumption(max_age=timedelta(seconds=59)), "max_age must be 1m to 7d, got 59s"),
        (Consumption(parallel=11), "parallel must be 1 to 10, got 11"),
        (Consumption(start="NOW"), "start must be one of LATEST, TRIM_HORIZON, got 'NOW'"),  # type: ignore[arg-type]
        (Consumption(max_concurrency=2), "max_concurrency must be left out, got 2"),
    ],
)
def test_refuses_settings_that_do_not_fit_a_stream(
    worker: Function, stream: Existing, settings: Consumption, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        worker.consume(stream, settings)

    assert message in str(caught.value)


def test_a_broker_is_read_with_its_credentials(worker: Function, broker: Existing, rendered: Rendered) -> None:
    worker.consume(broker)

    found = rendered()
    mapping = found["WorkerFromLegacy"]["Properties"]
    assert mapping["Queues"] == ["orders"]
    assert mapping["SourceAccessConfigurations"] == [
        {"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:x"},
        {"Type": "VIRTUAL_HOST", "URI": "/"},
    ]
    assert mapping["BatchSize"] == 100
    assert {"FunctionResponseTypes", "DestinationConfig", "StartingPosition"}.isdisjoint(mapping)
    assert "mq:DescribeBroker" in actions(found)


def test_refuses_a_function_too_slow_for_a_broker(stack: Stack, broker: Existing) -> None:
    slow = Function(stack, "worker", code=INLINE, timeout=timedelta(minutes=15))

    with pytest.raises(SettingsError, match="timeout must be 1s to 14m, got 15m"):
        slow.consume(broker)
