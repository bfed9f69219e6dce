"""CORS: which web pages of other origins may call an API from a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from troposphere import apigateway

from archlib.core.component import Check
from archlib.core.suppression import suppress
from archlib.core.values import Deferred, Value, join
from archlib.units import seconds

_ORIGIN = re.compile(r"https://[\w.-]+(:\d+)?|http://(localhost|127\.0\.0\.1)(:\d+)?")
_MAX_AGE = timedelta(days=1)
# HTTP/1 clients spell the header with a capital letter, HTTP/2 clients without.
_CALLER = (
    '#set($origin = $input.params().header.get("Origin"))'
    '#if(!$origin)#set($origin = $input.params().header.get("origin"))#end'
)


@dataclass(frozen=True, slots=True)
class Cors:
    """Which web pages of other origins may call the API from a browser.

    Attributes:
        origins: the exact origins, such as ``https://shop.example.com``; plain ``http`` only for this machine.
        headers: request headers a page may set.
        credentials: let the browser send cookies.
        max_age: how long a browser may remember the answer, up to a day.
    """

    origins: Sequence[Value]
    headers: Sequence[str] = ("Authorization", "Content-Type", "X-Api-Key")
    credentials: bool = False
    max_age: timedelta = timedelta(hours=1)

    def check(self, check: Check) -> None:
        """Note what is wrong with it as setting ``cors``."""
        check.that(self.origins, "cors.origins", "at least one origin", list(self.origins))
        for origin in self.origins:
            check.that(
                not isinstance(origin, str) or _ORIGIN.fullmatch(origin),
                "cors.origins", "named origins such as https://shop.example.com", origin, "name every origin",
            )  # fmt: skip
        check.that("*" not in self.headers, "cors.headers", "named headers", list(self.headers), "name every header")
        check.between("cors.max_age", self.max_age, timedelta(0), _MAX_AGE)

    def origin_template(self) -> Value:
        """Return the mapping template that names the page's origin back to its browser if it is one of ours."""
        tests: list[Value] = []
        for origin in self.origins:
            tests += [" || " if tests else "", '$origin == "', origin, '"']
        header = "#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)"
        return join(_CALLER, "#if(", *tests, ")", header, "#end")

    def preflight(
        self, title: str, api: Value, path: Value, validator: Value, methods: Callable[[], Sequence[str]]
    ) -> apigateway.Method:
        """Return the method of a REST API that tells browsers what pages may do with ``path``.

        Args:
            title: logical id.
            api: id of the REST API.
            path: id of the resource.
            validator: id of the request validator.
            methods: tells the methods of the path once all are known.
        """
        headers: dict[str, Value] = {
            "Access-Control-Allow-Headers": f"'{','.join(self.headers)}'",
            "Access-Control-Allow-Methods": Deferred(lambda: f"'{','.join(methods())}'"),
            "Access-Control-Max-Age": f"'{seconds(self.max_age)}'",
            "Vary": "'Origin'",
        }
        if self.credentials:
            headers["Access-Control-Allow-Credentials"] = "'true'"
        method = apigateway.Method(
            title,
            AuthorizationType="NONE",
            HttpMethod="OPTIONS",
            Integration=apigateway.Integration(
                IntegrationResponses=[
                    apigateway.IntegrationResponse(
                        ResponseParameters={f"method.response.header.{name}": text for name, text in headers.items()},
                        ResponseTemplates={"application/json": self.origin_template()},
                        StatusCode="204",
                    )
                ],
                PassthroughBehavior="NEVER",
                RequestTemplates={"application/json": '{"statusCode": 204}'},
                Type="MOCK",
            ),
            MethodResponses=[
                apigateway.MethodResponse(
                    ResponseParameters={f"method.response.header.{name}": True for name in headers}, StatusCode="204"
                )
            ],
            RequestValidatorId=validator,
            ResourceId=path,
            RestApiId=api,
        )
        suppress(method, "cors-preflight")
        return method
