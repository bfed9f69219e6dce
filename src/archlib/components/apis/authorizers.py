"""Who may call: what an API asks before it lets a request through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from troposphere import AWSObject, Ref, apigateway, apigatewayv2

from archlib.core.component import Check, Component
from archlib.core.naming import check_name, pascal
from archlib.core.origin import here
from archlib.core.values import Value, arn, join
from archlib.errors import Problem, SettingsError
from archlib.units import seconds
from archlib.wiring.roles import Invocable, Target

_CACHE_MAX = timedelta(hours=1)
_AUTHORIZATION = "Authorization"


def invocation_uri(function: Value) -> Value:
    """Return how API Gateway addresses the function with the ARN ``function``."""
    return arn("apigateway", join("path/2015-03-31/functions/", function, "/invocations"), account="lambda")


def check_function(check: Check, field: str, target: Target) -> None:
    """Note that ``target`` is something else than a function."""
    kind = target.resource.resource_type
    check.that(kind == "AWS::Lambda::Function", field, "a Lambda function", kind)


def check_authorizer(check: Check, authorizer: object, *kinds: type) -> None:
    """Note that ``authorizer`` is nothing an API can ask; it must never end as a public route."""
    check.that(
        authorizer in ("iam", "none") or isinstance(authorizer, kinds),
        "authorizer", f"'iam', 'none' or {' or '.join(kind.__name__ for kind in kinds)}", authorizer,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CognitoAuthorizer:
    """Lets the users of Cognito user pools call a REST API, with a token in the header ``Authorization``.

    Attributes:
        name: kebab-case, unique in the API.
        user_pools: ARNs of the user pools.
        cache: how long a checked token is remembered, up to an hour.
    """

    name: str
    user_pools: Sequence[Value]
    cache: timedelta = timedelta(minutes=5)

    method_type = "COGNITO_USER_POOLS"

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(self.user_pools, "authorizer.user_pools", "at least one ARN", list(self.user_pools))
        check.between("authorizer.cache", self.cache, timedelta(0), _CACHE_MAX)

    def rest(self, title: str, api: Value) -> apigateway.Authorizer:
        """Return the resource for the REST API with id ``api``."""
        return apigateway.Authorizer(
            title,
            AuthorizerResultTtlInSeconds=seconds(self.cache),
            IdentitySource=f"method.request.header.{_AUTHORIZATION}",
            Name=self.name,
            ProviderARNs=list(self.user_pools),
            RestApiId=api,
            Type="COGNITO_USER_POOLS",
        )


@dataclass(frozen=True, slots=True)
class JwtAuthorizer:
    """Lets the bearers of JSON web tokens call an HTTP API, with a token in the header ``Authorization``.

    Attributes:
        name: kebab-case, unique in the API.
        issuer: who signed the tokens, such as ``user_pool.issuer``.
        audience: for whom they were issued, such as the ids of the user pool's app clients.
    """

    name: str
    issuer: Value
    audience: Sequence[Value]

    route_type = "JWT"

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(
            not isinstance(self.issuer, str) or self.issuer.startswith("https://"),
            "authorizer.issuer", "an https:// address", self.issuer,
        )  # fmt: skip
        check.that(self.audience, "authorizer.audience", "at least one audience", list(self.audience))

    def http(self, title: str, api: Value) -> apigatewayv2.Authorizer:
        """Return the resource for the HTTP API with id ``api``."""
        return apigatewayv2.Authorizer(
            title,
            ApiId=api,
            AuthorizerType="JWT",
            IdentitySource=[f"$request.header.{_AUTHORIZATION}"],
            JwtConfiguration=apigatewayv2.JWTConfiguration(Audience=list(self.audience), Issuer=self.issuer),
            Name=self.name,
        )


@dataclass(frozen=True, slots=True)
class LambdaAuthorizer:
    """Asks a function whether the caller may call.

    A cached answer holds for every route of the API: the function must return one that does not depend on the route,
    or ``cache`` must be zero.

    Attributes:
        name: kebab-case, unique in the API.
        function: the function.
        headers: request headers it decides by; without one of them the answer is 401.
        query: query parameters it decides by.
        token: for REST APIs, pass only the value of the one header instead of the whole request.
        cache: how long an answer is remembered for the same headers and parameters, up to an hour.
    """

    name: str
    function: Invocable
    headers: Sequence[str] = (_AUTHORIZATION,)
    query: Sequence[str] = ()
    token: bool = False
    cache: timedelta = timedelta(minutes=5)

    method_type = "CUSTOM"
    route_type = "CUSTOM"

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check_function(check, "authorizer.function", self.function)
        check.that(self.headers or self.query, "authorizer.headers", "at least one header or query parameter", [])
        check.that(
            not self.token or (len(self.headers) == 1 and not self.query),
            "authorizer.headers", "exactly one with token on", [*self.headers, *self.query],
        )  # fmt: skip
        check.between("authorizer.cache", self.cache, timedelta(0), _CACHE_MAX)

    def rest(self, title: str, api: Value) -> apigateway.Authorizer:
        """Return the resource for the REST API with id ``api``."""
        sources = (
            *(f"method.request.header.{header}" for header in self.headers),
            *(f"method.request.querystring.{parameter}" for parameter in self.query),
        )
        return apigateway.Authorizer(
            title,
            AuthorizerResultTtlInSeconds=seconds(self.cache),
            AuthorizerUri=invocation_uri(self.function.arn),
            IdentitySource=",".join(sources),
            Name=self.name,
            RestApiId=api,
            Type="TOKEN" if self.token else "REQUEST",
        )

    def http(self, title: str, api: Value) -> apigatewayv2.Authorizer:
        """Return the resource for the HTTP API with id ``api``."""
        return apigatewayv2.Authorizer(
            title,
            ApiId=api,
            AuthorizerPayloadFormatVersion="2.0",
            AuthorizerResultTtlInSeconds=seconds(self.cache),
            AuthorizerType="REQUEST",
            AuthorizerUri=invocation_uri(self.function.arn),
            EnableSimpleResponses=True,
            IdentitySource=[
                *(f"$request.header.{header}" for header in self.headers),
                *(f"$request.querystring.{parameter}" for parameter in self.query),
            ],
            Name=self.name,
        )


class Authorizers:
    """The authorizers of one API, each made once.

    Args:
        api: the API.
        kind: PascalCase; tells them from those of an API of another kind with the same name.
    """

    def __init__(self, api: Component, *, kind: str = "") -> None:
        self._api = api
        self._kind = kind
        self._known: dict[str, CognitoAuthorizer | JwtAuthorizer | LambdaAuthorizer] = {}

    def place(
        self, authorizer: CognitoAuthorizer | JwtAuthorizer | LambdaAuthorizer, make: Callable[[str, Value], AWSObject]
    ) -> Value:
        """Return the id of ``authorizer``, whose resource ``make`` makes the first time.

        Raises:
            SettingsError: it has a setting that cannot work, or its name belongs to another one.
        """
        api = self._api
        label = f"{pascal(check_name(authorizer.name, 'authorizer'))}{self._kind}Authorizer"
        title = api.id(label)
        if authorizer.name not in self._known:
            with api.checking() as check:
                authorizer.check(check)
            api.add(make(title, api.ref()))
            if isinstance(authorizer, LambdaAuthorizer):
                source = arn("execute-api", join(api.ref(), "/authorizers/", Ref(title)))
                authorizer.function.admit("apigateway", source, label=pascal(api.name) + label, beside=api.stack)
        if self._known.setdefault(authorizer.name, authorizer) != authorizer:
            raise SettingsError(
                Problem(f"{api}: authorizer {authorizer.name!r} must be one, got two that differ; rename one", here())
            )
        return Ref(title)
