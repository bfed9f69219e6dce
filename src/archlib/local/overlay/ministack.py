"""The parts of MiniStack that the overlay uses."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, Protocol

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]
"""What a handler gives: the physical id, and what Fn::GetAtt answers."""


class Handler(Protocol):
    """What MiniStack calls for the resources of one type."""

    def create(self, logical_id: str, properties: Properties, stack: str, /) -> Made:
        """Create a resource."""
        ...

    def update(self, physical_id: str, old: Properties, new: Properties, stack: str, /) -> Made:
        """Change it in place."""
        ...

    def delete(self, physical_id: str, properties: Properties, /) -> None:
        """Delete it."""


class Module:
    """A module of MiniStack, imported when it is first used; it has no types, so that everything in it is Any.

    Args:
        name: below ``ministack``.
    """

    def __init__(self, name: str) -> None:
        vars(self)["_name"] = f"ministack.{name}"

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(vars(self)["_name"]), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(import_module(vars(self)["_name"]), name, value)


def service(name: str) -> Module:
    """Return one of MiniStack's services."""
    return Module(f"services.{name}")


_RESPONSES = Module("core.responses")


def region() -> str:
    """Return the region of the request."""
    return str(_RESPONSES.get_region())


def account() -> str:
    """Return the account of the request."""
    return str(_RESPONSES.get_account_id())


def new_digits() -> str:
    """Return 32 new hexadecimal digits."""
    return str(_RESPONSES.new_uuid()).replace("-", "")


def checked(response: tuple[int, Any, Any]) -> bytes:
    """Return the body of a response of a service, or raise what it says is wrong."""
    status, _, body = response
    body = body if isinstance(body, bytes) else str(body).encode()
    if status >= 400:  # noqa: PLR2004  (the first HTTP status that is an error)
        raise ValueError(body.decode())
    return body


def json_of(response: tuple[int, Any, Any]) -> Any:
    """Return the JSON in a response of a service, or raise what it says is wrong."""
    return json.loads(checked(response) or b"{}")
