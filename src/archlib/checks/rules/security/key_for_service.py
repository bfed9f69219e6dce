"""E9215: who writes to something encrypted may use the key."""

from __future__ import annotations

from collections.abc import Iterator

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.policies import understood
from archlib.checks.rules.read import Resource, resources
from archlib.checks.rules.security._deliveries import QUEUE, TOPIC, deliveries
from archlib.checks.rules.security._keys import Keys
from archlib.checks.rules.security._policies import allowed, lets_service

_SERVICES = {"AWS::CloudTrail::Trail": "cloudtrail", "AWS::Logs::LogGroup": "logs"}
_NEEDS = {"cloudtrail": ("kms:GenerateDataKey",), "logs": ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey")}
_DELIVERING = ("kms:Decrypt", "kms:GenerateDataKey")
_MANAGED = ("alias/aws/sns", "alias/aws/sqs")


class KeyForService(Rule):
    """An AWS service writes to a queue, topic or log group whose key does not let it."""

    id = "E9215"
    shortdesc = "Keys let the services use them that deliver encrypted data"
    description = "Allow the actions to the service in the key policy, with aws:SourceAccount as condition."
    source_url = (
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"
        "#compatibility-with-aws-services"
    )

    def find(self, cfn: Template) -> Found:
        """Yield each key and service once, and each AWS-managed key that a service cannot use."""
        keys, seen = Keys(cfn), set()
        for service, what, resource in _uses(cfn):
            if resource.get("KmsMasterKeyId") in _MANAGED:
                message = (
                    f"{what}, but {service} cannot use the AWS-managed key; encrypt with a key of your own that lets it"
                )
                yield resource.path("KmsMasterKeyId"), message
            key = keys.of(resource)
            if key is None or (key.name, service) in seen:
                continue
            seen.add((key.name, service))
            missing = _missing(key, service)
            if missing:
                message = (
                    f"{what}, but {key.name} does not let it; allow {', '.join(missing)} to "
                    f"{service}.amazonaws.com in KeyPolicy"
                )
                yield key.path("KeyPolicy"), message


def _uses(cfn: Template) -> Iterator[tuple[str, str, Resource]]:
    for resource in resources(cfn, *_SERVICES).values():
        service = _SERVICES[resource.type]
        yield service, f"{service} encrypts {resource.name}", resource
    for delivery in deliveries(cfn, QUEUE, TOPIC):
        what = f"{delivery.source} delivers to {delivery.target.name} as {delivery.service}"
        yield delivery.service, what, delivery.target


def _missing(key: Resource, service: str) -> list[str]:
    policy = key.get("KeyPolicy")
    if policy is not None and not understood(policy):
        return []
    needed = _NEEDS.get(service, _DELIVERING)
    allowed_actions = {
        action for _, statement in allowed(policy, ()) for action in lets_service(statement, service, needed)
    }
    return sorted(set(needed) - allowed_actions)
