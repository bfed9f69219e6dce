from datetime import timedelta

from archlib import Component, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.functions.schedule import Schedule
from archlib.components.functions.schedule_group import ScheduleGroup
from archlib.components.messaging.queue import Queue


def schedule(stack: Stack) -> Component:
    worker = Function(stack, "worker", code=Code(inline="def handler(event, context):\n    return event\n"))
    return Schedule(stack, "nightly", target=worker, expression="rate(1 day)")


def schedule_with_all_settings(stack: Stack) -> Component:
    return Schedule(
        stack,
        "nightly",
        target=Queue(stack, "jobs", fifo=True),
        expression="cron(0 3 ? * MON-FRI *)",
        timezone="Europe/Berlin",
        window=timedelta(minutes=15),
        payload={"task": "sweep"},
        retries=3,
        max_age=timedelta(hours=1),
        group=ScheduleGroup(stack, "nights"),
    )


def schedule_group(stack: Stack) -> Component:
    return ScheduleGroup(stack, "nights")


FACTORIES = (schedule, schedule_with_all_settings, schedule_group)
