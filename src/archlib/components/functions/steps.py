"""The steps of a state machine, in Python: each becomes one state, and leads to the next in the list.

Expressions are JSONata between ``{%`` and ``%}``; ``$states.input`` is what the step was given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import zip_longest
from typing import Any, ClassVar

from archlib.core.naming import environment_key
from archlib.errors import WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding

_INPUT = "{% $states.input %}"
_FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Retry:
    """When and how often a step is tried again.

    Attributes:
        errors: names of errors, such as ``States.Timeout``.
        attempts: tries after the first, 0 or more.
        interval: wait before the first of them.
        rate: each wait is this many times the one before, up to a minute, and then cut at random.
    """

    errors: Sequence[str]
    attempts: int = 3
    interval: timedelta = timedelta(seconds=2)
    rate: float = 2.0

    def state(self) -> dict[str, Any]:
        """Return the retrier."""
        return {
            "ErrorEquals": list(self.errors),
            "IntervalSeconds": seconds(self.interval),
            "MaxAttempts": self.attempts,
            "BackoffRate": self.rate,
            "MaxDelaySeconds": 60,
            "JitterStrategy": "FULL",
        }


_BUSY = (Retry(("States.TaskFailed",)),)
_LAMBDA_BUSY = (
    Retry(
        (
            "Lambda.ClientExecutionTimeoutException",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.TooManyRequestsException",
        ),
        attempts=6,
    ),
)


@dataclass(frozen=True)
class Step(ABC):
    """One step.

    Attributes:
        name: what the console shows, unique in the state machine; at most 80 characters.
        next: name of the step to go on with; the next in the list if left out.
        end: stop here instead.
    """

    name: str
    next: str | None = field(default=None, kw_only=True)
    end: bool = field(default=False, kw_only=True)

    leads_on: ClassVar[bool] = True

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return the state, without where it leads."""

    def parts(self) -> Iterator[Step]:
        """Yield the steps inside this one."""
        yield from ()

    def bindings(self) -> Iterator[Binding]:
        """Yield what this step and those inside it use."""
        for part in self.parts():
            yield from part.bindings()


@dataclass(frozen=True)
class Task(Step):
    """A step that calls a service.

    Attributes:
        target: what it uses, such as ``orders.for_sending()``.
        retry: when it is tried again.
        catch: name of the step to go to when it failed for good; the ``on_failure`` of the state machine if left out.
        timeout: longest time one try may take.
        output: what the next step is given.
    """

    target: Binding
    retry: Sequence[Retry] = field(default=_BUSY, kw_only=True)
    catch: str | None = field(default=None, kw_only=True)
    timeout: timedelta = field(default=timedelta(minutes=1), kw_only=True)
    output: Any = field(default=_INPUT, kw_only=True)

    service: ClassVar[str]

    @abstractmethod
    def arguments(self, address: str) -> dict[str, Any]:
        """Return the arguments of the call to what has ``address``."""

    def state(self) -> dict[str, Any]:
        """Return the state, without where it leads.

        Raises:
            WiringError: the binding has no address, or several.
        """
        if len(self.target.environment) != 1:
            raise WiringError(
                f"step {self.name!r}: target must have one address, got {len(self.target.environment)} "
                f"from {self.target.access}; use another binding"
            )
        (suffix,) = self.target.environment
        state = {
            "Type": "Task",
            "Resource": f"arn:aws:states:::{self.service}",
            "Arguments": self.arguments(f"${{{environment_key(self.target.target, suffix)}}}"),
            "Output": self.output,
            "TimeoutSeconds": seconds(self.timeout),
        }
        if self.retry:
            state["Retry"] = [retry.state() for retry in self.retry]
        if self.catch is not None:
            state["Catch"] = _catch(self.catch)
        return state

    def bindings(self) -> Iterator[Binding]:
        """Yield the target."""
        yield self.target


@dataclass(frozen=True)
class Invoke(Task):
    """Invoke a function and wait for its answer: ``Invoke("Charge", charge.for_invoking())``.

    Attributes:
        payload: what the function is given.
    """

    payload: Any = field(default=_INPUT, kw_only=True)
    retry: Sequence[Retry] = field(default=_LAMBDA_BUSY, kw_only=True)
    timeout: timedelta = field(default=timedelta(minutes=15), kw_only=True)
    output: Any = field(default="{% $states.result.Payload %}", kw_only=True)

    service: ClassVar[str] = "lambda:invoke"

    def arguments(self, address: str) -> dict[str, Any]:
        """Return function and payload."""
        return {"FunctionName": address, "Payload": self.payload}


@dataclass(frozen=True)
class Send(Task):
    """Send a message to a queue: ``Send("Tell the warehouse", jobs.for_sending())``.

    Attributes:
        message: the body.
        group: for a FIFO queue, messages of the same group stay in order.
    """

    message: Any = field(default=_INPUT, kw_only=True)
    group: str | None = field(default=None, kw_only=True)

    service: ClassVar[str] = "sqs:sendMessage"

    def arguments(self, address: str) -> dict[str, Any]:
        """Return queue and message."""
        group = {} if self.group is None else {"MessageGroupId": self.group}
        return {"QueueUrl": address, "MessageBody": self.message, **group}


@dataclass(frozen=True)
class Publish(Task):
    """Publish a message to a topic: ``Publish("Announce", orders.for_publishing())``.

    Attributes:
        message: the body.
        group: for a FIFO topic, messages of the same group stay in order.
    """

    message: Any = field(default=_INPUT, kw_only=True)
    group: str | None = field(default=None, kw_only=True)

    service: ClassVar[str] = "sns:publish"

    def arguments(self, address: str) -> dict[str, Any]:
        """Return topic and message."""
        group = {} if self.group is None else {"MessageGroupId": self.group}
        return {"TopicArn": address, "Message": self.message, **group}


@dataclass(frozen=True)
class Put(Task):
    """Put an item into a table: ``Put("Keep", orders.for_writing(), item={"id": {"S": "{% $states.input.id %}"}})``.

    Attributes:
        item: attribute -> type -> value.
    """

    item: Mapping[str, Mapping[str, Any]] = field(kw_only=True)

    service: ClassVar[str] = "dynamodb:putItem"

    def arguments(self, address: str) -> dict[str, Any]:
        """Return table and item."""
        return {"TableName": address, "Item": dict(self.item)}


@dataclass(frozen=True)
class Wait(Step):
    """Wait for a while: ``Wait("Cool down", timedelta(minutes=5))``."""

    duration: timedelta

    def state(self) -> dict[str, Any]:
        """Return the state, without where it leads."""
        return {"Type": "Wait", "Seconds": seconds(self.duration)}


@dataclass(frozen=True)
class Pass(Step):
    """Shape the data: ``Pass("Pick", output={"id": "{% $states.input.order.id %}"})``."""

    output: Any = field(default=_INPUT, kw_only=True)

    def state(self) -> dict[str, Any]:
        """Return the state, without where it leads."""
        return {"Type": "Pass", "Output": self.output}


@dataclass(frozen=True)
class Choice(Step):
    """Go one of several ways: ``Choice("Large?", {"$states.input.amount > 100": "Review"}, default="Ship")``.

    Attributes:
        ways: expression without ``{% %}`` -> name of the step to go to when it is the first that is true.
        default: name of the step to go to when none is.
    """

    ways: Mapping[str, str]
    default: str = field(kw_only=True)

    leads_on: ClassVar[bool] = False

    def state(self) -> dict[str, Any]:
        """Return the state."""
        choices = [{"Condition": f"{{% {condition} %}}", "Next": target} for condition, target in self.ways.items()]
        return {"Type": "Choice", "Choices": choices, "Default": self.default}


@dataclass(frozen=True)
class Parallel(Step):
    """Take several branches at a time; the next step is given the list of their results.

    Attributes:
        branches: the steps of each.
        catch: name of the step to go to when a branch failed; the ``on_failure`` of the state machine if left out.
    """

    branches: Sequence[Sequence[Step]]
    catch: str | None = field(default=None, kw_only=True)

    def state(self) -> dict[str, Any]:
        """Return the state, without where it leads."""
        state: dict[str, Any] = {"Type": "Parallel", "Branches": [_scope(branch) for branch in self.branches]}
        return state if self.catch is None else {**state, "Catch": _catch(self.catch)}

    def parts(self) -> Iterator[Step]:
        """Yield the steps of all branches."""
        for branch in self.branches:
            yield from branch


@dataclass(frozen=True)
class Map(Step):
    """Take the same steps for each item of a list; the next step is given the list of results.

    Attributes:
        steps: what is done with an item, which is their input.
        items: the list.
        concurrency: items worked on at a time; 0: as many as possible.
        catch: name of the step to go to when an item failed; the ``on_failure`` of the state machine if left out.
    """

    steps: Sequence[Step]
    items: str = field(default=_INPUT, kw_only=True)
    concurrency: int = field(default=10, kw_only=True)
    catch: str | None = field(default=None, kw_only=True)

    def state(self) -> dict[str, Any]:
        """Return the state, without where it leads."""
        state = {
            "Type": "Map",
            "Items": self.items,
            "MaxConcurrency": self.concurrency,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **_scope(self.steps)},
        }
        return state if self.catch is None else {**state, "Catch": _catch(self.catch)}

    def parts(self) -> Iterator[Step]:
        """Yield the steps for an item."""
        yield from self.steps


@dataclass(frozen=True)
class Succeed(Step):
    """Stop, and call it a success."""

    leads_on: ClassVar[bool] = False

    def state(self) -> dict[str, Any]:
        """Return the state."""
        return {"Type": "Succeed"}


@dataclass(frozen=True)
class Fail(Step):
    """Stop, and call it a failure.

    Attributes:
        error: short name of what went wrong.
        cause: what went wrong, for people.
    """

    error: str
    cause: str = ""

    leads_on: ClassVar[bool] = False

    def state(self) -> dict[str, Any]:
        """Return the state."""
        return {"Type": "Fail", "Error": self.error, "Cause": self.cause}


def define(steps: Sequence[Step], on_failure: Sequence[Step]) -> dict[str, Any]:
    """Return the definition of a state machine that takes ``steps``.

    A step that fails for good leads to ``on_failure``, with its input unchanged and the variable ``$failure`` set,
    and from there to a state ``Failed`` with the same error. Inside a ``Parallel`` or a ``Map`` it makes that one fail.
    """
    definition = {"QueryLanguage": "JSONata", **_scope(steps)}
    states = definition["States"]
    caught = [state for state in states.values() if state["Type"] in ("Task", "Parallel", "Map")]
    if any("Catch" not in state for state in caught):
        cleanup = [*on_failure, Fail(_FAILED, "{% $failure.Error %}", "{% $failure.Cause %}")]
        for state in caught:
            state.setdefault("Catch", _catch(cleanup[0].name))
        _add(states, cleanup)
    return definition


def _scope(steps: Sequence[Step]) -> dict[str, Any]:
    states: dict[str, Any] = {}
    _add(states, steps)
    return {"StartAt": steps[0].name if steps else "", "States": states}


def _add(states: dict[str, Any], steps: Sequence[Step]) -> None:
    for step, following in zip_longest(steps, steps[1:]):
        if step.name in states:
            raise WiringError(f"step {step.name!r}: name must be unique, got it twice; rename one of the two")
        state = step.state()
        target = None if step.end else step.next or (following.name if following else None)
        if step.leads_on:
            state |= {"End": True} if target is None else {"Next": target}
        states[step.name] = state


def _catch(target: str) -> list[dict[str, Any]]:
    failure = {"Error": "{% $states.errorOutput.Error %}", "Cause": "{% $states.errorOutput.Cause & '' %}"}
    return [{"ErrorEquals": ["States.ALL"], "Assign": {"failure": failure}, "Output": _INPUT, "Next": target}]
