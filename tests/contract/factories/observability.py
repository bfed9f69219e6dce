from archlib import Component, Stack
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.topic import Topic
from archlib.components.observability.alarm import Alarm
from archlib.components.observability.dashboard import Dashboard
from archlib.components.observability.dead_letters import DeadLetterQueue
from archlib.components.observability.log_group import LogGroup
from archlib.components.observability.tracing import Tracing


def log_group(stack: Stack) -> Component:
    group = LogGroup(stack, "audit")
    group.metric("failures", pattern='{ $.level = "ERROR" }')
    return group


def alarm(stack: Stack) -> Component:
    jobs = Queue(stack, "jobs")
    return Alarm.each(stack, [jobs], notify=Topic(stack, "alarms"))[0]


def dashboard(stack: Stack) -> Component:
    return Dashboard(stack, "overview", tiers={"Messages": [Queue(stack, "jobs")]})


def tracing(stack: Stack) -> Component:
    return Tracing(stack, "requests")


def dead_letter_queue(stack: Stack) -> Component:
    return DeadLetterQueue(stack, "jobs")


FACTORIES = (log_group, alarm, dashboard, tracing, dead_letter_queue)
