"""Connects boto3 clients to a fake in the same process: botocore signs, sends to us, and parses what we answer."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from fakes.errors import NetworkFault
from fakes.exchange import Answer, Anyone, Caller, exchange


class _Body:
    """The part of an urllib3 response that botocore reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield self._data

    def read(self, *_: Any) -> bytes:
        data, self._data = self._data, b""
        return data


def aws_response(url: str, answer: Answer) -> Any:
    """Return the answer as botocore's transport would."""
    return import_module("botocore.awsrequest").AWSResponse(url, answer.status, answer.headers, _Body(answer.body))


def connection_error(fault: NetworkFault, url: str) -> Exception:
    """Return the exception that botocore's transport would raise."""
    exceptions = import_module("botocore.exceptions")
    error: Exception
    match fault.kind:
        case "timeout":
            error = exceptions.ReadTimeoutError(endpoint_url=url)
        case "refused":
            error = exceptions.EndpointConnectionError(endpoint_url=url, error="Connection refused")
        case _:
            reset = ConnectionResetError(104, "Connection reset by peer")
            error = exceptions.ConnectionClosedError(endpoint_url=url, request=None, error=reset)
    return error


def attach(client: Any, fake: Any, caller: Caller | None = None) -> Any:
    """Let every request of ``client`` go to ``fake``, and return the client.

    Args:
        client: a boto3 client of the fake's service.
        fake: a fake that speaks the query protocol.
        caller: whose requests they are: an `Actor` when the order of actors matters.
    """
    who: Caller = caller or Anyone(fake.clock)

    def send(request: Any, **_: Any) -> Any:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        try:
            return aws_response(request.url, exchange(fake, body, who))
        except NetworkFault as fault:
            raise connection_error(fault, request.url) from fault

    client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}.*", send)
    return client
