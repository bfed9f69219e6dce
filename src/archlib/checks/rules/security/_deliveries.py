"""Who delivers to which function, queue and topic of a template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.read import Path, Resource, complete, resources
from archlib.checks.rules.security._values import entries, mentions, text

FUNCTION, QUEUE, TOPIC = "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::SNS::Topic"
_QUALIFIED = ("AWS::Lambda::Alias", "AWS::Lambda::Version")


@dataclass(frozen=True, slots=True)
class Delivery:
    """An AWS service that writes to, or invokes, a resource of the template on behalf of another one."""

    service: str
    source: str
    path: Path
    value: Any
    target: Resource


@dataclass(frozen=True, slots=True)
class _Edge:
    """Where a type names what its service delivers to."""

    type: str
    parents: tuple[str, ...]
    key: str
    """``*`` for each key."""
    service: str
    unless: str = ""
    """Key beside it: with this, the service delivers with a role and needs no permission of the target."""


_EDGES = (
    _Edge("AWS::ApiGateway::Authorizer", (), "AuthorizerUri", "apigateway", unless="AuthorizerCredentials"),
    _Edge("AWS::ApiGateway::Method", ("Integration",), "Uri", "apigateway", unless="Credentials"),
    _Edge("AWS::ApiGatewayV2::Authorizer", (), "AuthorizerUri", "apigateway", unless="AuthorizerCredentialsArn"),
    _Edge("AWS::ApiGatewayV2::Integration", (), "IntegrationUri", "apigateway", unless="CredentialsArn"),
    _Edge("AWS::CloudWatch::Alarm", (), "AlarmActions", "cloudwatch"),
    _Edge("AWS::CloudWatch::Alarm", (), "OKActions", "cloudwatch"),
    _Edge("AWS::CloudWatch::CompositeAlarm", (), "AlarmActions", "cloudwatch"),
    _Edge("AWS::Cognito::UserPool", ("LambdaConfig",), "*", "cognito-idp"),
    _Edge("AWS::ElasticLoadBalancingV2::TargetGroup", ("Targets", "*"), "Id", "elasticloadbalancing"),
    _Edge("AWS::Events::Rule", ("Targets", "*"), "Arn", "events", unless="RoleArn"),
    _Edge("AWS::Events::Rule", ("Targets", "*", "DeadLetterConfig"), "Arn", "events"),
    _Edge("AWS::Logs::SubscriptionFilter", (), "DestinationArn", "logs", unless="RoleArn"),
    _Edge("AWS::S3::Bucket", ("NotificationConfiguration", "LambdaConfigurations", "*"), "Function", "s3"),
    _Edge("AWS::S3::Bucket", ("NotificationConfiguration", "QueueConfigurations", "*"), "Queue", "s3"),
    _Edge("AWS::S3::Bucket", ("NotificationConfiguration", "TopicConfigurations", "*"), "Topic", "s3"),
    _Edge("AWS::SNS::Subscription", (), "Endpoint", "sns"),
    _Edge("AWS::SNS::Subscription", ("RedrivePolicy",), "deadLetterTargetArn", "sns"),
    _Edge("AWS::SNS::Topic", ("Subscription", "*"), "Endpoint", "sns"),
    _Edge("AWS::SecretsManager::RotationSchedule", (), "RotationLambdaARN", "secretsmanager"),
)


def deliveries(cfn: Template, *kinds: str) -> Iterator[Delivery]:
    """Yield what is delivered to the resources of types ``kinds``; nothing where macros may add to the template."""
    if not complete(cfn):
        return
    targets = resources(cfn, *kinds)
    roots = aliases(cfn) if FUNCTION in kinds else {}
    for edge in _EDGES:
        for resource in resources(cfn, edge.type).values():
            for path, parent in resource.find(*edge.parents):
                if not isinstance(parent, dict) or (edge.unless and edge.unless in parent):
                    continue
                for key in parent if edge.key == "*" else (edge.key,):
                    for at, value in entries(parent.get(key), (*path, key)):
                        for name in sorted({roots.get(name, name) for name in mentions(value)} & targets.keys()):
                            yield Delivery(edge.service, resource.name, at, value, targets[name])


def aliases(cfn: Template) -> dict[str, str]:
    """Return the function that each alias and version in the template leads to."""
    return {
        resource.name: name
        for resource in resources(cfn, *_QUALIFIED).values()
        for name in mentions(resource.get("FunctionName"))
    }


def is_qualified(value: Any, roots: dict[str, str]) -> bool:
    """Whether ``value`` means an alias or a version of a function, which have permissions of their own."""
    return bool(mentions(value) & roots.keys()) or bool(re.search(r"\$\{[\w.]+\}:[\w$]+(?:/|$)", text(value)))
