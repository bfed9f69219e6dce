"""W9118: an IAM statement has a resource its actions can apply to."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from cfnlint.data import AdditionalSpecs
from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.policies import identity_statements, items
from archlib.checks.rules.read import literal, resources, target

# the service in the ARN of resources; all references to them in a policy are meant to be their ARN
_SERVICES = {
    "AWS::DynamoDB::GlobalTable": "dynamodb",
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::Events::EventBus": "events",
    "AWS::KMS::Key": "kms",
    "AWS::Kinesis::Stream": "kinesis",
    "AWS::Lambda::Function": "lambda",
    "AWS::Logs::LogGroup": "logs",
    "AWS::S3::Bucket": "s3",
    "AWS::SNS::Topic": "sns",
    "AWS::SQS::Queue": "sqs",
    "AWS::SecretsManager::Secret": "secretsmanager",
    "AWS::StepFunctions::StateMachine": "states",
}
_ARN = re.compile(r"arn:[^:]*:([a-z0-9-]+):[^:]*:[^:]*:.")


class ActionResource(Rule):
    """A statement allows an action only on resources of other services, so it allows nothing."""

    id = "W9118"
    shortdesc = "IAM actions and resources are of the same service"
    description = "Put each action into a statement with a resource of its own service."
    source_url = "https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"

    def find(self, cfn: Template) -> Found:
        """Yield each action that none of the resources is for."""
        known = {name: _SERVICES[resource.type] for name, resource in resources(cfn, *_SERVICES).items()}
        for path, statement in identity_statements(cfn):
            if "Resource" not in statement:
                continue
            services = {_service(value, known) for value in items(statement["Resource"])}
            if None in services:
                continue
            misplaced = [
                action
                for action in items(statement.get("Action", []))
                if isinstance(action, str) and _fitting(action) and not _fitting(action) & services
            ]
            if misplaced:
                given = ", ".join(sorted(str(service) for service in services))
                message = (
                    f"{', '.join(misplaced)} cannot apply to resources of {given}; give them resources of their own"
                )
                yield (*path, "Action"), message


def _service(value: Any, known: dict[str, str]) -> str | None:
    """Return the service of an ARN; None if it cannot be told."""
    if referred := target(value):
        return known.get(referred[0])
    arn = _ARN.match(literal(value, unknown="?") or "")
    return arn[1] if arn else None


@cache
def _fitting(action: str) -> frozenset[str]:
    """Return the services of the ARNs that ``action`` applies to; empty if they are not known."""
    service, _, name = action.lower().partition(":")
    specification = _specification().get(service, {})
    kinds = specification.get("Actions", {}).get(name, {}).get("Resources", [])
    known = specification.get("Resources", {})
    formats = [known.get(kind.lower(), {}).get("ARNFormats", []) for kind in items(kinds)]
    arns = [_ARN.match(arn) for choices in formats for arn in choices]
    return frozenset(arn[1] for arn in arns if arn) if all(formats) and all(arns) else frozenset()


@cache
def _specification() -> dict[str, Any]:
    specification: dict[str, Any] = json.loads(files(AdditionalSpecs).joinpath("Policies.json").read_text("utf-8"))
    return specification
