"""Faults that a test plans: which calls meet them, and what they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal[
    "throttle",
    "lost_request",
    "lost_response",
    "error_500",
    "html_page",
    "xhtml_page",
    "truncated_xml",
    "expired_token",
    "access_denied",
    "clock_skew",
    "timeout",
    "stale",
    "latency",
]


@dataclass
class Fault:
    """One planned fault.

    Args:
        operation: the operation it is for, ``*`` for all.
        after: calls that pass before the first one is met.
        times: how many calls meet it, ``None`` for all from then on.
        seconds: how long ``latency`` and ``timeout`` take, and by how much ``clock_skew`` is off.
        caller: only calls of this caller, ``None`` for all.
    """

    operation: str
    kind: FaultKind
    after: int = 0
    times: int | None = 1
    seconds: float = 60.0
    caller: str | None = None


class Faults:
    """All planned faults; a call meets every one that is due, in the order of planning."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []

    def plan(self, fault: Fault) -> Fault:
        """Add a fault."""
        self.planned.append(fault)
        return fault

    def expects(self, kind: FaultKind) -> bool:
        """Tell whether a fault of this kind may still come."""
        return any(fault.kind == kind and fault.times != 0 for fault in self.planned)

    def take(self, operation: str, caller: str) -> list[Fault]:
        """Return the faults that this call meets, and count it."""
        met = []
        for fault in self.planned:
            if fault.operation not in (operation, "*") or fault.caller not in (caller, None) or fault.times == 0:
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            met.append(fault)
        return met
