"""What APIs share: throttling, access logs and metrics; and settings that only stages of REST APIs have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from archlib.core.component import Check, Component
from archlib.core.values import Value
from archlib.wiring.watch import Watch

_RATE_MAX, _BURST_MAX = 100_000, 50_000
_CACHE_SIZES = (0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237)
_CACHE_TTL = (timedelta(seconds=1), timedelta(hours=1))
_LATENCY_MS = 3000
_PERIODS = ("DAY", "WEEK", "MONTH")
_COMMON_FIELDS = {
    "requestId": "$context.requestId",
    "extendedRequestId": "$context.extendedRequestId",
    "requestTime": "$context.requestTime",
    "sourceIp": "$context.identity.sourceIp",
    "userAgent": "$context.identity.userAgent",
    "protocol": "$context.protocol",
    "httpMethod": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatency": "$context.responseLatency",
    "errorMessage": "$context.error.message",
    "integrationStatus": "$context.integration.status",
    "integrationLatency": "$context.integration.latency",
}

# JSON, so that log queries can filter by field. No header, query string or claim: they may identify or admit people.
REST_LOG_FORMAT = json.dumps(
    _COMMON_FIELDS
    | {
        "resourcePath": "$context.resourcePath",
        "authorizerError": "$context.authorizer.error",
        "integrationError": "$context.integrationErrorMessage",
        "wafResponseCode": "$context.wafResponseCode",
        "xrayTraceId": "$context.xrayTraceId",
    }
)
HTTP_LOG_FORMAT = json.dumps(
    _COMMON_FIELDS
    | {
        "routeKey": "$context.routeKey",
        "authorizerError": "$context.authorizer.error",
        "integrationError": "$context.integrationErrorMessage",
    }
)


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many requests are let through; the rest is answered with 429.

    Attributes:
        rate: requests a second on average, more than 0.
        burst: requests at once, 1 or more.
    """

    rate: float = 1000
    burst: int = 500

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it as setting ``field``."""
        check.that(0 < self.rate <= _RATE_MAX, f"{field}.rate", f"more than 0, up to {_RATE_MAX}", self.rate)
        check.between(f"{field}.burst", self.burst, 1, _BURST_MAX)


@dataclass(frozen=True, slots=True)
class Cache:
    """Keeps answers to GET requests in an encrypted cache, billed by the hour.

    An answer is kept for one value of the path, of the declared query parameters and headers, and, unless the route is
    public, of the header ``Authorization``: nobody gets what somebody else was answered.

    Attributes:
        size_gb: 0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118 or 237.
        ttl: how long an answer is kept, 1 second to an hour; a route can have its own.
    """

    size_gb: float = 0.5
    ttl: timedelta = timedelta(minutes=5)

    def check(self, check: Check) -> None:
        """Note what is wrong with it as setting ``cache``."""
        check.one_of("cache.size_gb", self.size_gb, _CACHE_SIZES)
        check.between("cache.ttl", self.ttl, *_CACHE_TTL)


@dataclass(frozen=True, slots=True)
class Canary:
    """Gives the deployment that the template describes a part of the traffic; the rest stays on an earlier one.

    Attributes:
        percent: traffic for the new deployment, 1 to 99.
        stable: id of the deployment that keeps the rest, as ``aws apigateway get-stage`` shows it.
    """

    percent: int
    stable: str

    def check(self, check: Check) -> None:
        """Note what is wrong with it as setting ``canary``."""
        check.between("canary.percent", self.percent, 1, 99)
        check.that(self.stable, "canary.stable", "the id of a deployment", self.stable)


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """What clients may use: with keys, each of them; without, the stage as a whole.

    A key tells clients apart for quotas and throttling; it is no authentication.

    Attributes:
        keys: kebab-case names of the clients; API Gateway generates the keys.
        quota: requests in one period, 1 or more; None: no end.
        period: ``DAY``, ``WEEK`` or ``MONTH``.
        throttle: rate and burst of each key.
    """

    keys: Sequence[str] = ()
    quota: int | None = None
    period: Literal["DAY", "WEEK", "MONTH"] = "MONTH"
    throttle: Throttle = field(default_factory=Throttle)

    def check(self, check: Check) -> None:
        """Note what is wrong with it as setting ``usage_plan``."""
        check.that(self.quota is None or self.quota >= 1, "usage_plan.quota", "1 or more, or left out", self.quota)
        check.one_of("usage_plan.period", self.period, _PERIODS)
        self.throttle.check(check, "usage_plan.throttle")


def is_stage_name(name: str) -> bool:
    """Tell whether a stage can be called ``name``."""
    return bool(name) and all(char.isalnum() or char in "-_" for char in name)


def request_watches(
    api: Component, server_errors: str, client_errors: str, dimensions: Mapping[str, Value]
) -> Sequence[Watch]:
    """Return what shows that requests of ``api`` fail, are refused, or take long.

    Args:
        api: the API.
        server_errors: metric of answers with a status of 500 and above.
        client_errors: metric of answers with a status of 400 to 499.
        dimensions: dimensions of the metrics.
    """
    return (
        Watch(
            "server-errors", f"Share of requests of {api} that failed", "AWS/ApiGateway", server_errors,
            dimensions, "Average", 0.01, periods=2,
        ),
        Watch(
            "client-errors", f"Share of requests of {api} that were refused", "AWS/ApiGateway", client_errors,
            dimensions, "Average", 0.25, periods=3,
        ),
        Watch(
            "latency", f"Latency of {api}, milliseconds", "AWS/ApiGateway", "Latency",
            dimensions, "p99", _LATENCY_MS, periods=3,
        ),
    )  # fmt: skip
