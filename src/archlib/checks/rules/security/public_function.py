"""E9207: no function can be invoked by everyone."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources

_NARROWED = ("EventSourceToken", "PrincipalOrgID", "SourceAccount", "SourceArn")


class PublicFunction(Rule):
    """A Lambda permission has the principal ``*`` and nothing that narrows it."""

    id = "E9207"
    shortdesc = "No Lambda permission for everyone"
    description = "Name a service with SourceArn, or an account; put CloudFront or an API before a public function."
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html"

    def find(self, cfn: Template) -> Found:
        """Yield each such permission."""
        for permission in resources(cfn, "AWS::Lambda::Permission").values():
            if permission.get("Principal") == "*" and not any(permission.get(key) for key in _NARROWED):
                message = (
                    f"permission {permission.name} lets everyone invoke the function; "
                    "name a service and its SourceArn, or set PrincipalOrgID"
                )
                yield permission.path("Principal"), message
