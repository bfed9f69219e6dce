"""W9135: alarms name their resource the way CloudWatch does."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import named, resources, target

# dimension: the type it is about, and what gives its value; "" is Ref
_DIMENSIONS = {
    "ClusterName": ("AWS::ECS::Cluster", ("",)),
    "DeliveryStreamName": ("AWS::KinesisFirehose::DeliveryStream", ("",)),
    "FunctionName": ("AWS::Lambda::Function", ("",)),
    "LoadBalancer": ("AWS::ElasticLoadBalancingV2::LoadBalancer", ("LoadBalancerFullName",)),
    "QueueName": ("AWS::SQS::Queue", ("QueueName",)),
    "ServiceName": ("AWS::ECS::Service", ("Name",)),
    "StateMachineArn": ("AWS::StepFunctions::StateMachine", ("", "Arn")),
    "StreamName": ("AWS::Kinesis::Stream", ("",)),
    "TableName": ("AWS::DynamoDB::Table", ("",)),
    "TargetGroup": ("AWS::ElasticLoadBalancingV2::TargetGroup", ("TargetGroupFullName",)),
    "TopicName": ("AWS::SNS::Topic", ("TopicName",)),
}


class AlarmDimension(Rule):
    """A dimension of an alarm has a URL or ARN where CloudWatch has a name, so the alarm never fires."""

    id = "W9135"
    shortdesc = "Dimensions of alarms have the value CloudWatch uses"
    description = "Use the attribute that gives the value of this dimension, for example QueueName of a queue."
    source_url = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Dimension"

    def find(self, cfn: Template) -> Found:
        """Yield each dimension with another kind of value."""
        known = resources(cfn, *(kind for kind, _ in _DIMENSIONS.values()))
        for alarm in resources(cfn, "AWS::CloudWatch::Alarm").values():
            places = (
                *alarm.find("Dimensions", "*"),
                *alarm.find("Metrics", "*", "MetricStat", "Metric", "Dimensions", "*"),
            )
            for path, dimension in places:
                name, value = (
                    (dimension.get("Name"), dimension.get("Value")) if isinstance(dimension, dict) else ("", "")
                )
                kind, right = _DIMENSIONS.get(name, ("", ())) if isinstance(name, str) else ("", ())
                resource = named(value, known)
                attribute = (target(value) or ("", ""))[1]
                if resource and resource.type == kind and attribute not in right:
                    want = f"Fn::GetAtt {resource.name}.{right[0]}" if right[0] else f"Ref {resource.name}"
                    yield (*path, "Value"), f"{attribute or 'Ref'} of {resource.name} is not its {name}; use {want}"
