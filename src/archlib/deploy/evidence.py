"""What else is known about a failure: a container's last words, a function's log, a hook's advice.

Nothing here ever fails or takes long: what cannot be found out is left out.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from archlib.deploy.cloudformation import is_hook
from archlib.deploy.diagnose import causes
from archlib.deploy.models import StackEvent
from archlib.deploy.run import Run

_PATIENCE = 6.0
_LINES, _LONGEST = 5, 300
_SERVICE = "AWS::ECS::Service"
_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")
_SERVICE_SLOW, _CUSTOM_SILENT = 120.0, 300.0


def gather(run: Run, events: Iterable[StackEvent], *, status: str) -> tuple[str, ...]:
    """Return what else is known about the cause of a failure, within a few seconds, without secrets.

    Args:
        run: of the region.
        events: of the operation that failed, of nested stacks too.
        status: of the stack after it.
    """
    found = causes(events, status)
    return about(run, found[0]) if found else ()


def about(run: Run, event: StackEvent) -> tuple[str, ...]:
    """Return what else is known about a resource that failed, or takes long; see :func:`gather`."""
    source = next((source for prefix, source in _SOURCES.items() if event.type.startswith(prefix)), None)
    hook = is_hook(event.reason)
    if source is None and not hook:
        return ()
    found: list[str] = []

    def look() -> None:
        try:
            if hook:
                found.extend(run.cloudformation.hook_advice(event.stack_id))
            if source is not None:
                found.extend(source(run, event))
        except Exception:  # noqa: BLE001  (a helper that fails must not hide what it was to explain)
            return

    # A thread of its own: whoever may not look, or is far from AWS, must not wait for all attempts of all calls.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return tuple(run.redact(" ".join(line.split())[:_LONGEST]) for line in tuple(found))


def live_hint(run: Run, event: StackEvent, seconds: float) -> str:
    """Return what can be seen of a resource that has been worked on for ``seconds``, or nothing yet.

    A service of ECS is worth a look after two minutes, a custom resource that says nothing after five.
    """
    if event.type == _SERVICE and seconds > _SERVICE_SLOW:
        found = about(run, event)
        advice = f"stop it with: archlib cancel {event.stack}"
        return f"{event.resource}: containers do not become stable: {'; '.join(found)}; {advice}" if found else ""
    if event.type.startswith(_CUSTOM) and seconds > _CUSTOM_SILENT:
        found = about(run, event)
        told = f"its function's log ends with: {'; '.join(found)}" if found else "look at its function's log"
        return f"{event.resource}: does not answer; CloudFormation waits an hour, or its ServiceTimeout; {told}"
    return ""


def _service(run: Run, event: StackEvent) -> Iterator[str]:
    """Yield what became of the last deployment of an ECS service, and the last words of a container that stopped."""
    ecs = run.cloudformation.client("ecs")
    *_, cluster, name = event.physical_id.split("/") if "/" in event.physical_id else ("default", event.physical_id)
    services = ecs.describe_services(cluster=cluster, services=[name])["services"]
    for deployment in (each for service in services for each in service.get("deployments", ())):
        if deployment.get("rolloutStateReason") and deployment.get("rolloutState") != "COMPLETED":
            yield f"deployment {deployment['rolloutState']}: {deployment['rolloutStateReason']}"
    arns = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    mine = [task for task in tasks if task.get("group") == f"service:{name}"]
    if mine:
        yield from _task(run, ecs, max(mine, key=_stopped_at))


def _stopped_at(task: Mapping[str, Any]) -> float:
    stopped = task.get("stoppedAt")
    return stopped.timestamp() if stopped else 0.0


def _task(run: Run, ecs: Any, task: Mapping[str, Any]) -> Iterator[str]:
    if task.get("stoppedReason"):
        yield f"a task stopped: {task['stoppedReason']}"
    ended = [each for each in task.get("containers", ()) if each.get("exitCode") or each.get("reason")]
    for container in ended:
        code = f"exit code {container['exitCode']}" if container.get("exitCode") is not None else ""
        yield f"container {container['name']}: {', '.join(filter(None, (code, container.get('reason'))))}"
    if not ended:
        return
    known = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    options = {
        each["name"]: each.get("logConfiguration", {}).get("options", {}) for each in known["containerDefinitions"]
    }
    for container in ended:
        where = options.get(container["name"], {})
        if "awslogs-group" in where and "awslogs-stream-prefix" in where:
            stream = f"{where['awslogs-stream-prefix']}/{container['name']}/{task['taskArn'].split('/')[-1]}"
            yield from _tail(run, where["awslogs-group"], stream)


def _custom(run: Run, event: StackEvent) -> Iterator[str]:
    """Yield the end of the log of the function behind a custom resource."""
    token = str(_properties(run, event).get("ServiceToken", ""))
    if ":function:" in token:
        yield from _function_log(run, token)


def _function(run: Run, event: StackEvent) -> Iterator[str]:
    """Yield why a function does not become active."""
    if event.physical_id:
        known = run.cloudformation.client("lambda").get_function_configuration(FunctionName=event.physical_id)
        yield from filter(None, (known.get("StateReason"), known.get("LastUpdateStatusReason")))


def _group(run: Run, event: StackEvent) -> Iterator[str]:
    """Yield why instances do not start."""
    found = run.cloudformation.client("autoscaling").describe_scaling_activities(
        AutoScalingGroupName=event.physical_id, MaxRecords=_LINES
    )
    for activity in found["Activities"]:
        if activity.get("StatusCode") in {"Failed", "Cancelled"} and activity.get("StatusMessage"):
            yield f"{activity.get('Description', 'scaling')}: {activity['StatusMessage']}"
            return


def _properties(run: Run, event: StackEvent) -> Mapping[str, Any]:
    """Return the properties with which a resource was worked on, as its events show them."""
    page = run.cloudformation.read("describe_stack_events", StackName=event.stack_id)
    for item in page["StackEvents"]:
        if item.get("LogicalResourceId") == event.resource and item.get("ResourceProperties"):
            return dict(json.loads(item["ResourceProperties"]))
    return {}


def _function_log(run: Run, arn: str) -> Iterator[str]:
    known = run.cloudformation.client("lambda").get_function_configuration(FunctionName=arn)
    group = known.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{known['FunctionName']}"
    streams = run.cloudformation.client("logs").describe_log_streams(
        logGroupName=group, orderBy="LastEventTime", descending=True, limit=1
    )["logStreams"]
    for stream in streams:
        yield from _tail(run, group, stream["logStreamName"])


def _tail(run: Run, group: str, stream: str) -> Iterator[str]:
    """Yield the last lines of a log."""
    answer = run.cloudformation.client("logs").get_log_events(
        logGroupName=group, logStreamName=stream, limit=_LINES * 4, startFromHead=False
    )
    lines = [event["message"].strip() for event in answer["events"]]
    # What the runtime of functions writes around each call tells nothing.
    told = [line for line in lines if line and not line.startswith(("START ", "END ", "REPORT ", "INIT_START "))]
    yield from (f"log: {line}" for line in told[-_LINES:])


_SOURCES: Mapping[str, Callable[[Run, StackEvent], Iterator[str]]] = {
    _SERVICE: _service,
    "Custom::": _custom,
    "AWS::CloudFormation::CustomResource": _custom,
    "AWS::Lambda::Function": _function,
    "AWS::AutoScaling::AutoScalingGroup": _group,
}
"""What a type begins with -> who knows more about it."""
