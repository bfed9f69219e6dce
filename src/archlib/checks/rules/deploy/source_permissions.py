"""E9117: a function may read the queue or stream it is triggered by."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.deploy._policies import attached, covers, inline, items, understood
from archlib.checks.rules.deploy._read import Resource, literal, named, resources, target
from archlib.checks.rules.deploy._rule import Found, Rule

_STREAM = ("DescribeStream", "GetRecords", "GetShardIterator")
_NEEDED = {
    "AWS::DynamoDB::GlobalTable": ("dynamodb", _STREAM),
    "AWS::DynamoDB::Table": ("dynamodb", _STREAM),
    "AWS::Kinesis::Stream": ("kinesis", _STREAM),
    "AWS::SQS::Queue": ("sqs", ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")),
}
# AWS managed policies that do not help; any other may
_UNRELATED = (
    "/AWSLambdaBasicExecutionRole",
    "/AWSLambdaVPCAccessExecutionRole",
    "/AWSXRayDaemonWriteAccess",
    "/CloudWatchLambdaInsightsExecutionRolePolicy",
)


class SourcePermissions(Rule):
    """The role of a function lacks the rights to read the event source, and Lambda refuses the mapping."""

    id = "E9117"
    shortdesc = "The role of a function may read its event source"
    description = "Allow the missing actions on the event source in a policy of the function's role."
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"

    def find(self, cfn: Template) -> Found:
        """Yield each event source that the function cannot read."""
        sources, functions = resources(cfn, *_NEEDED), resources(cfn, "AWS::Lambda::Function")
        roles, policies = resources(cfn, "AWS::IAM::Role"), attached(cfn)
        managed = resources(cfn, "AWS::IAM::ManagedPolicy")
        for mapping in resources(cfn, "AWS::Lambda::EventSourceMapping").values():
            source = named(mapping.get("EventSourceArn"), sources)
            function = named(mapping.get("FunctionName"), functions)
            role = named(function.get("Role"), roles) if function else None
            granted = _granted(role, policies.get(role.name, []), managed) if role else None
            if source is None or role is None or granted is None:
                continue
            service, actions = _NEEDED[source.type]
            missing = [
                action
                for action in (f"{service}:{name}" for name in actions)
                if not any(covers(statement, action) and _reaches(statement, source) for statement in granted)
            ]
            if missing:
                message = f"{role.name} lacks {', '.join(missing)} on {source.name}; allow it in a policy of the role"
                yield mapping.path("EventSourceArn"), message


def _granted(role: Resource, policies: list[Resource], managed: dict[str, Resource]) -> list[dict[str, Any]] | None:
    """Return the statements that allow something to the role; None if there may be more."""
    documents = [document for _, document in inline(role)]
    documents += [policy.get("PolicyDocument") for policy in policies]
    for value in role.properties.get("ManagedPolicyArns", []) if role.plain("ManagedPolicyArns") is not None else ():
        if policy := named(value, managed):
            documents.append(policy.get("PolicyDocument"))
        elif not (literal(value) or "").endswith(_UNRELATED):
            return None
    if role.plain("ManagedPolicyArns") is None and "ManagedPolicyArns" in role.properties:
        return None
    if not isinstance(role.properties.get("Policies", []), list) or not all(map(understood, documents)):
        return None
    return [
        statement
        for document in documents
        for statement in items(document["Statement"])
        if statement["Effect"] == "Allow"
    ]


def _reaches(statement: dict[str, Any], source: Resource) -> bool:
    """Return whether the statement's resources may include ``source``: all do that are not another resource."""
    if "Resource" not in statement:
        return True
    referred = [target(value) for value in items(statement["Resource"])]
    return any(found is None or found[0] == source.name for found in referred)
