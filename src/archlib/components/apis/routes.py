"""Routes as people write them: ``GET /orders/{id}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NoReturn

from archlib.core.component import Component
from archlib.core.naming import pascal
from archlib.core.origin import Origin, here
from archlib.core.values import Value, arn, join
from archlib.errors import Problem, SettingsError, WiringError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.roles import Invocable

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
    def invocation(self) -> str:
        """The end of the ARN that API Gateway names to what it calls: ``GET/orders/*``."""
        method = "*" if self.method == "ANY" else self.method
        return "/".join((method, *("*" if segment.startswith("{") else segment for segment in self.segments or ("",))))


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
    """The routes of one API: what each is called, who may call it, and where in the user's files it was asked for.

    Args:
        api: the API.
        stage: name of its stage.
        kind: PascalCase; tells its permissions from those of an API of another kind with the same name.
    """

    def __init__(self, api: Component, stage: str, *, kind: str = "") -> None:
        self._api = api
        self._stage = stage
        self._kind = kind
        self._origins: dict[Route, Origin | None] = {}
        self._paths: dict[str, tuple[str, ...]] = {}

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
        self.path_id(route.segments)
        return route

    def path_id(self, segments: tuple[str, ...]) -> str:
        """Return the PascalCase name of a path: ``("orders", "{id}")`` gives ``OrdersById``.

        Of two paths that would have the same, such as ``/a-b`` and ``/a/b``, the later one gets a number: ``AB2``.
        """
        plain = "".join(_word(segment) for segment in segments) or "Root"
        names = (plain if number == 1 else f"{plain}{number}" for number in count(1))
        return next(name for name in names if self._paths.setdefault(name, segments) == segments)

    def id(self, route: Route) -> str:
        """Return the PascalCase name of a route: ``GET /orders/{id}`` gives ``GetOrdersById``."""
        return route.method.title() + self.path_id(route.segments)

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

    def admit(self, route: Route, function: Invocable) -> None:
        """Let API Gateway call ``function`` for requests of ``route``."""
        source = invocation_arn(self._api.ref(), self._stage, route.invocation)
        label = pascal(self._api.name) + self._kind + self.id(route)
        function.admit("apigateway", source, label=label, beside=self._api.stack)

    def for_invoking(self, texts: Sequence[str], url: Value) -> Binding:
        """Return what a caller needs to send signed requests of the routes ``texts``, or of all if there are none.

        Raises:
            WiringError: there is no such route.
        """
        routes = [route for text in texts if (route := parse_route(text)) in self._origins and route is not None]
        if len(routes) < len(texts):
            known = ", ".join(map(str, self))
            raise WiringError(f"{self._api}: routes must be among {known or 'none'}, got {', '.join(texts)}; add them")
        ends = [route.invocation for route in routes] or ["*"]
        arns = [invocation_arn(self._api.ref(), self._stage, end) for end in ends]
        return Binding(
            self._api.name, f"calling {self._api}", (Grant(("execute-api:Invoke",), arns),), {"API_URL": url}
        )

    def _refuse(self, text: str, why: str) -> NoReturn:
        raise SettingsError(Problem(f"{self._api}: route {text!r} {why}", here()))
