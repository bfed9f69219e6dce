"""E9210: notifications do not cross the internet unencrypted."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources


class HttpSubscription(Rule):
    """An SNS subscription delivers over HTTP."""

    id = "E9210"
    shortdesc = "SNS delivers over HTTPS"
    description = "Use the protocol https and an endpoint with a certificate."
    source_url = "https://docs.aws.amazon.com/sns/latest/dg/sns-security-best-practices.html"

    def find(self, cfn: Template) -> Found:
        """Yield each such subscription, also of those written inside a topic."""
        for resource in resources(cfn, "AWS::SNS::Subscription", "AWS::SNS::Topic").values():
            parents = resource.find() if resource.type.endswith("Subscription") else resource.find("Subscription", "*")
            for path, subscription in parents:
                if isinstance(subscription, dict) and subscription.get("Protocol") == "http":
                    message = f"{resource.name} sends messages unencrypted over HTTP; use an https endpoint"
                    yield (*path, "Protocol"), message
