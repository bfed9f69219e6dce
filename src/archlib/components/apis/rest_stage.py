"""Stages of REST APIs: where requests arrive, and what is asked of them before any route."""

from __future__ import annotations

from datetime import timedelta

from troposphere import apigateway

from archlib.components.apis.logging_role import ApiLogging
from archlib.components.apis.routes import Route
from archlib.components.apis.settings import REST_LOG_FORMAT, Cache, Canary, Throttle, UsagePlan
from archlib.components.identity.key import Key
from archlib.components.observability.log_group import LogGroup
from archlib.core.component import Component
from archlib.core.naming import check_name, pascal
from archlib.core.suppression import suppress, withdraw
from archlib.core.values import Value, join
from archlib.units import seconds


class Stage:
    """The stage of a REST API: throttled, measured, traced, and with a cache if asked for.

    Args:
        api: the API.
        name: name of the stage.
        log_level: ``ERROR`` or ``INFO``.
        throttle: rate and burst.
        cache: keep answers to GET requests.
        canary: give the newest deployment a part of the traffic only.

    Attributes:
        resource: the ``AWS::ApiGateway::Stage``.
        ttl: how long answers are kept; None without a cache.
    """

    def __init__(
        self,
        api: Component,
        name: str,
        *,
        log_level: str,
        throttle: Throttle,
        cache: Cache | None,
        canary: Canary | None,
    ) -> None:
        self._api = api
        self._log_level = log_level
        self._throttle = throttle
        self.ttl = cache.ttl if cache is not None else None
        self.resource = apigateway.Stage(
            api.id("Stage"),
            DeploymentId=api.ref("Deployment"),
            MethodSettings=[self._settings("/*", "*", throttle, self.ttl)],
            RestApiId=api.ref(),
            StageName=name,
            TracingEnabled=True,
        )
        if canary is not None:
            self.resource.DeploymentId = canary.stable
            self.resource.CanarySetting = apigateway.StageCanarySetting(
                DeploymentId=api.ref("Deployment"), PercentTraffic=canary.percent, UseStageCache=False
            )
        if cache is None:
            suppress(self.resource, "no-response-cache")
        else:
            self.resource.CacheClusterEnabled = True
            self.resource.CacheClusterSize = f"{cache.size_gb:g}"
        suppress(self.resource, "lambda-backend-no-client-certificate")
        api.add(self.resource)

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

    def limit(self, route: Route, throttle: Throttle | None, ttl: timedelta | None) -> None:
        """Give ``route`` a rate or a time in the cache of its own."""
        path = "/" + route.path.replace("/", "~1") if route.segments else "/"
        self.resource.MethodSettings.append(self._settings(path, route.method, throttle or self._throttle, ttl))

    def log(self, access_log: Value | None, *, days: int, key: Key | None, account: bool) -> None:
        """Write access and execution logs; ``account`` makes the role that API Gateway writes them with."""
        api = self._api
        if access_log is None:
            access_log = LogGroup(api.stack, f"{api.name}-access", retention_days=days, key=key).attribute("Arn")
        self.resource.AccessLogSetting = apigateway.AccessLogSetting(DestinationArn=access_log, Format=REST_LOG_FORMAT)
        # API Gateway would make this group itself, without encryption and without an end.
        execution = LogGroup(
            api.stack,
            f"{api.name}-execution",
            physical_name=join("API-Gateway-Execution-Logs_", api.ref(), f"/{self.resource.StageName}"),
            retention_days=days,
            key=key,
        )
        self.resource.DependsOn = [execution.resource.title]
        if account:
            self.resource.DependsOn.append(ApiLogging.of(api.stack.app).resource.title)

    def show_certificate(self) -> None:
        """Let back ends other than functions see by a certificate that a request comes from this stage."""
        if "ClientCertificateId" not in self.resource.properties:
            api = self._api
            api.add(apigateway.ClientCertificate(api.id("ClientCertificate"), Description=f"Shown by {api.name}"))
            self.resource.ClientCertificateId = api.ref("ClientCertificate")
            withdraw(self.resource, "lambda-backend-no-client-certificate")


def add_usage_plan(api: Component, chosen: UsagePlan) -> None:
    """Add the usage plan of ``api``'s stage, with a key for each client."""
    plan = apigateway.UsagePlan(
        api.id("UsagePlan"),
        ApiStages=[apigateway.ApiStage(ApiId=api.ref(), Stage=api.ref("Stage"))],
        Throttle=apigateway.ThrottleSettings(BurstLimit=chosen.throttle.burst, RateLimit=chosen.throttle.rate),
    )
    if chosen.quota is not None:
        plan.Quota = apigateway.QuotaSettings(Limit=chosen.quota, Period=chosen.period)
    api.add(plan)
    for client in chosen.keys:
        part = pascal(check_name(client, "API key"))
        api.add(apigateway.ApiKey(api.id(f"{part}ApiKey"), Description=f"{client} of {api.name}", Enabled=True))
        api.add(
            apigateway.UsagePlanKey(
                api.id(f"{part}UsagePlanKey"),
                KeyId=api.ref(f"{part}ApiKey"),
                KeyType="API_KEY",
                UsagePlanId=api.ref("UsagePlan"),
            )
        )
