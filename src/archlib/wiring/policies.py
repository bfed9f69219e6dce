"""Resource policies: who may deliver here, and never without TLS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archlib.core.values import ACCOUNT, Deferred, Value, encode

VERSION = "2012-10-17"

_OF_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
# Services that are not documented to say for which account they assume a role; Firehose says it in another key.
_OTHER_CONDITIONS = {
    "apigateway": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    "dax": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    "ecs": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    "ec2": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    "eks": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    "firehose": {"StringEquals": {"sts:ExternalId": ACCOUNT}},
    "rds": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    "s3": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    "sns": {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
}


def service_principal(service: str) -> dict[str, str]:
    """Return the principal of AWS service ``service``, such as ``lambda``."""
    return {"Service": service if service.endswith(".com") else f"{service}.amazonaws.com"}


def trust_service(service: str, source: Value | None = None) -> dict[str, Any]:
    """Return the trust policy that lets ``service`` assume a role, for this account and the ARN ``source`` only."""
    condition: dict[str, Any] = _OTHER_CONDITIONS.get(service, _OF_THIS_ACCOUNT)
    if source is not None:
        condition = {**condition, "ArnEquals": {"aws:SourceArn": source}}
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": service_principal(service),
                "Action": "sts:AssumeRole",
                "Condition": condition,
            }
        ],
    }


class ResourcePolicy:
    """The policy document of one queue, topic or bucket, which has one policy for all who deliver to it.

    Args:
        deny_actions: what is refused without TLS.
        resources: what the refusal covers.

    Attributes:
        document: what to give troposphere; rendered when the template is.
    """

    def __init__(self, deny_actions: str, resources: Sequence[Value]) -> None:
        self._statements: list[dict[str, Any]] = [
            {
                "Sid": "DenyInsecureTransport",
                "Effect": "Deny",
                "Principal": "*",
                "Action": deny_actions,
                "Resource": list(resources) if len(resources) > 1 else resources[0],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]
        self.document = Deferred(lambda: {"Version": VERSION, "Statement": self._statements})

    def allow(self, service: str, actions: Sequence[str], resource: Value, source: Value | None = None) -> None:
        """Let ``service`` perform ``actions`` on ``resource``, for this account and the ARN ``source``."""
        # CloudFront says only for which distribution it asks; the account is in that ARN.
        conditions: dict[str, Any] = {} if service == "cloudfront" and source else {**_OF_THIS_ACCOUNT}
        if source is not None:
            conditions["ArnLike"] = {"aws:SourceArn": source}
        self._add(service, actions, resource, {"Condition": conditions})

    def allow_unconditionally(self, service: str, actions: Sequence[str], resource: Value) -> None:
        """Let ``service`` perform ``actions`` on ``resource``, where it does not say for whom it asks."""
        self._add(service, actions, resource, {})

    def _add(self, service: str, actions: Sequence[str], resource: Value, condition: Mapping[str, Any]) -> None:
        statement = encode(
            {
                "Effect": "Allow",
                "Principal": service_principal(service),
                "Action": list(actions),
                "Resource": resource,
                **condition,
            }
        )
        if statement not in self._statements:
            self._statements.append(statement)
