"""E9117: a function may read the queue or stream it is triggered by."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.policies import attached, covers, inline, items, understood
from archlib.checks.rules.read import Resource, complete, literal, named, resources, target, walk

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
        known, policies = resources(cfn), attached(cfn)
        if "" in policies or not complete(cfn):  # a policy may be for any of the roles
            return
        shared = {found[0] for _, node in walk(cfn.template.get("Outputs"), ()) if (found := target(node))}
        for mapping in resources(cfn, "AWS::Lambda::EventSourceMapping").values():
            source = named(mapping.get("EventSourceArn"), known)
            function = named(mapping.get("FunctionName"), known)
            role = named(function.get("Role"), known) if function else None
            granted = _granted(role, policies.get(role.name, []), known) if role else None
            if not source or source.type not in _NEEDED or not role or role.name in shared or granted is None:
                continue
            service, actions = _NEEDED[source.type]
            reaching = [statement for statement in granted if _reaches(statement, source, known)]
            missing = [
                f"{service}:{action}"
                for action in actions
                if not any(covers(statement, f"{service}:{action}") for statement in reaching)
            ]
            if missing:
                message = f"{role.name} lacks {', '.join(missing)} on {source.name}; allow it in a policy of the role"
                yield mapping.path("EventSourceArn"), message


def _granted(role: Resource, policies: list[Resource], known: dict[str, Resource]) -> list[dict[str, Any]] | None:
    """Return the statements that allow something to the role; None if there may be more."""
    documents = [document for _, document in inline(role)]
    documents += [policy.get("PolicyDocument") for policy in policies]
    own, arns = role.properties.get("Policies", []), role.properties.get("ManagedPolicyArns", [])
    if role.type != "AWS::IAM::Role" or not isinstance(own, list) or not isinstance(arns, list):
        return None
    for value in arns:
        policy = named(value, known)
        if policy and policy.type == "AWS::IAM::ManagedPolicy":
            documents.append(policy.get("PolicyDocument"))
        elif not (literal(value) or "").endswith(_UNRELATED):
            return None
    if not all(map(understood, documents)):
        return None
    return [
        statement
        for document in documents
        for statement in items(document["Statement"])
        if statement["Effect"] == "Allow"
    ]


def _reaches(statement: dict[str, Any], source: Resource, known: dict[str, Resource]) -> bool:
    """Return whether the statement's resources may include ``source``: all do that are not another resource."""
    if "Resource" not in statement:
        return True
    referred = [named(value, known) for value in items(statement["Resource"])]
    return any(resource is None or resource.name == source.name for resource in referred)
