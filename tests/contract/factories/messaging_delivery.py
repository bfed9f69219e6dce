from datetime import timedelta

from archlib import Component, Stack
from archlib.components.messaging.delivery import Delivery
from archlib.components.messaging.stream import Stream
from archlib.components.storage.bucket import Bucket


def delivery(stack: Stack) -> Component:
    return Delivery(stack, "clicks", bucket=Bucket(stack, "lake"))


def delivery_of_a_stream(stack: Stack) -> Component:
    return Delivery(
        stack,
        "clicks",
        bucket=Bucket(stack, "lake"),
        source=Stream(stack, "events"),
        prefix="clicks/day=!{timestamp:yyyy-MM-dd}/",
        buffer_interval=timedelta(minutes=1),
        buffer_mib=64,
    )


FACTORIES = (delivery, delivery_of_a_stream)
