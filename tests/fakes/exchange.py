"""One request and its answer with all planned faults, whatever carries them: a hook in botocore or a socket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from typing import Any, Protocol

from fakes.errors import NetworkFault, ServiceError
from fakes.faults import Fault, Faults
from fakes.query import parse_request, render_answer, render_error
from fakes.simulation import Clock

_PORTAL = "<!DOCTYPE html><html><head><meta charset=utf-8><title>Sign in</title></head><body>Sign in</body></html>"
_REQUEST_IDS = count(1)


class Caller(Protocol):
    """Who calls: gets the chance to let others act first, and spends the time that slow answers take."""

    name: str

    def pause(self) -> None: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass
class Anyone:
    """A caller among no others."""

    clock: Clock
    name: str = ""

    def pause(self) -> None:
        """Let nobody act."""

    def sleep(self, seconds: float) -> None:
        """Spend the time."""
        self.clock.sleep(seconds)


class QueryService(Protocol):
    """A fake that speaks the query protocol."""

    service: str
    faults: Faults

    def call(self, operation: str, parameters: dict[str, Any], *, caller: str, stale: bool) -> dict[str, Any]: ...

    def time(self) -> float: ...


@dataclass
class Answer:
    """What goes back over the wire."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def exchange(fake: QueryService, body: str, caller: Caller) -> Answer:
    """Return the answer to a form.

    Raises:
        NetworkFault: there is none.
    """
    caller.pause()
    operation, parameters = parse_request(fake.service, body)
    faults = fake.faults.take(operation, caller.name)
    for fault in faults:
        if fault.kind in ("latency", "timeout"):
            caller.sleep(fault.seconds)
        if fault.kind in _REFUSALS:
            return _REFUSALS[fault.kind](fault, fake, operation)
        if fault.kind == "lost_request":
            raise NetworkFault("reset")
    kinds = {fault.kind for fault in faults}
    answer = _act(fake, operation, parameters, caller, stale="stale" in kinds)
    if "lost_response" in kinds:
        raise NetworkFault("reset")
    if "timeout" in kinds:
        raise NetworkFault("timeout")
    if "truncated_xml" in kinds:
        answer.body = answer.body[: len(answer.body) // 2]
    return answer


def _act(fake: QueryService, operation: str, parameters: dict[str, Any], caller: Caller, *, stale: bool) -> Answer:
    try:
        result = fake.call(operation, parameters, caller=caller.name, stale=stale)
    except ServiceError as error:
        return _error(error, fake)
    request_id = _request_id()
    return _answer(200, render_answer(fake.service, operation, result, request_id), fake, request_id)


def _answer(status: int, text: str, fake: QueryService, request_id: str, *, skew: float = 0.0) -> Answer:
    headers = {
        "Content-Type": "text/xml",
        "x-amzn-RequestId": request_id,
        "Date": format_datetime(datetime.fromtimestamp(fake.time() + skew, UTC), usegmt=True),
    }
    return Answer(status, text.encode(), headers)


def _error(error: ServiceError, fake: QueryService, *, skew: float = 0.0) -> Answer:
    request_id = _request_id()
    return _answer(error.status, render_error(error, request_id), fake, request_id, skew=skew)


def _request_id() -> str:
    return f"00000000-0000-4000-8000-{next(_REQUEST_IDS):012d}"


def _refusal(code: str, message: str, status: int) -> Callable[[Fault, QueryService, str], Answer]:
    return lambda _, fake, __: _error(ServiceError(code, message, status=status), fake)


def _access_denied(_: Fault, fake: QueryService, operation: str) -> Answer:
    message = (
        "User: arn:aws:sts::123456789012:assumed-role/ci/run is not authorized to perform: "
        f"{fake.service}:{operation} because no identity-based policy allows the {fake.service}:{operation} action"
    )
    return _error(ServiceError("AccessDenied", message, status=403), fake)


def _clock_skew(fault: Fault, fake: QueryService, _: str) -> Answer:
    now, theirs = (datetime.fromtimestamp(time, UTC) for time in (fake.time() + fault.seconds, fake.time()))
    message = (
        f"Signature not yet current: {theirs:%Y%m%dT%H%M%SZ} is still later than {now:%Y%m%dT%H%M%SZ}"
        f" ({now:%Y%m%dT%H%M%SZ} + 5 min.)"
    )
    return _error(ServiceError("SignatureDoesNotMatch", message, status=403), fake, skew=fault.seconds)


def _page(text: str) -> Callable[[Fault, QueryService, str], Answer]:
    return lambda _, __, ___: Answer(200, text.encode(), {"Content-Type": "text/html"})


_REFUSALS: dict[str, Callable[[Fault, QueryService, str], Answer]] = {
    "throttle": _refusal("Throttling", "Rate exceeded", 400),
    "error_500": _refusal("InternalFailure", "The request processing has failed because of an unknown error.", 500),
    "expired_token": _refusal("ExpiredToken", "The security token included in the request is expired", 403),
    "access_denied": _access_denied,
    "clock_skew": _clock_skew,
    "html_page": _page(_PORTAL),
    "xhtml_page": _page(_PORTAL.replace("<meta charset=utf-8>", "")),
}
