from datetime import timedelta

from archlib import Component, Stack
from archlib.components.data.search import Search
from archlib.components.messaging.delivery import Delivery
from archlib.components.messaging.search_index import SearchIndex
from archlib.components.messaging.stream import Stream
from archlib.components.network.vpc import Vpc
from archlib.components.storage.bucket import Bucket

NETWORK = Vpc.lookup(
    vpc_id="vpc-0123456789abcdef0",
    private_subnets=["subnet-0123456789abcdef0"],
    isolated_subnets=["subnet-0123456789abcdef1", "subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
)


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


def delivery_to_a_search_domain(stack: Stack) -> Component:
    search = Search(stack, "catalogue", network=NETWORK)
    return Delivery(stack, "clicks", bucket=Bucket(stack, "lake"), search=search)


def delivery_of_a_stream_to_an_index(stack: Stack) -> Component:
    return Delivery(
        stack,
        "clicks",
        bucket=Bucket(stack, "lake"),
        search=Search(stack, "catalogue", network=NETWORK, zones=1, master_nodes=0),
        index=SearchIndex("web-clicks", rotation="OneMonth", retry=timedelta(hours=1), backup="AllDocuments"),
        source=Stream(stack, "events"),
        buffer_interval=timedelta(0),
        buffer_mib=100,
    )


FACTORIES = (delivery, delivery_of_a_stream, delivery_to_a_search_domain, delivery_of_a_stream_to_an_index)
