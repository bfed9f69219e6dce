"""AWS CloudFormation in memory and in virtual time."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fakes.cfn import change_sets, drift, hooks, reads, refactors, stack_sets, stacks
from fakes.cfn.nested import NestedStacks
from fakes.cfn.state import Stack, Store
from fakes.cfn.world import Script, ScriptAction, World
from fakes.errors import ModelViolation, ServiceError
from fakes.faults import Fault, FaultKind, Faults
from fakes.simulation import Clock, Simulation

_OPERATIONS: dict[str, Callable[[World, dict[str, Any]], dict[str, Any]]] = {
    **change_sets.OPERATIONS,
    **drift.OPERATIONS,
    **hooks.OPERATIONS,
    **reads.OPERATIONS,
    **refactors.OPERATIONS,
    **stack_sets.OPERATIONS,
    **stacks.OPERATIONS,
}
_READS = ("Describe", "Get", "List")


@dataclass
class Call:
    """One call that reached the service."""

    operation: str
    parameters: dict[str, Any]
    time: float
    caller: str
    error: str | None = None


class FakeCloudFormation:
    """A double of AWS CloudFormation for one account and region: stacks, change sets, events, failures.

    Everything that takes time there takes virtual time here: nothing happens until the clock moves, and at every call
    all that is due by then has happened.

    Args:
        clock: the time it lives in, shared with the code under test.
    """

    service = "cloudformation"

    def __init__(self, clock: Clock, account: str = "123456789012", region: str = "eu-west-1") -> None:
        self.clock = clock
        self.world = World(account, region, Simulation(clock), NestedStacks())
        self.faults = Faults()
        self.calls: list[Call] = []
        self._lock = threading.RLock()
        self._previous = Store()

    # -- scripting

    def script(
        self,
        logical_id: str,
        action: ScriptAction = "CREATE",
        *,
        takes: float | None = None,
        fails: str | None = None,
        times: int | None = None,
        hangs: bool = False,
        stack: str | None = None,
    ) -> None:
        """Say what happens when CloudFormation does ``action`` with a resource; the first script that fits counts."""
        self.world.scripts.append(Script(logical_id, action, takes, fails, times, hangs, stack))

    def fault(
        self,
        operation: str,
        kind: FaultKind,
        *,
        after: int = 0,
        times: int | None = 1,
        seconds: float = 60.0,
        caller: str | None = None,
    ) -> None:
        """Plan a fault for calls of an operation (``*`` for all), after some that pass; ``None`` times is always."""
        self.faults.plan(Fault(operation, kind, after, times, seconds, caller))

    def outsider(self, at: float, do: Callable[[], object]) -> None:
        """Let somebody else act at a virtual time; ``do`` may use :meth:`call`."""
        self.world.simulation.at(at, do)

    def upload(self, url: str, body: str) -> None:
        """Put a template where ``TemplateURL`` finds it."""
        self.world.objects[url] = body

    def drift(self, stack: str, logical_id: str, *, gone: bool = False, **properties: Any) -> None:
        """Let somebody change properties of a resource, or delete it, behind CloudFormation's back."""
        resource = self.stack(stack).resources[logical_id]
        resource.actual = {**resource.properties, **properties}
        resource.deleted_outside = gone
        if gone:
            self.world.store.physical.pop(resource.physical_id, None)

    # -- what tests ask

    def stack(self, name: str) -> Stack:
        """Return the newest stack of this name, deleted or not, as it is now."""
        with self._lock:
            self.world.simulation.advance()
            return next(stack for stack in reversed(self.world.store.stacks) if name in (stack.name, stack.id))

    def count(self, operation: str, caller: str | None = None) -> int:
        """Return how many calls of an operation reached the service."""
        return sum(call.operation == operation and caller in (None, call.caller) for call in self.calls)

    def settle(self, limit: float = 7 * 86_400.0) -> None:
        """Let time pass until nothing happens any more, or ``limit`` seconds have passed."""
        end = self.clock.now() + limit
        while (time := self.world.simulation.next_time()) is not None and time <= end:
            self.clock.sleep(max(0.0, time - self.clock.now()))
            with self._lock:
                self.world.simulation.advance()

    # -- the service

    def time(self) -> float:
        """Return the virtual time."""
        return self.clock.now()

    def call(
        self, operation: str, parameters: dict[str, Any], *, caller: str = "outsider", stale: bool = False
    ) -> dict[str, Any]:
        """Do what a request says and return the answer; a ``stale`` read sees the state of the previous call.

        Raises:
            ServiceError: the service refuses.
        """
        if operation not in _OPERATIONS:
            raise ModelViolation(f"the fake has no {operation}")
        with self._lock:
            self.world.simulation.advance()
            call = Call(operation, parameters, self.world.now, caller)
            self.calls.append(call)
            reading = operation.startswith(_READS)
            if self.faults.expects("stale") and not reading:
                self._previous = copy.deepcopy(self.world.store)
            try:
                if reading and stale:
                    return self._read_previous(operation, parameters)
                answer = _OPERATIONS[operation](self.world, parameters)
            except ServiceError as error:
                call.error = error.code
                raise
            self.world.simulation.advance()
            if self.faults.expects("stale") and reading:
                self._previous = copy.deepcopy(self.world.store)
            return copy.deepcopy(answer)

    def _read_previous(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        current, self.world.store = self.world.store, self._previous
        try:
            return copy.deepcopy(_OPERATIONS[operation](self.world, parameters))
        finally:
            self.world.store = current
