"""E9130: an ARN is given where one is needed, and a name or URL where that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.policies import identity_statements
from archlib.checks.rules.read import Place, Resource, each, find, named, resources, target

# what is not an ARN, by type; "" is what Ref returns
_NOT_ARN = {
    "AWS::DynamoDB::GlobalTable": {"", "TableId"},
    "AWS::DynamoDB::Table": {""},
    "AWS::ECS::Cluster": {""},
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {"DNSName", "LoadBalancerFullName", "LoadBalancerName"},
    "AWS::ElasticLoadBalancingV2::TargetGroup": {"TargetGroupFullName", "TargetGroupName"},
    "AWS::IAM::Role": {"", "RoleId"},
    "AWS::KMS::Key": {"", "KeyId"},
    "AWS::Kinesis::Stream": {""},
    "AWS::KinesisFirehose::DeliveryStream": {""},
    "AWS::Lambda::Function": {""},
    "AWS::Logs::LogGroup": {""},
    "AWS::S3::Bucket": {"", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"},
    "AWS::SNS::Topic": {"TopicName"},
    "AWS::SQS::Queue": {"", "QueueName", "QueueUrl"},
    "AWS::StepFunctions::StateMachine": {"Name"},
}
# cfn-lint looks at the other properties itself
_NEEDS_ARN = {
    "AWS::CloudWatch::Alarm": ("AlarmActions.*", "OKActions.*", "InsufficientDataActions.*"),
    "AWS::ECS::Service": ("LoadBalancers.*.TargetGroupArn",),
    "AWS::Events::Rule": ("Targets.*.Arn", "Targets.*.DeadLetterConfig.Arn"),
    "AWS::IAM::Role": ("ManagedPolicyArns.*", "PermissionsBoundary"),
    "AWS::Lambda::EventInvokeConfig": (
        "DestinationConfig.OnFailure.Destination",
        "DestinationConfig.OnSuccess.Destination",
    ),
    "AWS::Lambda::EventSourceMapping": ("DestinationConfig.OnFailure.Destination", "EventSourceArn"),
    "AWS::Lambda::Function": ("DeadLetterConfig.TargetArn", "Role"),
    "AWS::Lambda::Permission": ("SourceArn",),
    "AWS::Logs::SubscriptionFilter": ("DestinationArn",),
    "AWS::Pipes::Pipe": ("Source", "Target"),
    "AWS::S3::Bucket": (
        "NotificationConfiguration.LambdaConfigurations.*.Function",
        "NotificationConfiguration.QueueConfigurations.*.Queue",
        "NotificationConfiguration.TopicConfigurations.*.Topic",
        "ReplicationConfiguration.Role",
    ),
    "AWS::SNS::TopicPolicy": ("Topics.*",),
    "AWS::SQS::Queue": ("RedrivePolicy.deadLetterTargetArn",),
    "AWS::Scheduler::Schedule": ("Target.Arn", "Target.DeadLetterConfig.Arn"),
}
_NEEDS_REF = {
    "AWS::IAM::InstanceProfile": ("Roles.*",),
    "AWS::IAM::ManagedPolicy": ("Roles.*",),
    "AWS::IAM::Policy": ("Roles.*",),
    "AWS::IAM::RolePolicy": ("RoleName",),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SQS::QueuePolicy": ("Queues.*",),
}


class ReferenceKind(Rule):
    """A reference gives a name, id or URL where an ARN is needed, or the reverse."""

    id = "E9130"
    shortdesc = "References give the kind of value that is needed"
    description = "Use Fn::GetAtt with the ARN attribute where an ARN is needed, Ref where the name or URL is."
    source_url = (
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-getatt.html"
    )

    def find(self, cfn: Template) -> Found:
        """Yield each reference of the wrong kind."""
        known = resources(cfn)
        for path, value in (*_places(known, _NEEDS_ARN), *_policy_resources(cfn)):
            given = named(value, known)
            attribute = (target(value) or ("", ""))[1]
            if given and attribute in _NOT_ARN.get(given.type, ()):
                message = f"an ARN is needed, {attribute or 'Ref'} of {given.name} is none; use Fn::GetAtt with its ARN"
                yield path, message
        for path, value in _places(known, _NEEDS_REF):
            name, attribute = target(value) or ("", "")
            if name in known and attribute.endswith("Arn"):
                yield path, f"{attribute} of {name} is an ARN, which is not accepted here; use Ref"


def _places(known: dict[str, Resource], table: Mapping[str, tuple[str, ...]]) -> Iterator[Place]:
    for resource in known.values():
        for keys in table.get(resource.type, ()):
            yield from resource.find(*keys.split("."))


def _policy_resources(cfn: Template) -> Iterator[Place]:
    for path, statement in identity_statements(cfn):
        for at, value in find(statement, path, "Resource"):
            yield from each(value, at)
