"""SNS topics, with subscriptions that lose nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from awacs import sns as actions
from troposphere import sns, xray

from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.messaging.patterns import pattern_problems
from archlib.components.observability.dead_letters import DeadLetterQueue
from archlib.components.observability.log_group import LogGroup
from archlib.core.app import App
from archlib.core.component import Component
from archlib.core.naming import pascal
from archlib.core.origin import here
from archlib.core.stack import Stack
from archlib.core.values import ACCOUNT, PARTITION, REGION, Value, arn, join
from archlib.errors import Problem, WiringError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.policies import VERSION, ResourcePolicy, service_principal
from archlib.wiring.roles import Target
from archlib.wiring.watch import Watch

FilterScope = Literal["MessageAttributes", "MessageBody"]

_PROTOCOLS = {"AWS::SQS::Queue": "sqs", "AWS::Lambda::Function": "lambda"}
_RAW = frozenset({"firehose", "https", "sqs"})
_LOGGED = ("firehose", "http/s", "lambda", "sqs")
_PUBLISH = (actions.Publish,)
_WRITE_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")


class Topic(Component):
    """An encrypted SNS topic that delivers each message to all its subscribers.

    Creates ``<Name>Topic`` and ``<Name>TopicPolicy``, which refuses publishers without TLS and admits only services
    that were wired to it; for failed deliveries ``<Name>TopicLogGroup`` and ``<Name>TopicRole`` with
    ``<Name>TopicPolicy`` as ``<Name>TopicLogPolicy``; for subscribers outside AWS, and for what services could not
    publish, ``<Name>TopicDeadLetterQueue``. Subscribers get ``<Target>From<Name>Subscription`` in their own stack.

    See https://docs.aws.amazon.com/sns/latest/dg/sns-security-best-practices.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the publishers' environment variables.
        fifo: keep the order and drop duplicates; delivers to FIFO queues only.
        display_name: name in the subject of emails, at most 100 characters.
        tracing: send traces to X-Ray. It needs an X-Ray resource policy, one for the app, of which an account has
            room for five in a region.
        log_failures: write why a delivery failed to a log group.
        log_retention_days: days a log event is kept.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::SNS::Topic``.

    Raises:
        SettingsError: the display name is too long.
    """

    kind = "Topic"
