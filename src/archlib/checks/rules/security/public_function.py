"""E9207: no function can be invoked by everyone."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources
from archlib.checks.rules.security._values import is_anything

_NARROWED = ("EventSourceToken", "PrincipalOrgID", "SourceAccount", "SourceArn")


class PublicFunction(Rule):
    """A Lambda permission has the principal ``*`` and nothing that narrows it, or a function URL asks for no login."""

    id = "E9207"
    shortdesc = "No Lambda permission or URL for everyone"
    description = (
        "Name a service with SourceArn, or an account; ask for AWS_IAM at URLs, and put CloudFront before them."
    )
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html"

    def find(self, cfn: Template) -> Found:
        """Yield each such permission and URL."""
        for permission in resources(cfn, "AWS::Lambda::Permission").values():
            if permission.get("Principal") == "*" and not any(_narrows(permission.get(key)) for key in _NARROWED):
                message = (
                    f"permission {permission.name} lets everyone invoke the function; "
                    "name a service and its SourceArn, or set PrincipalOrgID"
                )
                yield permission.path("Principal"), message
        for url in resources(cfn, "AWS::Lambda::Url").values():
            for path, kind in url.find("AuthType"):
                if kind == "NONE":
                    message = (
                        f"function URL {url.name} lets everyone invoke the function; "
                        "set AuthType to AWS_IAM, and put CloudFront or an API with a login before it"
                    )
                    yield path, message


def _narrows(value: Any) -> bool:
    return bool(value) and not is_anything(value)
