"""E9217: a function may write where its failures and results go."""

from __future__ import annotations

from collections.abc import Iterator

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, Resource, resources
from archlib.checks.rules.security._deliveries import FUNCTION, aliases
from archlib.checks.rules.security._rights import Rights
from archlib.checks.rules.security._values import mentions, reference

_NEEDS = {
    "AWS::Events::EventBus": ("events:PutEvents",),
    "AWS::Lambda::Function": ("lambda:InvokeFunction",),
    "AWS::SNS::Topic": ("sns:Publish", "kms:Decrypt", "kms:GenerateDataKey"),
    "AWS::SQS::Queue": ("sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"),
}
_ON_BEHALF = ("AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping")


class FailureRights(Rule):
    """The role of a function lacks the right to write to its dead-letter queue or destination."""

    id = "E9217"
    shortdesc = "Functions may write to their dead-letter queues and destinations"
    description = "Allow the actions to the function's role, for an encrypted target also on its key."
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"

    def find(self, cfn: Template) -> Found:
        """Yield each failure or result that will be lost."""
        rights, targets = Rights(cfn), resources(cfn, *_NEEDS)
        for function, path, name in _destinations(cfn):
            target = targets.get(name)
            missing = rights.missing(function.get("Role"), _NEEDS[target.type], target) if target else []
            if missing:
                yield path, f"{function.name} cannot write to {name}; allow {', '.join(missing)} to its role"


def _destinations(cfn: Template) -> Iterator[tuple[Resource, Path, str]]:
    functions, roots = resources(cfn, FUNCTION), aliases(cfn)
    for function in functions.values():
        for path, value in function.find("DeadLetterConfig", "TargetArn"):
            yield function, path, reference(value) or ""
    for config in resources(cfn, *_ON_BEHALF).values():
        names = {roots.get(name, name) for name in mentions(config.get("FunctionName"))} & functions.keys()
        for event in ("OnFailure", "OnSuccess"):
            for path, value in config.find("DestinationConfig", event, "Destination"):
                for name in sorted(names):
                    yield functions[name], path, reference(value) or ""
