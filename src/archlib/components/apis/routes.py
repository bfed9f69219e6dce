"""Routes as people write them: ``GET /orders/{id}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from archlib.core.component import Component
from archlib.core.naming import pascal
from archlib.core.origin import Origin, here
from archlib.core.values import Value, arn, join
from archlib.errors import Problem, SettingsError, WiringError

METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

_ROUTE = re.compile(r"([A-Z]+) /(\S*)")
_SEGMENT = re.compile(r"[\w.:~-]+|\{[\w.-]+\}")
_LAST_SEGMENT = re.compile(r"[\w.:~-]+|\{[\w.-]+\+?\}")


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path.

    Attributes:
        method: one of :data:`METHODS`.
        segments: the parts of the path between the slashes; ``{id}`` stands for any one part, ``{path+}`` for the rest.
    """

    method: str
    segments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def path(self) -> str:
        """The path, such as ``/orders/{id}``."""
        return "/" + "/".join(self.segments)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters in the path."""
        return tuple(segment.strip("{}+") for segment in self.segments if segment.startswith("{"))

    @property
    def id(self) -> str:
        """PascalCase name: ``GET /orders/{id}`` gives ``GetOrdersById``."""
        return self.method.title() + path_id(self.segments)

    @property
    def invocation(self) -> str:
        """The end of the ARN that API Gateway names to what it calls: ``GET/orders/*``."""
        method = "*" if self.method == "ANY" else self.method
        return "/".join((method, *("*" if segment.startswith("{") else segment for segment in self.segments or ("",))))


def path_id(segments: tuple[str, ...]) -> str:
    """Return the PascalCase name of a path: ``("orders", "{id}")`` gives ``OrdersById``."""
    return "".join(_word(segment) for segment in segments) or "Root"


def parse_route(text: str) -> Route | None:
    """Return the route that ``text`` names; None if it names none."""
    match = _ROUTE.fullmatch(text)
    if not match or match[1] not in METHODS:
        return None
    segments = tuple(match[2].split("/")) if match[2] else ()
    if segments and not (all(map(_SEGMENT.fullmatch, segments[:-1])) and _LAST_SEGMENT.fullmatch(segments[-1])):
        return None
    return Route(match[1], segments)


def _word(segment: str) -> str:
    word = pascal(re.sub(r"[^A-Za-z0-9]+", "-", segment).strip("-"))
    return f"By{word}" if segment.startswith("{") else word


def invocation_arn(api: Value, stage: str, end: str) -> Value:
    """Return the ARN of a request to the API with id ``api``: of one route, or of all with ``end="*"``."""
    return arn("execute-api", join(api, f"/{stage}/{end}"))


class Routes:
    """The routes of one API, and where in the user's files each was asked for.

    Args:
        api: the API.
    """

    def __init__(self, api: Component) -> None:
        self._api = api
        self._origins: dict[Route, Origin | None] = {}

    def __iter__(self) -> Iterator[Route]:
        return iter(self._origins)

    def __len__(self) -> int:
        return len(self._origins)

    def add(self, text: str) -> Route:
        """Take in the route ``text`` and return it.

        Raises:
            SettingsError: it is malformed, or there already.
        """
        route = parse_route(text)
        if route is None:
            self._refuse(text, f"must be a path behind one of {', '.join(METHODS)}; write it like 'GET /orders/{{id}}'")
        if route in self._origins:
            self._refuse(text, f"must be unique, but {self._origins[route]} has it already; remove one")
        self._origins[route] = here()
        return route

    def one_parameter_each(self, route: Route) -> None:
        """Check that no other route calls the same part of the path by another parameter name, for REST APIs.

        Raises:
            SettingsError: one does.
        """
        for other, origin in self._origins.items():
            pair = next(
                (pair for pair in zip(route.segments, other.segments, strict=False) if pair[0] != pair[1]), ("/", "/")
            )
            if pair[0][0] == pair[1][0] == "{":
                self._refuse(str(route), f"must have {pair[1]} in place of {pair[0]}, as {str(other)!r} at {origin}")

    def arns(self, texts: Sequence[str], stage: str) -> list[Value]:
        """Return the ARNs of requests to the routes ``texts``, or of all requests if there are none.

        Raises:
            WiringError: there is no such route.
        """
        routes = [route for text in texts if (route := parse_route(text)) in self._origins and route is not None]
        if len(routes) < len(texts):
            known = ", ".join(map(str, self))
            raise WiringError(f"{self._api}: routes must be among {known or 'none'}, got {', '.join(texts)}; add them")
        return [invocation_arn(self._api.ref(), stage, end) for end in [route.invocation for route in routes] or ["*"]]

    def _refuse(self, text: str, why: str) -> NoReturn:
        raise SettingsError(Problem(f"{self._api}: route {text!r} {why}", here()))
