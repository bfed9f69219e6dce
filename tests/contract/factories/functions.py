from archlib import Component, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.functions.live import Live
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.wiring.mount import FileSystemMount

INLINE = Code(inline="def handler(event, context):\n    return event\n")


NETWORK = Vpc.lookup(
    vpc_id="vpc-0123456789abcdef0",
    private_subnets=("subnet-0123456789abcdef0", "subnet-0123456789abcdef1"),
    endpoints_group="sg-0123456789abcdef0",
)


def function(stack: Stack) -> Component:
    return Function(stack, "worker", code=INLINE)


def function_in_a_network(stack: Stack) -> Component:
    return Function(stack, "worker", code=INLINE, network=NETWORK)


def function_with_a_file_system(stack: Stack) -> Component:
    mount = FileSystemMount(
        "arn:aws:elasticfilesystem:us-east-1:111122223333:access-point/fsap-0123456789abcdef0",
        "arn:aws:elasticfilesystem:us-east-1:111122223333:file-system/fs-0123456789abcdef0",
        security_group="sg-0123456789abcdef1",
    )
    return Function(stack, "worker", code=INLINE, network=NETWORK, file_system=mount, live=Live(provisioned=1))


def function_with_live_alias(stack: Stack) -> Component:
    live = Live(shift="canary-10-percent-5-minutes", provisioned=1, provisioned_max=3)
    return Function(stack, "worker", code=INLINE, live=live)


def function_that_rolls_back(stack: Stack) -> Component:
    live = Live(shift="linear-10-percent-every-1-minute", notify=Topic(stack, "alarms"))
    return Function(stack, "worker", code=INLINE, live=live)


def function_with_snap_start(stack: Stack) -> Component:
    return Function(stack, "worker", code=INLINE, live=Live(), snap_start=True)


def function_from_an_image(stack: Stack) -> Component:
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/worker@sha256:" + "0" * 64
    return Function(stack, "worker", code=Code(image=image), environment={"STAGE": "test"})


def asynchronous_function(stack: Stack) -> Component:
    worker = Function(stack, "worker", code=INLINE, live=Live())
    worker.on_async(success=Queue(stack, "results"))
    return worker


def consuming_function(stack: Stack) -> Component:
    worker = Function(stack, "worker", code=INLINE)
    worker.consume(Queue(stack, "jobs"))
    return worker


FACTORIES = (
    function,
    function_in_a_network,
    function_with_a_file_system,
    function_with_live_alias,
    function_that_rolls_back,
    function_with_snap_start,
    function_from_an_image,
    asynchronous_function,
    consuming_function,
)
