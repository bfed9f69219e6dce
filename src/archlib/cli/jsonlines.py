"""Tells programs: JSON Lines on standard output. People read standard error."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from archlib.cli.board import Heading
from archlib.cli.reporters import Outlet
from archlib.cli.text import Stream
from archlib.core.origin import Origin
from archlib.deploy.clock import Clock, SystemClock
from archlib.deploy.deployer import Deployment
from archlib.deploy.models import Failure
from archlib.deploy.plan import Plan
from archlib.deploy.reporter import Ended, Note, Progress, Report, Waiting
from archlib.errors import ArchlibError

SCHEMA_VERSION = 1
"""Grows when a field changes its meaning or goes; new fields and types may come at any time."""


class JsonReporter(Outlet):
    """Writes a JSON object per line, each with ``schema_version``, ``type`` and ``time``; never asks.

    The types are ``began``, ``progress``, ``note``, ``waiting`` and ``ended`` while it works, then ``plan``,
    ``deployment`` and ``error``.

    Args:
        stream: for the program.
        human: for the people beside it.
        clock: tells the time.
    """

    def __init__(self, stream: Stream, human: Outlet, *, clock: Clock | None = None) -> None:
        super().__init__(human.console, quiet=human.quiet)
        self._stream = stream
        self._human = human
        self._clock = clock or SystemClock()

    def about(self, heading: Heading) -> None:
        """Begin another deployment, of which ``heading`` is known."""
        self._human.about(heading)

    def notify(self, report: Report) -> None:
        """Write ``report``."""
        self.write(type(report).__name__.lower(), **_report(report))
        self._human.notify(report)

    def plan(self, plan: Plan) -> None:
        """Write what will be done."""
        self.write("plan", plan=plan.to_data())
        self._human.plan(plan)

    def deployment(self, deployment: Deployment) -> None:
        """Write what became of it."""
        self.write("deployment", **_deployment(deployment))
        self._human.deployment(deployment)

    def error(self, error: ArchlibError, *, command: str = "deploy") -> None:
        """Write why ``command`` failed."""
        told = {} if error.deployment is None else {"deployment": _deployment(error.deployment)}
        self.write("error", command=command, **_error(error), **told)
        self._human.error(error, command=command)

    def close(self) -> None:
        """End what people see."""
        self._human.close()

    def write(self, kind: str, /, **fields: Any) -> None:
        """Write one line.

        Args:
            kind: its ``type``.
            fields: what it tells, as plain data.
        """
        time = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="milliseconds")
        record = {"schema_version": SCHEMA_VERSION, "type": kind, "time": time.replace("+00:00", "Z"), **fields}
        with self._lock:
            # ASCII alone: whatever AWS says reaches any terminal as text.
            self._stream.write(f"{json.dumps(record)}\n")
            self._stream.flush()


def _report(report: Report) -> dict[str, Any]:
    match report:
        case Progress(stack, event, usually):
            return {"stack": stack, "event": asdict(event), "usually": usually}
        case Ended(stack, result, failure, text):
            return {
                "stack": stack,
                "result": None if result is None else asdict(result),
                "failure": _failure(failure),
                "text": text,
            }
        case Note(stack, text, level):
            return {"stack": stack, "level": level, "text": text}
        case Waiting(stack, seconds, resources):
            return {"stack": stack, "seconds": seconds, "resources": list(resources)}
        case _:
            return asdict(report)


def _deployment(deployment: Deployment) -> dict[str, Any]:
    return {
        "results": {name: asdict(result) for name, result in deployment.results.items()},
        "errors": {name: _error(error) for name, error in deployment.errors.items()},
        "skipped": list(deployment.skipped),
        "seconds": deployment.seconds,
    }


def _error(error: ArchlibError) -> dict[str, Any]:
    return {
        "kind": type(error).__name__,
        "exit_code": error.exit_code,
        "problems": [
            {"message": problem.message, "field": problem.field, **_place(problem.origin)} for problem in error.problems
        ],
        "failure": _failure(getattr(error, "failure", None)),
    }


def _failure(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    data = asdict(failure)
    del data["origin"]
    return {**data, **_place(failure.origin)}


def _place(origin: Origin | None) -> dict[str, Any]:
    return {"file": None, "line": None} if origin is None else {"file": origin.file, "line": origin.line or None}
