"""E9213: who invokes a function is allowed to."""

from __future__ import annotations

import re
from collections import defaultdict

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Resource, resources
from archlib.checks.rules.security._deliveries import FUNCTION, Delivery, aliases, deliveries, is_qualified
from archlib.checks.rules.security._values import UNKNOWN, mentions, text


class InvocationPermission(Rule):
    """A rule, topic, bucket, API ... invokes a function that has no permission for its service."""

    id = "E9213"
    shortdesc = "Functions may be invoked by what is wired to them"
    description = "Add an AWS::Lambda::Permission for the service, on exactly the function or alias that it invokes."
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html"

    def find(self, cfn: Template) -> Found:
        """Yield each wiring that will be refused."""
        roots = aliases(cfn)
        permissions: dict[str, list[Resource]] = defaultdict(list)
        for permission in resources(cfn, "AWS::Lambda::Permission").values():
            names = mentions(permission.get("FunctionName"))
            # The name of a function, or a parameter: it may be any.
            for name in {roots.get(name, name) for name in names} or {""}:
                permissions[name].append(permission)
        for delivery in deliveries(cfn, FUNCTION):
            qualified = is_qualified(delivery.value, roots)
            if not any(
                _principal_fits(permission, delivery)
                and (name == "" or is_qualified(permission.get("FunctionName"), roots) == qualified)
                for name in ("", delivery.target.name)
                for permission in permissions.get(name, ())
            ):
                message = (
                    f"{delivery.source} invokes {delivery.target.name} but may not; add an AWS::Lambda::Permission "
                    f"with Principal {_principal(delivery)} for "
                    f"{'that alias or version' if qualified else 'the function'}"
                )
                yield delivery.path, message


def _principal(delivery: Delivery) -> str:
    service = "lambda.alarms.cloudwatch" if delivery.service == "cloudwatch" else delivery.service
    return f"{service}.amazonaws.com"


def _principal_fits(permission: Resource, delivery: Delivery) -> bool:
    principal = text(permission.get("Principal"))
    # The logs service may carry its region.
    return (
        principal in (_principal(delivery), "*")
        or principal.startswith((UNKNOWN, "${"))
        or re.fullmatch(rf"{delivery.service}\.[^.]+\.amazonaws\.com", principal) is not None
    )
