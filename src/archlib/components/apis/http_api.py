"""HTTP APIs: API Gateway for functions, web addresses and private load balancers, at a third of a REST API's price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from troposphere import apigatewayv2

from archlib.components.apis.authorizers import Authorizers, JwtAuthorizer, LambdaAuthorizer, check_authorizer
from archlib.components.apis.cors import Cors
from archlib.components.apis.integrations import HttpUrl, LambdaProxy, milliseconds
from archlib.components.apis.routes import METHODS, Route, Routes
from archlib.components.apis.settings import HTTP_LOG_FORMAT, Throttle, is_stage_name, request_watches
from archlib.components.apis.vpc_link import PrivateListener
from archlib.components.identity.key import Key
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Deferred, Value, join
from archlib.units import seconds
from archlib.wiring.binding import Binding
from archlib.wiring.roles import Invocable
from archlib.wiring.watch import Watch

Authorization = Literal["iam", "none"] | JwtAuthorizer | LambdaAuthorizer

_DEFAULT_STAGE = "$default"


class HttpApi(Component):
    """An API Gateway HTTP API that authorises, throttles and logs every request.

    A web firewall cannot stand before it; for one, put it behind CloudFront or take a REST API.

    Creates ``<Name>HttpApi``, ``<Name>HttpStage``, which deploys every change by itself, and
    ``<Name>HttpAccessLogGroup``; for a route such as ``GET /orders/{id}`` ``<Name>GetOrdersByIdRoute`` and
    ``<Name>GetOrdersByIdIntegration``; ``<Name><Authorizer>HttpAuthorizer`` for each authorizer. A REST API of the same
    name is another API.

    See https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vs-rest.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        authorizer: who may call a route that says nothing else: ``iam`` (signed requests), a :class:`JwtAuthorizer`,
            a :class:`LambdaAuthorizer`, or ``none`` for everybody.
        description: one sentence for the console.
        stage_name: ``$default`` answers at the root of the default address; any other name is its first part.
        throttle: rate and burst of each route.
        cors: web pages of other origins that may call the API.
        log_retention_days: days a log event is kept.
        key: the KMS key of the log; the app's by default.

    Attributes:
        resource: the ``AWS::ApiGatewayV2::Api``.
        stage_resource: the ``AWS::ApiGatewayV2::Stage``.
        stage_name: name of the stage.

    Raises:
        SettingsError: a setting is outside its range.
    """

    kind = "HttpApi"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        authorizer: Authorization = "iam",
        description: str = "",
        stage_name: str = _DEFAULT_STAGE,
        throttle: Throttle | None = None,
        cors: Cors | None = None,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        throttle = throttle or Throttle()
        with self.checking() as check:
            check_retention(check, log_retention_days)
            check.that(
                stage_name == _DEFAULT_STAGE or is_stage_name(stage_name),
                "stage_name", "$default, or letters, digits, - and _", stage_name,
            )  # fmt: skip
            check_authorizer(check, authorizer, JwtAuthorizer, LambdaAuthorizer)
            throttle.check(check, "throttle")
            if cors is not None:
                cors.check(check)
        self.stage_name = stage_name
        self._default_authorizer = authorizer
        self._authorizers = Authorizers(self, kind="Http")
        self._routes = Routes(self, stage_name, kind="Http")

        self.resource = apigatewayv2.Api(
            self.id(), Name=f"{stack.app.name}-{stack.app.environment}-{name}", ProtocolType="HTTP"
        )
        if description:
            self.resource.Description = description
        if cors is not None:
            self.resource.CorsConfiguration = apigatewayv2.Cors(
                AllowCredentials=cors.credentials,
                AllowHeaders=list(cors.headers),
                AllowMethods=Deferred(self._methods),
                AllowOrigins=list(cors.origins),
                MaxAge=seconds(cors.max_age),
            )
        self.add(self.resource)
        log = LogGroup(stack, f"{name}-http-access", retention_days=log_retention_days, key=key)
        self.stage_resource = apigatewayv2.Stage(
            self.id("HttpStage"),
            AccessLogSettings=apigatewayv2.AccessLogSettings(
                DestinationArn=log.attribute("Arn"), Format=HTTP_LOG_FORMAT
            ),
            ApiId=self.ref(),
            AutoDeploy=True,
            DefaultRouteSettings=_settings(throttle),
            StageName=stage_name,
        )
        self.add(self.stage_resource)

    def _methods(self) -> Sequence[str]:
        methods = {route.method for route in self._routes}
        return METHODS[1:] if "ANY" in methods else sorted({*methods, "OPTIONS"})

    @property
    def url(self) -> Value:
        """Default address of the stage, without a slash at the end."""
        endpoint = self.attribute("ApiEndpoint")
        return endpoint if self.stage_name == _DEFAULT_STAGE else join(endpoint, f"/{self.stage_name}")

    def route(
        self,
        route: str,
        target: Invocable | LambdaProxy | HttpUrl | PrivateListener,
        *,
        authorizer: Authorization | None = None,
        scopes: Sequence[str] = (),
        throttle: Throttle | None = None,
    ) -> apigatewayv2.Route:
        """Answer requests of ``route`` by ``target``, and return the route.

        Args:
            route: method and path, such as ``GET /orders/{id}``; ``ANY`` stands for every method, ``{path+}`` as last
                part for any rest of the path.
            target: a function, a web address, or a listener inside a network.
            authorizer: who may call; the API's by default. ``none`` makes the route public.
            scopes: with a JWT authorizer, OAuth scopes of which the token must have one.
            throttle: rate and burst of the route.

        Raises:
            SettingsError: the route is malformed, exists already, or a setting does not fit it.
        """
        parsed = self._routes.add(route)
        integration = target if isinstance(target, LambdaProxy | HttpUrl | PrivateListener) else LambdaProxy(target)
        authorizer = authorizer or self._default_authorizer
        with self.checking() as check:
            integration.check(check)
            check_authorizer(check, authorizer, JwtAuthorizer, LambdaAuthorizer)
            check.that(
                not scopes or isinstance(authorizer, JwtAuthorizer),
                "scopes", "empty without a JWT authorizer", list(scopes),
            )  # fmt: skip
            check.that(
                not (isinstance(authorizer, LambdaAuthorizer) and authorizer.token),
                "authorizer.token", "false, since functions get whole requests of an HTTP API", True,
            )  # fmt: skip
            if throttle is not None:
                throttle.check(check, "throttle")
        self._integrate(parsed, integration)
        resource = apigatewayv2.Route(
            self.id(f"{self._routes.id(parsed)}Route"),
            ApiId=self.ref(),
            AuthorizationType="NONE",
            RouteKey=str(parsed),
            Target=join("integrations/", self.ref(f"{self._routes.id(parsed)}Integration")),
        )
        if isinstance(authorizer, JwtAuthorizer | LambdaAuthorizer):
            resource.AuthorizationType = authorizer.route_type
            resource.AuthorizerId = self._authorizers.place(authorizer, authorizer.http)
        elif authorizer == "iam":
            resource.AuthorizationType = "AWS_IAM"
        if scopes:
            resource.AuthorizationScopes = list(scopes)
        self.add(resource)
        if throttle is not None:
            self._throttle(parsed, throttle)
        return resource

    def _integrate(self, route: Route, target: LambdaProxy | HttpUrl | PrivateListener) -> None:
        integration = apigatewayv2.Integration(
            self.id(f"{self._routes.id(route)}Integration"),
            ApiId=self.ref(),
            IntegrationType="HTTP_PROXY",
            PayloadFormatVersion="1.0",
            TimeoutInMillis=milliseconds(target.timeout),
        )
        match target:
            case LambdaProxy():
                self._routes.admit(route, target.function)
                integration.IntegrationType = "AWS_PROXY"
                integration.IntegrationUri = target.function.arn
                integration.PayloadFormatVersion = "2.0"
            case HttpUrl():
                integration.IntegrationMethod = target.method or route.method
                integration.IntegrationUri = target.url
            case PrivateListener():
                integration.ConnectionId = target.link.ref()
                integration.ConnectionType = "VPC_LINK"
                integration.IntegrationMethod = "ANY"
                integration.IntegrationUri = target.listener
                if target.server_name is not None:
                    integration.TlsConfig = apigatewayv2.TlsConfig(ServerNameToVerify=target.server_name)
                if self.stage_name != _DEFAULT_STAGE:
                    # The load balancer would see the stage's name in front of the path.
                    integration.RequestParameters = {"overwrite:path": "$request.path"}
        self.add(integration)

    def _throttle(self, route: Route, throttle: Throttle) -> None:
        settings = self.stage_resource.properties.setdefault("RouteSettings", {})
        settings[str(route)] = _settings(throttle)
        # The stage refuses settings of a route that is not there yet.
        self.stage_resource.DependsOn = [
            *self.stage_resource.resource.get("DependsOn", ()),
            self.id(f"{self._routes.id(route)}Route"),
        ]

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
        return request_watches(self, "5xx", "4xx", {"ApiId": self.ref(), "Stage": self.stage_name})


def _settings(throttle: Throttle) -> apigatewayv2.RouteSettings:
    return apigatewayv2.RouteSettings(
        DetailedMetricsEnabled=True, ThrottlingBurstLimit=throttle.burst, ThrottlingRateLimit=throttle.rate
    )
