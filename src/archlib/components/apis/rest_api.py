"""REST APIs: API Gateway with validation, keys, quotas, cache and every kind of back end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from troposphere import apigateway

from archlib.components.apis.authorizers import CognitoAuthorizer, LambdaAuthorizer, check_authorizer
from archlib.components.apis.cors import Cors
from archlib.components.apis.integrations import Integration, LambdaProxy
from archlib.components.apis.rest_deployment import Deployment
from archlib.components.apis.rest_methods import Authorization, Methods, caller_parameters, request_parameters
from archlib.components.apis.rest_stage import Stage, add_usage_plan
from archlib.components.apis.routes import Routes
from archlib.components.apis.settings import Cache, Canary, Throttle, UsagePlan, is_stage_name, request_watches
from archlib.components.identity.key import Key
from archlib.components.observability.log_group import check_retention
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import REGION, URL_SUFFIX, Value, arn, join
from archlib.wiring.binding import Binding
from archlib.wiring.policies import VERSION
from archlib.wiring.roles import Invocable
from archlib.wiring.watch import Watch

_ENDPOINTS = ("regional", "edge", "private")
_LOG_LEVELS = ("ERROR", "INFO")
_FIREHOSE = ":deliverystream/amazon-apigateway-"
_CACHE_TTL_MAX = timedelta(hours=1)
_NO_BODY = ("GET", "HEAD", "OPTIONS")


class RestApi(Component):
    """An API Gateway REST API that authorises, validates, throttles and logs every request.

    Creates ``<Name>RestApi``, ``<Name>Stage``, ``<Name>Deployment`` with a tail that changes with the routes,
    ``<Name>RequestValidator``, ``<Name>UsagePlan``, ``<Name>AccessLogGroup`` and ``<Name>ExecutionLogGroup``; for a
    route such as ``GET /orders/{id}`` ``<Name>OrdersResource``, ``<Name>OrdersByIdResource`` and
    ``<Name>GetOrdersByIdMethod``, with a body schema ``<Name>GetOrdersByIdModel``, with CORS also
    ``<Name>OptionsOrdersByIdMethod``; ``<Name><Authorizer>Authorizer``, ``<Name><Key>ApiKey`` and
    ``<Name><Key>UsagePlanKey`` as asked for; ``<Name>ClientCertificate`` once a route leads to something else than a
    function, ``<Name>ApiRole`` once one calls an AWS service, ``<Name>Default4xxResponse`` and
    ``<Name>Default5xxResponse`` for CORS with one origin.

    See https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-to-api.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        authorizer: who may call a route that says nothing else: ``iam`` (signed requests), a
            :class:`CognitoAuthorizer`, a :class:`LambdaAuthorizer`, or ``none`` for everybody.
        description: one sentence for the console.
        endpoint: ``regional``; ``edge`` through CloudFront's locations; ``private`` from inside VPCs only.
        vpc_endpoints: for ``private``, ids of the VPC endpoints (``execute-api``) that requests must come through.
        stage_name: last part of the default address; letters, digits, ``-`` and ``_``.
        access_log: ARN of a Firehose stream whose name starts with ``amazon-apigateway-``; an encrypted log group of
            its own by default.
        execution_logs: ``ERROR`` or ``INFO``; bodies and headers are never logged.
        throttle: rate and burst of the stage.
        cache: keep answers to GET requests; off by default, since answers depend on the caller.
        usage_plan: keys, quota and throttling of clients.
        cors: web pages of other origins that may call the API.
        canary: give new routes a part of the traffic only.
        account_logging_role: make the role that API Gateway writes logs with, which is one for the account and
            region; False where another template has made it.
        log_retention_days: days a log event is kept.
        key: the KMS key of the logs; the app's by default.

    Attributes:
        resource: the ``AWS::ApiGateway::RestApi``.
        stage_resource: the ``AWS::ApiGateway::Stage``.
        stage_name: name of the stage.

    Raises:
        SettingsError: a setting is outside its range.
    """

    kind = "RestApi"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        authorizer: Authorization = "iam",
        description: str = "",
        endpoint: Literal["regional", "edge", "private"] = "regional",
        vpc_endpoints: Sequence[Value] = (),
        stage_name: str = "live",
        access_log: Value | None = None,
        execution_logs: Literal["ERROR", "INFO"] = "ERROR",
        throttle: Throttle | None = None,
        cache: Cache | None = None,
        usage_plan: UsagePlan | None = None,
        cors: Cors | None = None,
        canary: Canary | None = None,
        account_logging_role: bool = True,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        throttle = throttle or Throttle()
        usage_plan = usage_plan or UsagePlan()
        with self.checking() as check:
            check_retention(check, log_retention_days)
            check_authorizer(check, authorizer, CognitoAuthorizer, LambdaAuthorizer)
            check.one_of("endpoint", endpoint, _ENDPOINTS)
            check.that(
                (endpoint == "private") == bool(vpc_endpoints),
                "vpc_endpoints", "given for a private endpoint, and only then", list(vpc_endpoints),
            )  # fmt: skip
            check.that(is_stage_name(stage_name), "stage_name", "letters, digits, - and _", stage_name)
            check.that(
                not isinstance(access_log, str) or _FIREHOSE in access_log,
                "access_log", f"the ARN of a Firehose stream (...{_FIREHOSE}...)", access_log,
            )  # fmt: skip
            check.one_of("execution_logs", execution_logs, _LOG_LEVELS)
            throttle.check(check, "throttle")
            usage_plan.check(check)
            for setting in (cache, cors, canary):
                if setting is not None:
                    setting.check(check)
        self.stage_name = stage_name
        self._default_authorizer = authorizer
        self._cors = cors
        self._keys = bool(usage_plan.keys)
        self._routes = Routes(self, stage_name)

        self.resource = apigateway.RestApi(
            self.id(),
            EndpointConfiguration=apigateway.EndpointConfiguration(Types=[endpoint.upper()]),
            Name=f"{stack.app.name}-{stack.app.environment}-{name}",
        )
        if description:
            self.resource.Description = description
        if endpoint == "private":
            self.resource.EndpointConfiguration.VpcEndpointIds = list(vpc_endpoints)
            self.resource.Policy = _only_through(vpc_endpoints)
        self.add(self.resource)
        validator = self.add(
            apigateway.RequestValidator(
                self.id("RequestValidator"),
                Name="body-and-parameters",
                RestApiId=self.ref(),
                ValidateRequestBody=True,
                ValidateRequestParameters=True,
            )
        )
        self._deployment = Deployment(self, self._describe, self.resource, validator)
        self._methods = Methods(self, self._routes, self._deployment, cors)
        self._stage = Stage(self, stage_name, log_level=execution_logs, throttle=throttle, cache=cache, canary=canary)
        self._stage.log(access_log, days=log_retention_days, key=key, account=account_logging_role)
        self.stage_resource = self._stage.resource
        add_usage_plan(self, usage_plan)
        if cors is not None and len(cors.origins) == 1:
            self._add_error_responses(cors.origins[0])

    def _describe(self) -> str:
        if not self._routes:
            raise ValueError(f"{self} must have at least one route, got none; call route()")
        return f"{len(self._routes)} routes of {self.stack.app.name} ({self.stack.app.environment})"

    def _add_error_responses(self, origin: Value) -> None:
        """Let pages of the one origin read errors that API Gateway answers before any back end is asked."""
        for status in ("4xx", "5xx"):
            self._deployment.wait_for(
                apigateway.GatewayResponse(
                    self.id(f"Default{status}Response"),
                    ResponseParameters={
                        "gatewayresponse.header.Access-Control-Allow-Origin": join("'", origin, "'"),
                        "gatewayresponse.header.Vary": "'Origin'",
                    },
                    ResponseType=f"DEFAULT_{status.upper()}",
                    RestApiId=self.ref(),
                )
            )

    @property
    def url(self) -> Value:
        """Default address of the stage, without a slash at the end."""
        return join("https://", self.ref(), ".execute-api.", REGION, ".", URL_SUFFIX, "/", self.ref("Stage"))

    @property
    def protected_arn(self) -> Value:
        """ARN of the stage, as a web firewall wants it."""
        return arn("apigateway", join("/restapis/", self.ref(), "/stages/", self.ref("Stage")), account="")

    def route(
        self,
        route: str,
        target: Invocable | Integration,
        *,
        authorizer: Authorization | None = None,
        scopes: Sequence[str] = (),
        body: Mapping[str, Any] | None = None,
        query: Sequence[str] = (),
        headers: Sequence[str] = (),
        api_key: bool | None = None,
        throttle: Throttle | None = None,
        cache: timedelta | None = None,
    ) -> apigateway.Method:
        """Answer requests of ``route`` by ``target``, and return the method.

        Args:
            route: method and path, such as ``GET /orders/{id}``; ``ANY`` stands for every method, ``{path+}`` as last
                part for any rest of the path.
            target: a function, which gets the whole request, or an integration.
            authorizer: who may call; the API's by default. ``none`` makes the route public.
            scopes: with a Cognito authorizer, OAuth scopes of which the access token must have one.
            body: JSON schema (draft 4) of the request's body.
            query: names of query parameters; required unless they end with ``?``.
            headers: names of request headers; required unless they end with ``?``.
            api_key: ask for one of the usage plan's keys; by default if it has any.
            throttle: rate and burst of the route.
            cache: how long answers are kept, up to an hour, if the API has a cache; zero: not at all.

        Raises:
            SettingsError: the route is malformed, exists already, or a setting does not fit it.
        """
        parsed = self._routes.add(route)
        self._routes.one_parameter_each(parsed)
        integration = target if isinstance(target, Integration) else LambdaProxy(target)
        authorizer = authorizer or self._default_authorizer
        with self.checking() as check:
            integration.check(check)
            check_authorizer(check, authorizer, CognitoAuthorizer, LambdaAuthorizer)
            check.that(
                parsed.method != "OPTIONS" or self._cors is None, "route", "none for OPTIONS, which cors answers", route
            )
            check.that(
                not scopes or isinstance(authorizer, CognitoAuthorizer),
                "scopes", "empty without a Cognito authorizer", list(scopes),
            )  # fmt: skip
            check.that(body is None or parsed.method not in _NO_BODY, "body", f"empty for {parsed.method}", body)
            if throttle is not None:
                throttle.check(check, "throttle")
            check.that(throttle is None or parsed.method != "ANY", "throttle", "empty for ANY", throttle)
            check.between("cache", cache, timedelta(0), _CACHE_TTL_MAX)
            check.that(
                cache is None or (self._stage.ttl is not None and parsed.method == "GET"),
                "cache", "empty, except for GET routes of an API with a cache", cache,
            )  # fmt: skip
        if not isinstance(integration, LambdaProxy):
            self._stage.show_certificate()
        method = self._methods.add(parsed, integration, authorizer)
        ttl = cache if cache is not None else self._stage.ttl
        parameters = request_parameters(parsed.parameters, query, headers)
        if ttl and parsed.method == "GET":
            parameters |= caller_parameters(authorizer)
            method.Integration.CacheKeyParameters = sorted(parameters)
        if parameters:
            method.RequestParameters = parameters
        if scopes:
            method.AuthorizationScopes = list(scopes)
        method.ApiKeyRequired = self._keys if api_key is None else api_key
        if body is not None:
            self._methods.check_body(parsed, method, body)
        if throttle is not None or cache is not None:
            self._stage.limit(parsed, throttle, ttl)
        return method

    def for_invoking(self, *routes: str) -> Binding:
        """Return what a caller needs to send signed requests: the right and ``<NAME>_API_URL``.

        Args:
            routes: the routes it may call; all by default.

        Raises:
            WiringError: the API has no such route.
        """
        return self._routes.for_invoking(routes, self.url)

    def watches(self) -> Sequence[Watch]:
        """Return what shows that requests fail, are refused, or take long."""
        dimensions = {"ApiName": self.resource.Name, "Stage": self.ref("Stage")}
        return request_watches(self, "5XXError", "4XXError", dimensions)


def _only_through(endpoints: Sequence[Value]) -> dict[str, Any]:
    """Return the policy that refuses requests which come another way than through the VPC endpoints."""
    statement = {"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    through = {"aws:SourceVpce": list(endpoints)}
    return {
        "Version": VERSION,
        "Statement": [
            {"Sid": "Through", "Effect": "Allow", **statement, "Condition": {"StringEquals": through}},
            {"Sid": "NotAround", "Effect": "Deny", **statement, "Condition": {"StringNotEquals": through}},
        ],
    }
