"""E9125: SNS subscriptions have a protocol and an endpoint that fit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Place, resources

_ARN = r"arn:.+"
_ENDPOINTS = {
    "application": _ARN,
    "email": r"[^@\s]+@[^@\s]+",
    "email-json": r"[^@\s]+@[^@\s]+",
    "firehose": _ARN,
    "http": r"http://.+",
    "https": r"https://.+",
    "lambda": _ARN,
    "sms": r"\+?[0-9()./ -]+",
    "sqs": _ARN,
}


class Subscription(Rule):
    """A subscription has an unknown protocol, or an endpoint of another protocol."""

    id = "E9125"
    shortdesc = "Protocol and Endpoint of SNS subscriptions fit"
    description = "Use a protocol of SNS and an endpoint of that kind: an address, a URL with the same scheme, an ARN."
    source_url = "https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html"

    def find(self, cfn: Template) -> Found:
        """Yield each subscription that SNS refuses."""
        for path, subscription in _subscriptions(cfn):
            protocol = subscription.get("Protocol") if isinstance(subscription, dict) else None
            if not isinstance(protocol, str):
                continue
            endpoint = subscription.get("Endpoint")
            if protocol not in _ENDPOINTS:
                message = f"SNS has no protocol {protocol}; use one of {', '.join(_ENDPOINTS)}"
                yield (*path, "Protocol"), message
            elif isinstance(endpoint, str) and not re.match(rf"{_ENDPOINTS[protocol]}$|\{{\{{resolve:", endpoint):
                message = f"{endpoint} is no endpoint for protocol {protocol}; correct either"
                yield (*path, "Endpoint"), message


def _subscriptions(cfn: Template) -> Iterator[Place]:
    for subscription in resources(cfn, "AWS::SNS::Subscription").values():
        yield from subscription.find()
    for topic in resources(cfn, "AWS::SNS::Topic").values():
        yield from topic.find("Subscription", "*")
