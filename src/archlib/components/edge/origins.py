"""Origins: where a distribution gets what it does not have in its cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from troposphere import cloudfront

from archlib.core.component import Check, Component
from archlib.core.formats import check_domain
from archlib.core.naming import fixed_name
from archlib.core.values import Value
from archlib.units import seconds
from archlib.wiring.roles import HiddenEntry, Website

# Policies that CloudFront has in every account.
CACHED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
NOT_CACHED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
_ALL_OF_REQUEST = "216adef6-5c7f-47e4-b989-5492eafa07d3"
_ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"

_TLS = ["TLSv1.2"]
_HTTPS = 443
_READ = ("GET", "HEAD", "OPTIONS")
_ALL = ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE")
_TIMEOUT = (timedelta(seconds=1), timedelta(seconds=60))
_ORIGIN_NAME_MAX = 64


@dataclass(frozen=True, slots=True)
class BucketOrigin:
    """Files of a private bucket, which only this account's distributions can read; they are cached.

    Attributes:
        bucket: the bucket.
        path: folder in it that is the root, such as ``/live``; the bucket itself by default.
    """

    bucket: Website
    path: str = ""

    cached = True
    methods = _READ
    request_policy: str | None = None

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        _check_path(check, field, self.path)

    def render(self, distribution: Component, label: str) -> cloudfront.Origin:
        """Return it as CloudFormation has it; ``label`` tells it from the distribution's other origins.

        Creates ``<Distribution><Label>AccessControl``.
        """
        self.bucket.admit_cloudfront()
        app = distribution.stack.app
        control = distribution.add(
            cloudfront.OriginAccessControl(
                distribution.id(f"{label}AccessControl"),
                OriginAccessControlConfig=cloudfront.OriginAccessControlConfig(
                    Description=f"Reads {self.bucket.name} for {distribution.name}",
                    Name=fixed_name(
                        app.name, app.environment, f"{distribution.name}-{label.lower()}", most=_ORIGIN_NAME_MAX
                    ),
                    OriginAccessControlOriginType="s3",
                    SigningBehavior="always",
                    SigningProtocol="sigv4",
                ),
            )
        )
        return cloudfront.Origin(
            Id=label,
            DomainName=self.bucket.domain_name,
            OriginAccessControlId=control.ref(),
            S3OriginConfig=cloudfront.S3OriginConfig(OriginAccessIdentity=""),
            **_path(self.path),
        )


@dataclass(frozen=True, slots=True)
class HttpsOrigin:
    """Anything that answers HTTPS under its own name: an API, a public load balancer; nothing of it is cached.

    The cookies, query and headers of a request are passed on, but for ``Host``, which is that of the origin.

    Attributes:
        host: its host name, which its certificate is for: ``abc123.execute-api.eu-west-1.amazonaws.com``.
        path: what is put before the path of each request, such as the stage ``/live`` of a REST API.
        timeout: how long to wait for an answer, 1 to 60 seconds.
    """

    host: Value
    path: str = ""
    timeout: timedelta = timedelta(seconds=30)

    cached = False
    methods = _ALL
    request_policy: str | None = _ALL_BUT_HOST

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check_domain(check, f"{field}.host", self.host, wildcard=False)
        _check_path(check, field, self.path)
        check.between(f"{field}.timeout", self.timeout, *_TIMEOUT)

    def render(self, distribution: Component, label: str) -> cloudfront.Origin:  # noqa: ARG002  (same for all origins)
        """Return it as CloudFormation has it; ``label`` tells it from the distribution's other origins."""
        return cloudfront.Origin(
            Id=label,
            DomainName=self.host,
            CustomOriginConfig=cloudfront.CustomOriginConfig(
                HTTPSPort=_HTTPS,
                OriginProtocolPolicy="https-only",
                OriginReadTimeout=seconds(self.timeout),
                OriginSSLProtocols=_TLS,
            ),
            **_path(self.path),
        )


@dataclass(frozen=True, slots=True)
class InternalOrigin:
    """An internal load balancer, reached through a VPC origin; nothing of it is cached.

    The whole request is passed on, ``Host`` included: a certificate of the load balancer must be for the names of the
    distribution.

    Attributes:
        load_balancer: the load balancer.
        path: what is put before the path of each request.
        timeout: how long to wait for an answer, 1 to 60 seconds.
    """

    load_balancer: HiddenEntry
    path: str = ""
    timeout: timedelta = timedelta(seconds=30)

    cached = False
    methods = _ALL
    request_policy: str | None = _ALL_OF_REQUEST

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        _check_path(check, field, self.path)
        check.between(f"{field}.timeout", self.timeout, *_TIMEOUT)

    def render(self, distribution: Component, label: str) -> cloudfront.Origin:
        """Return it as CloudFormation has it; ``label`` tells it from the distribution's other origins.

        Creates ``<Distribution><Label>VpcOrigin``.
        """
        needed = self.load_balancer.admit_cloudfront()
        app, tls = distribution.stack.app, self.load_balancer.port == _HTTPS
        endpoint = cloudfront.VpcOriginEndpointConfig(
            Arn=self.load_balancer.arn,
            Name=fixed_name(app.name, app.environment, f"{distribution.name}-{label.lower()}", most=_ORIGIN_NAME_MAX),
            OriginProtocolPolicy="https-only" if tls else "http-only",
        )
        if tls:
            endpoint.HTTPSPort, endpoint.OriginSSLProtocols = self.load_balancer.port, _TLS
        else:
            endpoint.HTTPPort = self.load_balancer.port
        way = distribution.add(
            cloudfront.VpcOrigin(
                distribution.id(f"{label}VpcOrigin"), VpcOriginEndpointConfig=endpoint, DependsOn=list(needed)
            )
        )
        return cloudfront.Origin(
            Id=label,
            DomainName=self.load_balancer.dns_name,
            VpcOriginConfig=cloudfront.VpcOriginConfig(
                OriginReadTimeout=seconds(self.timeout), VpcOriginId=way.get_att("Id")
            ),
            **_path(self.path),
        )


Origin = BucketOrigin | HttpsOrigin | InternalOrigin


@dataclass(frozen=True, slots=True)
class Behavior:
    """How requests for some paths are answered.

    Attributes:
        origin: where the answer comes from.
        cached: keep answers near the people who ask, for as long as the origin's ``Cache-Control`` says, or a day;
            files are cached, all else is not, unless said otherwise here. What is cached must not depend on who asks.
        methods: HTTP methods; files are only read, all else takes every method.
    """

    origin: Origin
    cached: bool | None = None
    methods: Literal["read", "all"] | None = None

    @property
    def allowed(self) -> Sequence[str]:
        """HTTP methods that are let through."""
        return self.origin.methods if self.methods is None else _READ if self.methods == "read" else _ALL

    def settings(self, origin_id: str) -> dict[str, Any]:
        """Return what it sets, for the origin ``origin_id``."""
        cached = self.origin.cached if self.cached is None else self.cached
        found: dict[str, Any] = {
            "AllowedMethods": list(self.allowed),
            "CachePolicyId": CACHED if cached else NOT_CACHED,
            "CachedMethods": ["GET", "HEAD"],
            "Compress": True,
            "TargetOriginId": origin_id,
            "ViewerProtocolPolicy": "redirect-to-https",
        }
        if self.origin.request_policy is not None:
            found["OriginRequestPolicyId"] = self.origin.request_policy
        return found


def _check_path(check: Check, field: str, path: str) -> None:
    ok = not path or (path.startswith("/") and not path.endswith("/"))
    check.that(ok, f"{field}.path", "a path such as /live, without '/' at the end", path)


def _path(path: str) -> dict[str, str]:
    return {"OriginPath": path} if path else {}
