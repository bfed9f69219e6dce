"""W9205: API logs hold no bodies."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources
from archlib.checks.rules.security._values import is_true

_SETTINGS = {
    "AWS::ApiGateway::Deployment": (
        ("StageDescription",),
        ("StageDescription", "MethodSettings", "*"),
    ),
    "AWS::ApiGateway::Stage": (("MethodSettings", "*"),),
    "AWS::ApiGatewayV2::Stage": (("DefaultRouteSettings",),),
}


class DataTrace(Rule):
    """API Gateway logs whole requests and answers, with passwords, tokens and personal data."""

    id = "W9205"
    shortdesc = "API Gateway does not log bodies"
    description = "Set DataTraceEnabled to false; access logs and LoggingLevel ERROR show what went wrong."
    source_url = "https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html"

    def find(self, cfn: Template) -> Found:
        """Yield each setting that does."""
        for stage in resources(cfn, *_SETTINGS).values():
            for keys in _SETTINGS[stage.type]:
                for path, value in stage.find(*keys, "DataTraceEnabled"):
                    if is_true(value):
                        message = f"{stage.name} logs the bodies of requests and answers; set DataTraceEnabled to false"
                        yield path, message
