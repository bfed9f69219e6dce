"""E9216: a function may decrypt what it is fed with."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources
from archlib.checks.rules.security._deliveries import FUNCTION, aliases
from archlib.checks.rules.security._rights import Rights
from archlib.checks.rules.security._values import mentions, reference


class EventSourceKey(Rule):
    """The role of a function lacks the right to use the key of the queue or stream that Lambda reads for it."""

    id = "E9216"
    shortdesc = "Functions may decrypt their event sources"
    description = "Allow kms:Decrypt on the key of the queue or stream to the function's role."
    source_url = "https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"

    def find(self, cfn: Template) -> Found:
        """Yield each mapping that will never get a message."""
        rights, roots = Rights(cfn), aliases(cfn)
        functions, sources = resources(cfn, FUNCTION), resources(cfn, "AWS::SQS::Queue", "AWS::Kinesis::Stream")
        for mapping in resources(cfn, "AWS::Lambda::EventSourceMapping").values():
            source = sources.get(reference(mapping.get("EventSourceArn")) or "")
            names = {roots.get(name, name) for name in mentions(mapping.get("FunctionName"))} & functions.keys()
            for name in sorted(names):
                if source and rights.missing(functions[name].get("Role"), ["kms:Decrypt"], source):
                    message = (
                        f"{name} cannot decrypt what {source.name} holds; allow kms:Decrypt on its key to the role"
                    )
                    yield mapping.path("EventSourceArn"), message
