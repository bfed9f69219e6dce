from datetime import timedelta

from archlib import Component, Stack
from archlib.components.data.table import Table
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.functions.state_machine import StateMachine
from archlib.components.functions.steps import (
    Choice,
    Fail,
    Invoke,
    Map,
    Parallel,
    Pass,
    Publish,
    Put,
    Send,
    Succeed,
    Wait,
)
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.topic import Topic

INLINE = Code(inline="def handler(event, context):\n    return event\n")


def state_machine(stack: Stack) -> Component:
    charge, refund = (Function(stack, name, code=INLINE) for name in ("charge", "refund"))
    jobs, news, orders = Queue(stack, "jobs"), Topic(stack, "news"), Table(stack, "orders", partition_key="id")
    item = {"id": {"S": "{% $states.input.id %}"}}
    steps = (
        Invoke("Charge", charge.for_invoking()),
        Choice("Large?", {"$states.input.amount > 100": "Cool down"}, default="Ship"),
        Wait("Cool down", timedelta(hours=1)),
        Parallel("Ship", [[Send("Pack", jobs.for_sending())], [Publish("Announce", news.for_publishing())]]),
        Pass("Pick", output={"parts": "{% $states.input %}"}),
        Map("Keep all", [Put("Keep", orders.for_writing(), item=item)], items="{% $states.input.parts %}"),
        Choice("Complete?", {"$count($states.input) = 2": "Done"}, default="Incomplete"),
        Succeed("Done"),
        Fail("Incomplete", "Incomplete", "Some part was not kept"),
    )
    on_failure = (Invoke("Refund", refund.for_invoking()),)
    return StateMachine(stack, "order-flow", definition=steps, on_failure=on_failure)


def state_machine_from_a_mapping(stack: Stack) -> Component:
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": "${JOBS_QUEUE_URL}", "MessageBody.$": "$"},
        "End": True,
    }
    machine = StateMachine(stack, "order-flow", definition={"StartAt": "Send", "States": {"Send": send}}, express=True)
    machine.connect(Queue(stack, "jobs").for_sending())
    return machine


FACTORIES = (state_machine, state_machine_from_a_mapping)
