from archlib import Component, Stack
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.topic import Topic
from archlib.components.observability.access_logs import AccessLogs
from archlib.components.observability.alarm import Alarm
from archlib.components.observability.canary import Canary
from archlib.components.observability.dashboard import Dashboard
from archlib.components.observability.dead_letters import DeadLetterQueue
from archlib.components.observability.log_group import LogGroup
from archlib.components.observability.tracing import Tracing
from archlib.components.storage.bucket import Bucket


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


def access_logs(stack: Stack) -> Component:
    return AccessLogs(stack, "load-balancer-logs", keep_days=90)


def canary(stack: Stack) -> Component:
    return Canary(stack, "shop", url="https://shop.example.com/", artifacts=Bucket(stack, "visits"))


FACTORIES = (access_logs, log_group, alarm, canary, dashboard, tracing, dead_letter_queue)
