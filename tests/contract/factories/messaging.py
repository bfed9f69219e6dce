from datetime import timedelta

from archlib import Component, Stack
from archlib.components.messaging.bus import Bus
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.stream import Stream
from archlib.components.messaging.topic import Topic


def queue(stack: Stack) -> Component:
    return Queue(stack, "jobs")


def fifo_queue(stack: Stack) -> Component:
    return Queue(stack, "jobs", fifo=True)


def topic(stack: Stack) -> Component:
    return Topic(stack, "orders")


def fifo_topic(stack: Stack) -> Component:
    orders = Topic(stack, "orders", fifo=True)
    orders.subscribe(Queue(stack, "jobs", fifo=True))
    return orders


def topic_with_subscribers_outside(stack: Stack) -> Component:
    orders = Topic(stack, "orders", display_name="Orders")
    orders.subscribe_email("ops@example.com", filter_policy={"kind": ["failed"]})
    orders.subscribe_https("https://example.com/hook")
    return orders


def bus(stack: Stack) -> Component:
    return Bus(stack, "domain", archive=timedelta(days=30))


def bus_with_schemas(stack: Stack) -> Component:
    return Bus(stack, "domain", discover_schemas=True)


def rule(stack: Stack) -> Component:
    targets = (Queue(stack, "jobs"), Topic(stack, "orders"), Stream(stack, "clicks"), Bus(stack, "audit"))
    return Bus(stack, "domain").rule("placed", *targets, pattern={"source": ["shop"]})


def stream(stack: Stack) -> Component:
    return Stream(stack, "clicks")


def provisioned_stream(stack: Stack) -> Component:
    return Stream(stack, "clicks", shards=2, retention=timedelta(days=7))


def stream_consumer(stack: Stack) -> Component:
    return Stream(stack, "clicks").consumer("totals")


FACTORIES = (
    queue,
    fifo_queue,
    topic,
    fifo_topic,
    topic_with_subscribers_outside,
    bus,
    bus_with_schemas,
    rule,
    stream,
    provisioned_stream,
    stream_consumer,
)
