"""SNS topics, with subscriptions that lose nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from troposphere import Sub, sns, xray

from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.messaging.patterns import pattern_problems
from archlib.components.observability.dead_letters import DeadLetters
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.app import App
from archlib.core.component import Component
from archlib.core.naming import check_name, in_region, logical_id, pascal
from archlib.core.origin import here
from archlib.core.stack import Stack
from archlib.core.values import ACCOUNT, REGION, Value, join
from archlib.errors import Problem, WiringError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.policies import VERSION, ResourcePolicy, service_principal
from archlib.wiring.roles import Target
from archlib.wiring.watch import Watch

FilterScope = Literal["MessageAttributes", "MessageBody"]

_PROTOCOLS = {
    "AWS::KinesisFirehose::DeliveryStream": "firehose",
    "AWS::Lambda::Function": "lambda",
    "AWS::SQS::Queue": "sqs",
}
_LOGGED = ("firehose", "http/s", "lambda", "sqs")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_HTTPS = re.compile(r"https://[^/\s]+(/\S*)?")
_DISPLAY_NAME_MAX = 100
_PUBLISH = ("sns:Publish",)
# What SNS documents to need beside the right to put records.
_ON_FIREHOSE = ("firehose:DescribeDeliveryStream", "firehose:ListTagsForDeliveryStream")
_WRITE_LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_TRACE = ("xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTraceSegments")


class Topic(Component):
    """An encrypted SNS topic that delivers each message to all its subscribers.

    Creates ``<Name>Topic`` and ``<Name>TopicPolicy``, which refuses publishers without TLS and admits only services
    that were wired to it; ``<Name>TopicLogGroup``, ``<Name>TopicLogRole`` and ``<Name>TopicLogPolicy`` for the
    reasons of failed deliveries; ``TopicTracingPolicy`` once for the app; and, when something needs it,
    ``<Name>TopicDeadLetterQueue``. A subscriber gets ``<Target>From<Name>Subscription`` in its own stack.

    See https://docs.aws.amazon.com/sns/latest/dg/sns-security-best-practices.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the publishers' environment variables.
        fifo: keep the order and drop duplicates; for FIFO queues as subscribers, and for no AWS service as publisher.
        display_name: sender of emails, at most 100 characters.
        tracing: send traces to X-Ray. This takes one of the five X-Ray resource policies an account may have in a
            region, for the whole app.
        log_failures: write down why a delivery failed.
        log_retention_days: days a log event is kept.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::SNS::Topic``.

    Raises:
        SettingsError: the display name is too long.
    """

    kind = "Topic"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        fifo: bool = False,
        display_name: str = "",
        tracing: bool = True,
        log_failures: bool = True,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check_retention(check, log_retention_days)
            check.that(
                len(display_name) <= _DISPLAY_NAME_MAX,
                "display_name", f"at most {_DISPLAY_NAME_MAX} characters", len(display_name), "shorten it",
            )  # fmt: skip
        self.fifo = fifo
        self.key = key or Key.of(stack)
        self._failures = DeadLetters(self, key=self.key)

        self.resource = sns.Topic(self.id(), KmsMasterKeyId=self.key.arn, SignatureVersion="2")
        if display_name:
            self.resource.DisplayName = display_name
        if fifo:
            self.resource.FifoTopic = self.resource.ContentBasedDeduplication = True
            # CloudFormation makes up names without the suffix, which SNS then refuses.
            self.resource.TopicName = f"{stack.app.name}-{stack.app.environment}-{name}.fifo"
        if tracing:
            self.resource.TracingConfig = "Active"
            _allow_tracing(stack.app, stack.region)
        self.add(self.resource)

        self._policy = ResourcePolicy("sns:Publish", [self.arn])
        self.add(sns.TopicPolicy(self.id("TopicPolicy"), Topics=[self.ref()], PolicyDocument=self._policy.document))
        if log_failures:
            self._log_failures(log_retention_days)

    def _log_failures(self, retention_days: int) -> None:
        # SNS itself chooses the name; made here, the group is encrypted and has an end.
        group = LogGroup(
            self.stack,
            f"{self.name}-topic",
            retention_days=retention_days,
            physical_name=join("sns/", REGION, "/", ACCOUNT, "/", self.topic_name, "/Failure"),
            key=self.key,
        )
        role = Role(self.stack, f"{self.name}-topic-log", service="sns", description=f"Log of failures of {self}")
        role.allow(Grant(_WRITE_LOGS, (group.attribute("Arn"),)), why=f"log of failures of {self}")
        self.resource.DeliveryStatusLogging = [
            sns.LoggingConfig(Protocol=protocol, FailureFeedbackRoleArn=role.arn)
            for protocol in (("sqs",) if self.fifo else _LOGGED)
        ]

    @property
    def arn(self) -> Value:
        """What publishers and policies call the topic."""
        return self.ref()

    @property
    def topic_name(self) -> Value:
        """Name of the topic in AWS, as metrics and logs know it."""
        return self.attribute("TopicName")

    def subscribe(
        self,
        target: Target,
        *,
        filter_policy: Mapping[str, Any] | None = None,
        filter_scope: FilterScope = "MessageAttributes",
        raw: bool = True,
    ) -> sns.SubscriptionResource:
        """Deliver messages to ``target``; what it does not take goes to its dead-letter queue.

        Creates ``<Target>From<Name>Subscription`` in the target's stack, ``EmailsQueueFromOrdersSubscription``; for a
        Firehose stream also ``LakeFromOrdersRole`` and ``LakeFromOrdersPolicy``.

        Args:
            target: a queue, a function or a Firehose stream.
            filter_policy: only messages that match it.
            filter_scope: whether the filter looks at message attributes or at the body.
            raw: the target gets the message as it was published, without SNS's envelope; a function always has it.

        Raises:
            WiringError: the target is none of these, or only one of the two is FIFO.
            SettingsError: the filter is malformed.
        """
        kind = target.resource.resource_type
        if kind not in _PROTOCOLS:
            raise WiringError(
                f"{self} cannot deliver to {target.name!r}: a subscriber must be a queue, a function or a Firehose "
                f"stream, got {kind}; put one between"
            )
        if self.fifo != bool(target.resource.properties.get("FifoQueue")):
            raise WiringError(
                f"{self} cannot deliver to {target.name!r}: a FIFO topic and a FIFO queue need each other; "
                "set fifo on both or on neither"
            )
        subscription = self._subscription(
            f"{target.resource.title}From{pascal(self.name)}Subscription",
            _PROTOCOLS[kind],
            target.arn,
            target.dead_letters_for("sns", self.arn),
            filter_policy=filter_policy,
            filter_scope=filter_scope,
        )
        if not target.admit("sns", self.arn, label=f"{pascal(self.name)}Topic"):
            role = Role(target.stack, f"{target.name}-from-{self.name}", service="sns")
            for grant in (*target.start_grants(), Grant(_ON_FIREHOSE, (target.arn,))):
                role.allow(grant, why=f"delivering messages of {self} to {target.name!r}")
            subscription.SubscriptionRoleArn = role.arn
            subscription.DependsOn = role.policy
        if raw and kind != "AWS::Lambda::Function":
            subscription.RawMessageDelivery = True
        return target.stack.add(subscription)

    def subscribe_email(
        self,
        address: Value,
        *,
        name: str = "",
        filter_policy: Mapping[str, Any] | None = None,
        filter_scope: FilterScope = "MessageAttributes",
    ) -> sns.SubscriptionResource:
        """Send messages to an email address, whose owner has to confirm first.

        Creates ``<Name>To<Address>Subscription``.

        Args:
            address: the address, or a template parameter that holds it.
            name: kebab-case, for the logical id; made from the address if left out.
            filter_policy: only messages that match it.
            filter_scope: whether the filter looks at message attributes or at the body.

        Raises:
            SettingsError: the address or the filter is malformed.
            WiringError: the topic is FIFO.
        """
        self._check_endpoint("address", address, name, _EMAIL, "an email address")
        return self.add(self._to_outside(name, "email", address, filter_policy, filter_scope))

    def subscribe_https(
        self,
        url: Value,
        *,
        name: str = "",
        filter_policy: Mapping[str, Any] | None = None,
        filter_scope: FilterScope = "MessageAttributes",
        raw: bool = False,
    ) -> sns.SubscriptionResource:
        """Post messages to an HTTPS address, which has to confirm first.

        Creates ``<Name>To<Url>Subscription``.

        Args:
            url: the address, or a template parameter that holds it; never plain HTTP.
            name: kebab-case, for the logical id; made from the URL if left out.
            filter_policy: only messages that match it.
            filter_scope: whether the filter looks at message attributes or at the body.
            raw: post the message as it was published, without SNS's envelope.

        Raises:
            SettingsError: the URL or the filter is malformed.
            WiringError: the topic is FIFO.
        """
        self._check_endpoint("url", url, name, _HTTPS, "an https:// address")
        subscription = self._to_outside(name, "https", url, filter_policy, filter_scope)
        subscription.RawMessageDelivery = raw
        return self.add(subscription)

    def subscribe_firehose(
        self,
        name: str,
        *,
        delivery: Value,
        role: Value,
        filter_policy: Mapping[str, Any] | None = None,
        filter_scope: FilterScope = "MessageAttributes",
        raw: bool = True,
    ) -> sns.SubscriptionResource:
        """Deliver messages to a Firehose stream that the app did not make; :meth:`subscribe` is for its own.

        Creates ``<Name>To<Given>Subscription``.

        Args:
            name: kebab-case, for the logical id.
            delivery: ARN of the delivery stream.
            role: ARN of a role that SNS may assume and that may write to the delivery stream.
            filter_policy: only messages that match it.
            filter_scope: whether the filter looks at message attributes or at the body.
            raw: keep the message as it was published, without SNS's envelope.

        Raises:
            SettingsError: the name or the filter is malformed.
            WiringError: the topic is FIFO.
        """
        subscription = self._to_outside(name, "firehose", delivery, filter_policy, filter_scope)
        subscription.RawMessageDelivery = raw
        subscription.SubscriptionRoleArn = role
        return self.add(subscription)

    def _check_endpoint(self, field: str, endpoint: Value, name: str, allowed: re.Pattern[str], words: str) -> None:
        with self.checking() as check:
            if isinstance(endpoint, str):
                check.that(bool(allowed.fullmatch(endpoint)), field, words, endpoint)
            else:
                check.that(bool(name), "name", "given for an address known only at deployment", name)

    def _to_outside(
        self,
        name: str,
        protocol: str,
        endpoint: Value,
        filter_policy: Mapping[str, Any] | None,
        filter_scope: FilterScope,
    ) -> sns.SubscriptionResource:
        if self.fifo:
            raise WiringError(f"{self} cannot deliver by {protocol}: a FIFO topic delivers to FIFO queues only")
        given = pascal(check_name(name, "subscription")) if name else _words(str(endpoint).removeprefix("https://"))
        return self._subscription(
            self.id(f"To{given}Subscription"),
            protocol,
            endpoint,
            self.dead_letters_for("sns", self.arn),
            filter_policy=filter_policy,
            filter_scope=filter_scope,
        )

    def _subscription(
        self,
        title: str,
        protocol: str,
        endpoint: Value,
        dead_letters: Value,
        *,
        filter_policy: Mapping[str, Any] | None,
        filter_scope: FilterScope,
    ) -> sns.SubscriptionResource:
        subscription = sns.SubscriptionResource(
            title,
            Endpoint=endpoint,
            Protocol=protocol,
            RedrivePolicy={"deadLetterTargetArn": dead_letters},
            TopicArn=self.arn,
        )
        if filter_policy is not None:
            with self.checking() as check:
                check.one_of("filter_scope", filter_scope, get_args(FilterScope))
                for problem in pattern_problems(filter_policy):
                    check.problems.append(Problem(f"{self}: filter_policy: {problem}", here(), "filter_policy"))
            subscription.FilterPolicy = dict(filter_policy)
            subscription.FilterPolicyScope = filter_scope
        return subscription

    def for_publishing(self) -> Binding:
        """Return what a caller needs to publish: rights and ``<NAME>_TOPIC_ARN``."""
        return Binding(
            self.name,
            f"publishing to {self}",
            (Grant(_PUBLISH, (self.arn,)), self.key.for_encrypting()),
            {"TOPIC_ARN": self.arn},
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that messages do not arrive."""
        dimensions = {"TopicName": self.topic_name}
        return (
            Watch(
                "failed-deliveries", f"Failed deliveries of {self}", "AWS/SNS", "NumberOfNotificationsFailed",
                dimensions, "Sum", 1,
            ),
            Watch(
                "lost-deliveries", f"Deliveries of {self} that no dead-letter queue took", "AWS/SNS",
                "NumberOfNotificationsFailedToRedriveToDlq", dimensions, "Sum", 1,
            ),
            *self._failures.watches(),
        )  # fmt: skip

    def start_grants(self) -> Sequence[Grant]:
        """Return the rights a role needs to publish."""
        return self.for_publishing().grants

    def admit(self, service: str, source: Value, *, label: str = "") -> bool:  # noqa: ARG002  (one policy, one label)
        """Let AWS service ``service`` publish on behalf of the resource ``source``; see ``Target``.

        Raises:
            WiringError: the topic is FIFO, which no AWS service can publish to.
        """
        if self.fifo:
            raise WiringError(
                f"{self}: {service} cannot publish to a FIFO topic; use a standard topic, or a FIFO queue instead"
            )
        self.key.serve(service)
        if service == "events":
            # EventBridge names neither its rule nor its account when it publishes: a condition would never match.
            self._policy.allow_unconditionally(service, _PUBLISH, self.arn)
        else:
            self._policy.allow(service, _PUBLISH, self.arn, source)
        return True

    def dead_letters_for(self, service: str, source: Value) -> Value:
        """Return the ARN of the queue where ``service`` may keep what it could not deliver."""
        return self._failures.admit(service, source)


def _allow_tracing(app: App, region: str | None) -> None:
    """Let SNS write traces of the app's topics; X-Ray has one place for that in a region, not one per topic."""

    def make() -> xray.ResourcePolicy:
        statement = {
            "Effect": "Allow",
            "Principal": service_principal("sns"),
            "Action": _TRACE,
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
                "StringLike": {
                    "aws:SourceArn": "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:"
                    f"{app.name}-{app.environment}-*"
                },
            },
        }
        document = json.dumps({"Version": VERSION, "Statement": [statement]}, sort_keys=True)
        return app.stack(in_region("foundation", region), region=region).add(
            xray.ResourcePolicy(
                logical_id(in_region("topic-tracing", region), "Policy"),
                PolicyDocument=Sub(document),
                PolicyName=f"{app.name}-{app.environment}-topics",
            )
        )

    app.once(in_region("topic-tracing", region), make)


def _words(text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", text))
