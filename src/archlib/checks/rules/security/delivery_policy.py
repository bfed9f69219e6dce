"""E9214: who delivers to a queue or topic is allowed to."""

from __future__ import annotations

from collections import defaultdict

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.policies import understood
from archlib.checks.rules.read import Resource, resources
from archlib.checks.rules.security._deliveries import QUEUE, TOPIC, Delivery, deliveries
from archlib.checks.rules.security._policies import allowed, lets_service
from archlib.checks.rules.security._values import entries, mentions

_POLICIES = {
    "AWS::SNS::TopicInlinePolicy": "TopicArn",
    "AWS::SNS::TopicPolicy": "Topics",
    "AWS::SQS::QueueInlinePolicy": "Queue",
    "AWS::SQS::QueuePolicy": "Queues",
}
_ACTIONS = {QUEUE: "sqs:SendMessage", TOPIC: "sns:Publish"}


class DeliveryPolicy(Rule):
    """A rule, topic, bucket or alarm delivers to a queue or topic whose policy does not let it."""

    id = "E9214"
    shortdesc = "Queues and topics admit what is wired to them"
    description = "Allow the service in the policy of the queue or topic, with aws:SourceArn as condition."
    source_url = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html"

    def find(self, cfn: Template) -> Found:
        """Yield the first delivery of each service that will be refused: the policy needs the service only once."""
        policies, refused = _by_target(cfn), set()
        for delivery in deliveries(cfn, QUEUE, TOPIC):
            about = [*policies.get("", ()), *policies.get(delivery.target.name, ())]
            action = _ACTIONS[delivery.target.type]
            # The policy that a topic has when none is given admits alarms of its account.
            if delivery.service == "cloudwatch" and not about:
                continue
            wiring = (delivery.service, delivery.target.name)
            if wiring not in refused and not any(_admits(policy, delivery, action) for policy in about):
                refused.add(wiring)
                message = (
                    f"{delivery.source} delivers to {delivery.target.name} but may not; allow {action} to "
                    f"{delivery.service}.amazonaws.com in its policy"
                )
                yield delivery.path, message


def _by_target(cfn: Template) -> dict[str, list[Resource]]:
    """Return the policies of each queue and topic; under an empty name, those that may be of any."""
    found: dict[str, list[Resource]] = defaultdict(list)
    for policy in resources(cfn, *_POLICIES).values():
        for _, value in entries(policy.get(_POLICIES[policy.type])):
            for name in mentions(value) or {""}:
                found[name].append(policy)
    return found


def _admits(policy: Resource, delivery: Delivery, action: str) -> bool:
    document = policy.get("PolicyDocument")
    return not understood(document) or any(
        lets_service(statement, delivery.service, [action]) for _, statement in allowed(document, ())
    )
