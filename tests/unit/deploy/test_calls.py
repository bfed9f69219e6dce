"""Each way in which a call can fail, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from archlib.deploy.aws import Aws
from archlib.deploy.calls import Calls, DeniedError, DoubtError, ServiceError, UnreachableError
from archlib.deploy.clock import Stop
from archlib.deploy.limiter import Limiter
from archlib.errors import AwsError, CredentialsError
from fakes import VirtualClock

URL = "https://cloudformation.eu-west-1.amazonaws.com/"


def refusal(code: str, message: str = "no", *, status: int = 400, date: float | None = None) -> ClientError:
    headers = {} if date is None else {"date": format_datetime(datetime.fromtimestamp(date, UTC), usegmt=True)}
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return ClientError(answer, "DescribeStacks")


THROTTLED = refusal("Throttling", "Rate exceeded")
LOST = EndpointConnectionError(endpoint_url=URL)


class Line(Aws):
    """A client that gives one answer after the other; the last one stays."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(region="eu-west-1", endpoint="http://fake.test")
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.renewed = 0
        self.before: Callable[[], object] = lambda: None

    def client(self, service: str, region: str | None = None) -> Any:
        return self

    def renew(self) -> None:
        self.renewed += 1

    def __getattr__(self, operation: str) -> Any:
        def ask(**parameters: Any) -> Any:
            self.before()
            self.asked.append((operation, parameters))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return ask


class Desk:
    """Calls in virtual time."""

    def __init__(self, *answers: Any) -> None:
        self.clock = VirtualClock()
        self.began = self.clock.now()
        self.line = Line(*answers)
        self.limiter = Limiter(self.clock)
        self.stop = Stop()
        self.notes: list[str] = []
        self.calls = Calls(
            self.line,
            region="eu-west-1",
            limiter=self.limiter,
            clock=self.clock,
            stop=self.stop,
            note=self.notes.append,
        )

    @property
    def waited(self) -> float:
        return self.clock.now() - self.began

    def read(self, **how: Any) -> Any:
        return self.calls.read("describe_stacks", **how)

    def write(self, **how: Any) -> Any:
        return self.calls.write("create_change_set", **how)


def test_an_answer_is_handed_on_with_what_was_asked() -> None:
    desk = Desk({"Stacks": []})

    assert desk.read(StackName="shop") == {"Stacks": []}
    assert desk.write(StackName="shop", repeat=True) == {"Stacks": []}
    assert desk.line.asked == [
        ("describe_stacks", {"StackName": "shop"}),
        ("create_change_set", {"StackName": "shop"}),
    ]


@pytest.mark.parametrize(
    "error",
    [
        THROTTLED,
        refusal("ThrottlingException"),
        refusal("RequestLimitExceeded"),
        refusal("TooManyRequestsException"),
        refusal("ValidationError", "Rate exceeded"),
    ],
)
def test_being_told_to_slow_down_slows_down_and_goes_on(error: Exception) -> None:
    for ask in (Desk.read, Desk.write):
        desk = Desk(error, error, {"ok": True})

        assert ask(desk) == {"ok": True}
        assert desk.limiter.rate == pytest.approx(0.77)
        assert len(desk.line.asked) == 3


@pytest.mark.parametrize("ask", [Desk.read, Desk.write])
def test_being_told_to_slow_down_for_a_quarter_of_an_hour_is_too_long(ask: Callable[[Desk], Any]) -> None:
    desk = Desk(THROTTLED)

    with pytest.raises(UnreachableError, match="called too often: Rate exceeded"):
        ask(desk)

    assert 900 <= desk.waited < 930


NO_ANSWER = [
    LOST,
    ReadTimeoutError(endpoint_url=URL),
    ConnectTimeoutError(endpoint_url=URL),
    refusal("InternalFailure", "unknown error", status=500),
    refusal("ServiceUnavailable", status=503),
    ResponseParserError("Unable to parse response (syntax error), invalid XML received: <!DOCTYPE html>"),
    KeyError("Stacks"),
]


@pytest.mark.parametrize("error", NO_ANSWER)
def test_without_an_answer_reading_goes_on_for_a_while(error: Exception) -> None:
    desk = Desk(error, error, {"ok": True})
    assert desk.read() == {"ok": True}

    desk = Desk(error)
    with pytest.raises(UnreachableError):
        desk.read()
    assert 120 <= desk.waited < 145


@pytest.mark.parametrize("error", NO_ANSWER)
def test_without_an_answer_a_write_is_in_doubt_and_not_repeated(error: Exception) -> None:
    desk = Desk(error)

    with pytest.raises(DoubtError):
        desk.write()
    assert len(desk.line.asked) == 1


def test_a_write_that_may_be_repeated_is() -> None:
    desk = Desk(LOST, LOST, {"ok": True})
    assert desk.write(repeat=True) == {"ok": True}

    desk = Desk(LOST)
    with pytest.raises(UnreachableError):
        desk.write(repeat=True)
    assert 120 <= desk.waited < 145


def test_how_long_reading_goes_on_can_be_said() -> None:
    desk = Desk(LOST)

    with pytest.raises(UnreachableError):
        desk.read(patience=600.0)

    assert 600 <= desk.waited < 625
    assert len(desk.notes) == 1
    assert desk.notes[0].startswith("no answer from CloudFormation for ")
    assert "health.aws.amazon.com" in desk.notes[0]


def test_pauses_grow_and_never_get_long() -> None:
    desk = Desk(LOST)
    times: list[float] = []
    desk.line.before = lambda: times.append(desk.clock.now())

    with pytest.raises(UnreachableError):
        desk.read(patience=300.0)

    gaps = [after - before for before, after in pairwise(times)]
    assert gaps[0] <= 1.0
    assert max(gaps) <= 20.4
    assert max(gaps) >= 10.0


def test_a_portal_is_told_from_aws_and_its_page_is_cut() -> None:
    desk = Desk(ResponseParserError("x" * 5000))

    with pytest.raises(UnreachableError, match="the answer is not from AWS: x") as caught:
        desk.read(patience=0.0)

    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "code",
    [
        "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidIdentityToken",
        "UnrecognizedClientException", "AuthFailure",
    ],
)  # fmt: skip
def test_credentials_that_are_not_valid_end_it_at_once(code: str) -> None:
    for ask in (Desk.read, Desk.write):
        desk = Desk(refusal(code, "", status=403))

        with pytest.raises(CredentialsError, match=f"not valid: {code}; log in again"):
            ask(desk)
        assert len(desk.line.asked) == 1
        assert desk.line.renewed == 0


def test_while_watching_credentials_are_read_anew_for_a_while() -> None:
    expired = refusal("ExpiredToken", "it is expired")
    desk = Desk(expired, expired, {"ok": True})
    assert desk.read(renew=300.0) == {"ok": True}
    assert desk.line.renewed == 2

    desk = Desk(expired)
    with pytest.raises(CredentialsError, match="it is expired"):
        desk.read(renew=300.0)
    assert 300 <= desk.waited < 325


@pytest.mark.parametrize("code", ["RequestExpired", "SignatureDoesNotMatch", "RequestTimeTooSkewed"])
@pytest.mark.parametrize(
    ("offset", "said"),
    [
        (-900.0, "this machine's clock is 900 s fast: set it"),
        (900.0, "this machine's clock is 900 s slow: set it"),
        (59.0, "no; check the secret key"),
        (None, "check this machine's clock and the secret key"),
    ],
)
def test_a_wrong_clock_is_measured(code: str, offset: float | None, said: str) -> None:
    desk = Desk({})
    date = None if offset is None else desk.clock.now() + offset
    desk.line.answers = [refusal(code, status=403, date=date)]

    with pytest.raises(AwsError, match=said) as caught:
        desk.read()

    assert not isinstance(caught.value, ServiceError)


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_a_missing_right_is_named_with_its_resource(code: str) -> None:
    arn = "arn:aws:cloudformation:eu-west-1:1:stack/shop/*"
    message = (
        f"User: arn:aws:iam::1:user/a is not authorized to perform: cloudformation:DescribeStacks on resource: {arn}"
    )
    desk = Desk(refusal(code, message, status=403))

    with pytest.raises(DeniedError) as caught:
        desk.read()

    assert str(caught.value) == (
        f"{message}; allow cloudformation:DescribeStacks on {arn} (archlib policy prints all that is needed)"
    )
    assert (caught.value.code, caught.value.message) == (code, message)


def test_a_missing_right_that_aws_does_not_name_is_the_one_of_the_call() -> None:
    desk = Desk(refusal("AccessDenied", "Access Denied", status=403))

    with pytest.raises(DeniedError, match="allow cloudformation:CreateChangeSet "):
        desk.write()


def test_a_refusal_is_told_as_it_is() -> None:
    for ask in (Desk.read, Desk.write):
        desk = Desk(refusal("ValidationError", "Stack with id x does not exist"))

        with pytest.raises(ServiceError, match=r"^Stack with id x does not exist$") as caught:
            ask(desk)
        assert caught.value.code == "ValidationError"
        assert len(desk.line.asked) == 1


def test_a_proxy_that_opens_tls_is_told_with_what_to_do() -> None:
    desk = Desk(SSLError(endpoint_url=URL, error="self-signed certificate in certificate chain"))

    with pytest.raises(AwsError, match=r"not trusted: .*self-signed.*AWS_CA_BUNDLE"):
        desk.read()
    assert len(desk.line.asked) == 1


def test_an_old_boto3_is_told() -> None:
    desk = Desk(ParamValidationError(report='Unknown parameter in input: "DisableValidation"'))

    with pytest.raises(AwsError, match=r"DisableValidation.*pip install --upgrade boto3"):
        desk.write()


def test_no_credentials_at_all() -> None:
    desk = Desk(NoCredentialsError())

    with pytest.raises(CredentialsError, match="no credentials for AWS: Unable to locate credentials"):
        desk.read()


@pytest.mark.parametrize("error", [THROTTLED, LOST])
def test_who_stops_does_not_wait_long(error: Exception) -> None:
    for ask in (Desk.read, lambda desk: desk.write(repeat=True)):
        desk = Desk(error)
        desk.line.before = desk.stop.request

        with pytest.raises(UnreachableError):
            ask(desk)
        assert 1 < len(desk.line.asked) < 10


def test_a_single_slow_moment_is_not_worth_a_note() -> None:
    desk = Desk(LOST, LOST, LOST, {})

    desk.read()

    assert desk.notes == []


def test_every_attempt_keeps_the_pace() -> None:
    desk = Desk(THROTTLED, THROTTLED, THROTTLED, THROTTLED, {})
    times: list[float] = []
    desk.line.before = lambda: times.append(desk.clock.now())

    desk.read()

    gaps = [after - before for before, after in pairwise(times)]
    assert all(gap >= 1 / 3 - 1e-6 for gap in gaps)
