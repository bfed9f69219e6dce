"""REST APIs: API Gateway with validation, keys, quotas, cache and every kind of back end."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from troposphere import Ref, apigateway

from archlib.components.apis.authorizers import Authorizers, CognitoAuthorizer, LambdaAuthorizer, check_authorizer
from archlib.components.apis.cors import Cors
from archlib.components.apis.integrations import HttpUrl, Integration, LambdaProxy
from archlib.components.apis.logging_role import ApiLogging
from archlib.components.apis.routes import METHODS, Route, Routes, invocation_arn, path_id
from archlib.components.apis.settings import REST_LOG_FORMAT, Cache, Canary, Throttle, UsagePlan, request_watches
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.observability.log_group import LogGroup
from archlib.core.component import Component
from archlib.core.naming import check_name, pascal
from archlib.core.stack import R, Stack
from archlib.core.suppression import suppress
from archlib.core.values import REGION, URL_SUFFIX, Deferred, Value, arn, join
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.policies import VERSION
from archlib.wiring.roles import Invocable
from archlib.wiring.watch import Watch

Authorization = Literal["iam", "none"] | CognitoAuthorizer | LambdaAuthorizer

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
    ``<Name><Key>UsagePlanKey`` as asked for; ``<Name>ClientCertificate`` once a route calls a web address,
    ``<Name>ApiRole`` once one calls an AWS service, ``<Name>Default4xxResponse`` and ``<Name>Default5xxResponse`` for
    CORS with one origin.

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
        self._throttle = throttle or Throttle()
        self._plan = usage_plan or UsagePlan()
        with self.checking() as check:
            check_authorizer(check, authorizer, CognitoAuthorizer, LambdaAuthorizer)
            check.one_of("endpoint", endpoint, _ENDPOINTS)
            check.that(
                (endpoint == "private") == bool(vpc_endpoints),
                "vpc_endpoints", "given for a private endpoint, and only then", list(vpc_endpoints),
            )  # fmt: skip
            check.that(
                stage_name and all(char.isalnum() or char in "-_" for char in stage_name),
                "stage_name", "letters, digits, - and _", stage_name,
            )  # fmt: skip
            check.that(
                not isinstance(access_log, str) or _FIREHOSE in access_log,
                "access_log", f"the ARN of a Firehose stream (...{_FIREHOSE}...)", access_log,
            )  # fmt: skip
            check.one_of("execution_logs", execution_logs, _LOG_LEVELS)
            self._throttle.check(check, "throttle")
            self._plan.check(check)
            for setting in (cache, cors, canary):
                if setting is not None:
                    setting.check(check)
        self.stage_name = stage_name
        self._default_authorizer = authorizer
        self._cache, self._cors = cache, cors
        self._ttl = cache.ttl if cache is not None else None
        self._authorizers = Authorizers(self)
        self._routes = Routes(self)
        self._paths: set[tuple[str, ...]] = set()
        self._methods: dict[tuple[str, ...], list[str]] = {}
        self._role: Role | None = None
        self._log_level = execution_logs
        self._deployed: list[str] = []
        self._awaited: list[str] = []

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
        self._deploy(self.resource)
        self._deploy(
            apigateway.RequestValidator(
                self.id("RequestValidator"),
                Name="body-and-parameters",
                RestApiId=self.ref(),
                ValidateRequestBody=True,
                ValidateRequestParameters=True,
            )
        )
        self._add_deployment()
        self._add_stage(canary)
        self._add_logs(access_log, log_retention_days, key, account=account_logging_role)
        self._add_usage_plan()
        if cors is not None and len(cors.origins) == 1:
            self._add_error_responses(cors.origins[0])

    def _deploy(self, resource: R) -> R:
        """Add a resource whose change needs a new deployment."""
        self._deployed.append(str(resource.title))
        return self.add(resource)

    def _await(self, resource: R) -> R:
        """Add one that must also exist before the deployment, which does not refer to it."""
        self._awaited.append(str(resource.title))
        return self._deploy(resource)

    def _add_deployment(self) -> None:
        # A deployment is a frozen copy of the API. Only two properties replace it: RestApiId, and
        # DeploymentCanarySettings, which API Gateway refuses without a stage that it deploys to at once; then the
        # stage could not be a resource of its own. So the logical id has to change. Earlier deployments are kept like
        # data, so that the stage can go back to one and a canary can leave traffic on it; they go with the API.
        def describe() -> str:
            if not self._routes:
                raise ValueError(f"{self} must have at least one route, got none; call route()")
            return f"{len(self._routes)} routes of {self.stack.app.name} ({self.stack.app.environment})"

        deployment = apigateway.Deployment(self.id("Deployment"), Description=Deferred(describe), RestApiId=self.ref())
        deployment.resource["DependsOn"] = self._awaited
        self.add(deployment, stateful=True)
        self.stack.renew(self.id("Deployment"), self._deployed)

    def _add_stage(self, canary: Canary | None) -> None:
        stage = self.stage_resource = apigateway.Stage(
            self.id("Stage"),
            DeploymentId=self.ref("Deployment"),
            MethodSettings=[self._settings("/*", "*", self._throttle, self._ttl)],
            RestApiId=self.ref(),
            StageName=self.stage_name,
            TracingEnabled=True,
        )
        if canary is not None:
            stage.DeploymentId = canary.stable
            stage.CanarySetting = apigateway.StageCanarySetting(
                DeploymentId=self.ref("Deployment"), PercentTraffic=canary.percent, UseStageCache=False
            )
        if self._cache is None:
            suppress(stage, "no-response-cache")
        else:
            stage.CacheClusterEnabled = True
            stage.CacheClusterSize = f"{self._cache.size_gb:g}"
        self._before_addresses = copy.deepcopy(stage.resource.get("Metadata", {}))
        suppress(stage, "lambda-backend-no-client-certificate")
        self.add(stage)

    def _settings(self, path: str, method: str, throttle: Throttle, ttl: timedelta | None) -> apigateway.MethodSetting:
        setting = apigateway.MethodSetting(
            DataTraceEnabled=False,
            HttpMethod=method,
            LoggingLevel=self._log_level,
            MetricsEnabled=True,
            ResourcePath=path,
            ThrottlingBurstLimit=throttle.burst,
            ThrottlingRateLimit=throttle.rate,
        )
        if ttl is not None:
            setting.CachingEnabled = bool(ttl)
            setting.CacheDataEncrypted = True
            setting.CacheTtlInSeconds = seconds(ttl)
        return setting

    def _add_logs(self, access_log: Value | None, days: int, key: Key | None, *, account: bool) -> None:
        if access_log is None:
            access_log = LogGroup(self.stack, f"{self.name}-access", retention_days=days, key=key).attribute("Arn")
        self.stage_resource.AccessLogSetting = apigateway.AccessLogSetting(
            DestinationArn=access_log, Format=REST_LOG_FORMAT
        )
        # API Gateway would make this group itself, without encryption and without an end.
        execution = LogGroup(
            self.stack,
            f"{self.name}-execution",
            physical_name=join("API-Gateway-Execution-Logs_", self.ref(), f"/{self.stage_name}"),
            retention_days=days,
            key=key,
        )
        self.stage_resource.DependsOn = [execution.resource.title]
        if account:
            self.stage_resource.DependsOn.append(ApiLogging.of(self.stack.app).resource.title)

    def _add_usage_plan(self) -> None:
        plan = apigateway.UsagePlan(
            self.id("UsagePlan"),
            ApiStages=[apigateway.ApiStage(ApiId=self.ref(), Stage=self.ref("Stage"))],
            Throttle=apigateway.ThrottleSettings(
                BurstLimit=self._plan.throttle.burst, RateLimit=self._plan.throttle.rate
            ),
        )
        if self._plan.quota is not None:
            plan.Quota = apigateway.QuotaSettings(Limit=self._plan.quota, Period=self._plan.period)
        self.add(plan)
        for client in self._plan.keys:
            part = pascal(check_name(client, "API key"))
            self.add(apigateway.ApiKey(self.id(f"{part}ApiKey"), Description=f"{client} of {self.name}", Enabled=True))
            self.add(
                apigateway.UsagePlanKey(
                    self.id(f"{part}UsagePlanKey"),
                    KeyId=self.ref(f"{part}ApiKey"),
                    KeyType="API_KEY",
                    UsagePlanId=self.ref("UsagePlan"),
                )
            )

    def _add_error_responses(self, origin: Value) -> None:
        """Let pages of the one origin read errors that API Gateway answers before any back end is asked."""
        for status in ("4xx", "5xx"):
            self._await(
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
            (throttle or self._throttle).check(check, "throttle")
            check.that(throttle is None or parsed.method != "ANY", "throttle", "empty for ANY", throttle)
            check.between("cache", cache, timedelta(0), _CACHE_TTL_MAX)
            check.that(
                cache is None or (self._ttl is not None and parsed.method == "GET"),
                "cache", "empty, except for GET routes of an API with a cache", cache,
            )  # fmt: skip
        if isinstance(integration, HttpUrl):
            self._show_certificate()
        method = self._add_method(parsed, integration, authorizer)
        ttl = cache if cache is not None else self._ttl
        parameters = _parameters(parsed.parameters, query, headers)
        if ttl and parsed.method == "GET":
            parameters |= _identity(authorizer)
            method.Integration.CacheKeyParameters = sorted(parameters)
        if parameters:
            method.RequestParameters = parameters
        if scopes:
            method.AuthorizationScopes = list(scopes)
        method.ApiKeyRequired = bool(self._plan.keys) if api_key is None else api_key
        if body is not None:
            self._add_model(parsed, method, body)
        if throttle is not None or cache is not None:
            path = "/" + parsed.path.replace("/", "~1") if parsed.segments else "/"
            setting = self._settings(path, parsed.method, throttle or self._throttle, ttl)
            self.stage_resource.MethodSettings.append(setting)
        return method

    def _add_method(self, route: Route, integration: Integration, authorizer: Authorization) -> apigateway.Method:
        prefix = self._cors.origin_template() if self._cors is not None else ""
        method = apigateway.Method(
            self.id(f"{route.id}Method"),
            AuthorizationType="NONE",
            HttpMethod=route.method,
            Integration=integration.build(route, self._allow(route, integration), prefix),
            RequestValidatorId=self.ref("RequestValidator"),
            ResourceId=self._path(route.segments),
            RestApiId=self.ref(),
        )
        if isinstance(authorizer, CognitoAuthorizer | LambdaAuthorizer):
            method.AuthorizationType = authorizer.method_type
            method.AuthorizerId = self._authorizers.place(authorizer, authorizer.rest)
        elif authorizer == "iam":
            method.AuthorizationType = "AWS_IAM"
        if method.AuthorizationType in ("AWS_IAM", "CUSTOM"):
            suppress(method, "iam-or-lambda-authorizer")
        responses = method.Integration.properties.get("IntegrationResponses", ())
        if responses:
            method.MethodResponses = [apigateway.MethodResponse(StatusCode=each.StatusCode) for each in responses]
        if self._cors is not None:
            self._answer_preflight(self._cors, route)
        return self._await(method)

    def _allow(self, route: Route, integration: Integration) -> Value:
        """Let API Gateway call what ``integration`` calls, and return the role it does so with, if it needs one."""
        if isinstance(integration, LambdaProxy):
            source = invocation_arn(self.ref(), self.stage_name, route.invocation)
            integration.function.admit("apigateway", source, label=pascal(self.name) + route.id, beside=self.stack)
        if not integration.grants:
            return ""
        if self._role is None:
            self._role = Role(self.stack, f"{self.name}-api", service="apigateway")
        for grant in integration.grants:
            self._role.allow(grant, why=f"{route} of {self}")
        return self._role.arn

    def _path(self, segments: tuple[str, ...]) -> Value:
        """Return the id of the resource for a path, made with those above it the first time."""
        if not segments:
            return self.attribute("RootResourceId")
        role = f"{path_id(segments)}Resource"
        if segments not in self._paths:
            self._paths.add(segments)
            self._deploy(
                apigateway.Resource(
                    self.id(role), ParentId=self._path(segments[:-1]), PathPart=segments[-1], RestApiId=self.ref()
                )
            )
        return self.ref(role)

    def _add_model(self, route: Route, method: apigateway.Method, schema: Mapping[str, Any]) -> None:
        model = apigateway.Model(
            self.id(f"{route.id}Model"),
            ContentType="application/json",
            Description=f"Body of {route}",
            RestApiId=self.ref(),
            Schema=dict(schema),
        )
        self._deploy(model)
        # For every content type: with one named, a body that claims another would not be checked.
        method.RequestModels = {"$default": Ref(model)}

    def _show_certificate(self) -> None:
        """Let web addresses see by a certificate that a request comes from this stage."""
        if "ClientCertificateId" not in self.stage_resource.properties:
            self.add(apigateway.ClientCertificate(self.id("ClientCertificate"), Description=f"Shown by {self.name}"))
            self.stage_resource.ClientCertificateId = self.ref("ClientCertificate")
            self.stage_resource.Metadata = self._before_addresses

    def _answer_preflight(self, cors: Cors, route: Route) -> None:
        methods = self._methods.setdefault(route.segments, [])
        methods.append(route.method)
        if len(methods) == 1:
            self._await(
                cors.preflight(
                    self.id(f"Options{path_id(route.segments)}Method"),
                    self.ref(),
                    self._path(route.segments),
                    self.ref("RequestValidator"),
                    lambda: METHODS[1:] if "ANY" in methods else sorted({*methods, "OPTIONS"}),
                )
            )

    def for_invoking(self, *routes: str) -> Binding:
        """Return what a caller needs to send signed requests: the right and ``<NAME>_API_URL``.

        Args:
            routes: the routes it may call; all by default.

        Raises:
            WiringError: the API has no such route.
        """
        arns = self._routes.arns(routes, self.stage_name)
        return Binding(self.name, f"calling {self}", (Grant(("execute-api:Invoke",), arns),), {"API_URL": self.url})

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


def _parameters(path: Sequence[str], query: Sequence[str], headers: Sequence[str]) -> dict[str, bool]:
    """Return the parameters of a request, and whether each is required; names with ``?`` at the end are not."""
    return {
        f"method.request.{place}.{name.removesuffix('?')}": not name.endswith("?")
        for place, names in (("path", path), ("querystring", query), ("header", headers))
        for name in names
    }


def _identity(authorizer: Authorization) -> dict[str, bool]:
    """Return the parameters that tell one caller from another."""
    if isinstance(authorizer, LambdaAuthorizer):
        return _parameters((), authorizer.query, authorizer.headers)
    return {} if authorizer == "none" else _parameters((), (), ("Authorization",))
