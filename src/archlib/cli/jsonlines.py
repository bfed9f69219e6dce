"""Tells programs: JSON Lines on standard output. People read standard error."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from archlib.cli.board import Heading
from archlib.cli.records import iso, record
from archlib.cli.reporters import Outlet
from archlib.cli.text import Stream
from archlib.core.origin import Origin
from archlib.deploy.clock import Clock, SystemClock
from archlib.deploy.deployer import Deployment
from archlib.deploy.models import Failure, StackEvent, StackResult
from archlib.deploy.plan import Plan
from archlib.deploy.reporter import Ended, Note, Progress, Report, Waiting
from archlib.errors import ArchlibError


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
        with self._lock:
            self._stream.write(f"{record(kind, time=iso(self._clock.now()), **fields)}\n")
            self._stream.flush()


def _report(report: Report) -> dict[str, Any]:
    match report:
        case Progress(stack, event, usually):
            return {"stack": stack, "event": event_data(event), "usually": usually}
        case Ended(stack, result, failure, text):
            return {
                "stack": stack,
                "result": None if result is None else _result(result),
                "failure": failure_data(failure),
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
        "results": {name: _result(result) for name, result in deployment.results.items()},
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
        "failure": failure_data(getattr(error, "failure", None)),
    }


def _result(result: StackResult) -> dict[str, Any]:
    data = asdict(result)
    del data["secret"], data["cleaning"]
    return {**data, "outputs": result.shown}


def event_data(event: StackEvent) -> dict[str, Any]:
    """Return ``event`` as plain data; a line has a ``type`` and ``time`` of its own."""
    data = asdict(event)
    data["resource_type"] = data.pop("type")
    return {**data, "time": iso(event.time)}


def failure_data(failure: Failure | None) -> dict[str, Any] | None:
    """Return ``failure`` as plain data."""
    if failure is None:
        return None
    data = asdict(failure)
    del data["origin"]
    data["resource_type"] = data.pop("type")
    return {**data, "time": iso(failure.time) if failure.time else None, **_place(failure.origin)}


def _place(origin: Origin | None) -> dict[str, Any]:
    return {"file": None, "line": None} if origin is None else {"file": origin.file, "line": origin.line or None}
