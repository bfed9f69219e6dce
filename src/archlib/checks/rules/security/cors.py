"""W9204: CORS names the origins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, Resource, resources
from archlib.checks.rules.security._values import entries

_ORIGINS = {
    "AWS::ApiGatewayV2::Api": ("CorsConfiguration", "AllowOrigins"),
    "AWS::Lambda::Url": ("Cors", "AllowOrigins"),
    "AWS::S3::Bucket": ("CorsConfiguration", "CorsRules", "*", "AllowedOrigins"),
}
_HEADERS = {
    "AWS::ApiGateway::GatewayResponse": ("ResponseParameters",),
    "AWS::ApiGateway::Method": ("Integration", "IntegrationResponses", "*", "ResponseParameters"),
}


class Cors(Rule):
    """Scripts of any website may read the answers."""

    id = "W9204"
    shortdesc = "CORS does not allow every origin"
    description = "Name the origins of your own pages, such as https://shop.example.com."
    source_url = "https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-cors.html"

    def find(self, cfn: Template) -> Found:
        """Yield each place that allows ``*``."""
        for resource in resources(cfn, *_ORIGINS, *_HEADERS).values():
            for path, origin in _origins(resource):
                if origin in ("*", "'*'"):
                    yield path, f"{resource.name} lets the scripts of every website read its answers; name the origins"


def _origins(resource: Resource) -> Iterator[tuple[Path, Any]]:
    if resource.type in _ORIGINS:
        for path, origins in resource.find(*_ORIGINS[resource.type]):
            yield from entries(origins, path)
        return
    for path, headers in resource.find(*_HEADERS[resource.type]):
        for key, value in headers.items() if isinstance(headers, dict) else ():
            if str(key).lower().endswith(".header.access-control-allow-origin"):
                yield from entries(value, (*path, key))
