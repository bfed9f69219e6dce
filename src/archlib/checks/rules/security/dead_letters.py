"""W9203: failed messages go somewhere."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import complete, resources, walk
from archlib.checks.rules.security._values import mentions

_TARGETS = ("deadLetterTargetArn", "DeadLetterConfig", "OnFailure")


class DeadLetters(Rule):
    """A queue has no dead-letter queue and is none itself."""

    id = "W9203"
    shortdesc = "Queues have a dead-letter queue"
    description = "Set RedrivePolicy; without, a message that always fails is retried until it expires, and then lost."
    source_url = (
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html"
    )

    def find(self, cfn: Template) -> Found:
        """Yield each such queue."""
        queues = resources(cfn, "AWS::SQS::Queue").values()
        losing = [queue for queue in queues if not {"RedrivePolicy", "RedriveAllowPolicy"} & queue.properties.keys()]
        if not losing or not complete(cfn):
            return
        collecting = {
            name
            for resource in resources(cfn).values()
            for _, node in walk(resource.properties, ())
            if isinstance(node, dict)
            for key in _TARGETS
            if key in node
            for name in mentions(node[key])
        }
        for queue in losing:
            if queue.name not in collecting:
                yield queue.path(), f"queue {queue.name} loses messages that always fail; set RedrivePolicy"
