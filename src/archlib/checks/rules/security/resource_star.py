"""W9210: rights on data name the data."""

from __future__ import annotations

from fnmatch import fnmatchcase

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.security._policies import actions, identity_statements, on_everything

# Well known to take the ARN of a resource; there are many more, but none here that cannot.
_TAKE_RESOURCES = (
    "dynamodb:batchgetitem", "dynamodb:batchwriteitem", "dynamodb:deleteitem", "dynamodb:deletetable",
    "dynamodb:getitem", "dynamodb:getrecords", "dynamodb:putitem", "dynamodb:query", "dynamodb:scan",
    "dynamodb:updateitem", "events:putevents", "execute-api:invoke", "iam:attachrolepolicy", "iam:createrole",
    "iam:deleterole", "iam:putrolepolicy", "iam:updateassumerolepolicy", "kinesis:getrecords", "kinesis:putrecord",
    "kinesis:putrecords", "kms:creategrant", "kms:decrypt", "kms:encrypt", "kms:generatedatakey",
    "lambda:invokefunction", "lambda:updatefunctioncode", "logs:putlogevents", "rds:deletedbinstance",
    "rds-db:connect", "s3:deletebucket", "s3:deleteobject", "s3:getobject", "s3:getobjectversion", "s3:listbucket",
    "s3:putbucketpolicy", "s3:putobject", "secretsmanager:getsecretvalue", "secretsmanager:putsecretvalue",
    "sns:publish", "sqs:changemessagevisibility", "sqs:deletemessage", "sqs:purgequeue", "sqs:receivemessage",
    "sqs:sendmessage", "ssm:getparameter", "ssm:getparameters", "ssm:getparametersbypath", "ssm:putparameter",
    "states:startexecution", "sts:assumerole",
)  # fmt: skip


class ResourceStar(Rule):
    """A policy allows an action on everything in the account although IAM lets it name the resource."""

    id = "W9210"
    shortdesc = "Actions on data name their resources"
    description = "Name the ARNs; leave * to actions that AWS offers no resource-level form for."
    source_url = "https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html"

    def find(self, cfn: Template) -> Found:
        """Yield each statement that does, unless a condition narrows it."""
        for path, statement in identity_statements(cfn):
            if "Condition" in statement or not on_everything(statement):
                continue
            wide = {action for action in actions(statement) if _takes_resources(action)}
            if wide:
                yield path, f"{path[1]} allows {', '.join(sorted(wide))} on every resource; name the ARNs"


def _takes_resources(action: str) -> bool:
    # Actions that are all wildcard are for the rules about actions.
    return (
        not action.endswith(":*")
        and action != "*"
        and any(fnmatchcase(known, action.lower()) for known in _TAKE_RESOURCES)
    )
