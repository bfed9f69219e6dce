"""Plausible values for the intrinsic functions of a template, and the policy documents in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Template = dict[str, Any]

_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "111122223333",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "shop-prod",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:111122223333:stack/shop-prod/0a1b2c3d",
    "AWS::NotificationARNs": [],
}
_ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
_UUID = "0a1b2c3d-1111-2222-3333-444455556666"

# Service, and the part behind the account id. IAM, S3 and CloudFront have no region, S3 no account either.
_ARNS = {
    "AWS::ApiGateway::RestApi": ("apigateway", "/restapis/{}"),
    "AWS::ApiGatewayV2::Api": ("apigateway", "/apis/{}"),
    "AWS::AutoScaling::AutoScalingGroup": ("autoscaling", f"autoScalingGroup:{_UUID}:autoScalingGroupName/{{}}"),
    "AWS::Backup::BackupVault": ("backup", "backup-vault:{}"),
    "AWS::CertificateManager::Certificate": ("acm", f"certificate/{_UUID}"),
    "AWS::CloudFront::Distribution": ("cloudfront", "distribution/E1A2B3C4D5E6F7"),
    "AWS::CloudTrail::Trail": ("cloudtrail", "trail/{}"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "alarm:{}"),
    "AWS::CodeBuild::Project": ("codebuild", "project/{}"),
    "AWS::CodePipeline::Pipeline": ("codepipeline", "{}"),
    "AWS::Cognito::UserPool": ("cognito-idp", "userpool/us-east-1_aBcDeFgHi"),
    "AWS::DAX::Cluster": ("dax", "cache/{}"),
    "AWS::DynamoDB::GlobalTable": ("dynamodb", "table/{}"),
    "AWS::DynamoDB::Table": ("dynamodb", "table/{}"),
    "AWS::EC2::VPC": ("ec2", "vpc/vpc-0123456789abcdef0"),
    "AWS::ECR::Repository": ("ecr", "repository/{}"),
    "AWS::ECS::Cluster": ("ecs", "cluster/{}"),
    "AWS::ECS::Service": ("ecs", "service/cluster/{}"),
    "AWS::ECS::TaskDefinition": ("ecs", "task-definition/{}:1"),
    "AWS::EFS::AccessPoint": ("elasticfilesystem", "access-point/fsap-0123456789abcdef0"),
    "AWS::EFS::FileSystem": ("elasticfilesystem", "file-system/fs-0123456789abcdef0"),
    "AWS::ElastiCache::ReplicationGroup": ("elasticache", "replicationgroup:{}"),
    "AWS::ElastiCache::ServerlessCache": ("elasticache", "serverlesscache:{}"),
    "AWS::ElasticLoadBalancingV2::Listener": (
        "elasticloadbalancing",
        "listener/app/{}/0a1b2c3d4e5f6071/1a2b3c4d5e6f7081",
    ),
    "AWS::ElasticLoadBalancingV2::ListenerRule": (
        "elasticloadbalancing",
        "listener-rule/app/{}/0a1b2c3d4e5f6071/1a2b3c4d5e6f7081/2a3b4c5d6e7f8091",
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("elasticloadbalancing", "loadbalancer/app/{}/0a1b2c3d4e5f6071"),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("elasticloadbalancing", "targetgroup/{}/0a1b2c3d4e5f6071"),
    "AWS::Events::EventBus": ("events", "event-bus/{}"),
    "AWS::Events::Rule": ("events", "rule/{}"),
    "AWS::IAM::ManagedPolicy": ("iam", "policy/{}"),
    "AWS::IAM::Role": ("iam", "role/{}"),
    "AWS::KMS::Key": ("kms", f"key/{_UUID}"),
    "AWS::Kinesis::Stream": ("kinesis", "stream/{}"),
    "AWS::Kinesis::StreamConsumer": ("kinesis", "stream/stream/consumer/{}:1"),
    "AWS::KinesisFirehose::DeliveryStream": ("firehose", "deliverystream/{}"),
    "AWS::Lambda::Alias": ("lambda", "function:{}:live"),
    "AWS::Lambda::Function": ("lambda", "function:{}"),
    "AWS::Lambda::LayerVersion": ("lambda", "layer:{}:1"),
    "AWS::Lambda::Version": ("lambda", "function:{}:1"),
    "AWS::Logs::LogGroup": ("logs", "log-group:{}:*"),
    "AWS::OpenSearchService::Domain": ("es", "domain/{}"),
    "AWS::Pipes::Pipe": ("pipes", "pipe/{}"),
    "AWS::RDS::DBCluster": ("rds", "cluster:{}"),
    "AWS::RDS::DBInstance": ("rds", "db:{}"),
    "AWS::RDS::DBProxy": ("rds", "db-proxy:prx-0123456789abcdef0"),
    "AWS::S3::Bucket": ("s3", "{}"),
    "AWS::SNS::Topic": ("sns", "{}"),
    "AWS::SQS::Queue": ("sqs", "{}"),
    "AWS::SSM::Parameter": ("ssm", "parameter/{}"),
    "AWS::Scheduler::Schedule": ("scheduler", "schedule/default/{}"),
    "AWS::Scheduler::ScheduleGroup": ("scheduler", "schedule-group/{}"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "secret:{}-AbCdEf"),
    "AWS::StepFunctions::StateMachine": ("states", "stateMachine:{}"),
    "AWS::WAFv2::WebACL": ("wafv2", f"regional/webacl/{{}}/{_UUID}"),
}
_REF_IS_ARN = {
    "AWS::CertificateManager::Certificate",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::IAM::ManagedPolicy",
    "AWS::Kinesis::StreamConsumer",
    "AWS::Lambda::Alias",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Version",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
}
_IDS = {
    "VPC": "vpc-0123456789abcdef0",
    "Subnet": "subnet-0123456789abcdef0",
    "SecurityGroup": "sg-0123456789abcdef0",
    "Image": "ami-0123456789abcdef0",
    "HostedZone": "Z0123456789ABCDEFGHIJ",
    "Key": _UUID,
    "UserPool": "us-east-1_aBcDeFgHi",
    "FileSystem": "fs-0123456789abcdef0",
    "AccessPoint": "fsap-0123456789abcdef0",
}
_NOTHING = object()
_VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")


def arn(resource_type: str, name: str) -> str:
    """Return an ARN in the format of ``resource_type``."""
    known = _ARNS.get(resource_type)
    service, rest = known or (resource_type.split("::")[1].lower(), resource_type.split("::")[2].lower() + "/{}")
    region = "" if service in {"iam", "s3", "cloudfront"} else "us-east-1"
    account = "" if service == "s3" else "111122223333"
    return f"arn:aws:{service}:{region}:{account}:{rest.format(name.lower())}"


def outputs(templates: list[Template]) -> dict[str, tuple[Template, Any]]:
    """Return the outputs of the templates of one app by name; a link has the same name on both of its ends."""
    return {
        name: (template, output["Value"])
        for template in templates
        for name, output in template.get("Outputs", {}).items()
    }


def merged(templates: list[Template]) -> Template:
    """Return one template with the resources of all templates of one app.

    Raises:
        ValueError: two resources have the same logical id.
    """
    linked = outputs(templates)
    whole: Template = {"Mappings": {}, "Conditions": {}, "Resources": {}}
    for template in templates:
        resolver = Resolver(template, linked)
        if both := whole["Resources"].keys() & template["Resources"].keys():
            raise ValueError(f"templates of one app must have different logical ids, got {', '.join(both)} twice")
        for section, content in whole.items():
            content.update(resolver.links(template.get(section, {})))
    return whole


def documents(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every policy document in ``node``, also those written as JSON text."""
    if isinstance(node, str):
        if node.lstrip().startswith("{") and '"Statement"' in node:
            try:
                yield from documents(json.loads(node))
            except json.JSONDecodeError:
                return
    elif isinstance(node, list):
        for item in node:
            yield from documents(item)
    elif isinstance(node, dict):
        if _is_document(node):
            yield node
        else:
            for item in node.values():
                yield from documents(item)


def statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of ``document`` as a list."""
    return as_list(document["Statement"])


def as_list(value: Any) -> list[Any]:
    """Return ``value``, in a list unless it is one."""
    return value if isinstance(value, list) else [value]


def _is_document(node: Mapping[str, Any]) -> bool:
    return "Statement" in node and all(isinstance(item, dict) and "Effect" in item for item in statements(node))


class Resolver:
    """Puts plausible values where a template has intrinsic functions.

    Args:
        template: the template.
        linked: the outputs of all templates of its app; parameters and imports take their values from there.
    """

    def __init__(self, template: Template, linked: Mapping[str, tuple[Template, Any]]) -> None:
        self._template = template
        self._linked = linked
        self._resources: dict[str, Any] = template.get("Resources", {})
        self._parameters: dict[str, Any] = template.get("Parameters", {})

    def value(self, node: Any) -> Any:
        """Return ``node`` without intrinsic functions."""
        found = self._value(node)
        return None if found is _NOTHING else found

    def links(self, node: Any) -> Any:
        """Return ``node`` as it would be in one template with its whole app, deployed to a known account."""
        if isinstance(node, list):
            return [self.links(item) for item in node]
        if not isinstance(node, dict):
            return node
        match node:
            case {"Ref": str(name)} if name in self._parameters and name in self._linked:
                producer, value = self._linked[name]
                return Resolver(producer, self._linked).links(value)
            case {"Ref": str(name)} if self._is_known(name):
                return self._reference(name)
            case {"Fn::Sub": str(text)}:
                known = _VARIABLE.sub(lambda found: self._known(found[1], found[0]), text)
                return {"Fn::Sub": known} if "${" in known else known
            case {"Fn::ImportValue": _} | {"Fn::GetStackOutput": _}:
                return self.value(node)
        return {key: self.links(item) for key, item in node.items()}

    def _is_known(self, name: str) -> bool:
        return name in _PSEUDO or name in self._parameters

    def _known(self, name: str, otherwise: str) -> str:
        return str(self._reference(name)) if self._is_known(name) else otherwise

    def _value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [item for item in map(self._value, node) if item is not _NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument)
        resolved = {key: self._value(item) for key, item in node.items()}
        return {key: item for key, item in resolved.items() if item is not _NOTHING}

    def _call(self, function: str, argument: Any) -> Any:
        match function, argument:
            case "Ref", _:
                return self._reference(argument)
            case "Fn::GetAtt", str():
                return self._attribute(*argument.split(".", 1))
            case "Fn::GetAtt", [target, attribute]:
                return self._attribute(target, str(self.value(attribute)))
            case "Fn::Sub", str():
                return self._substitution(argument, {})
            case "Fn::Sub", [text, variables]:
                return self._substitution(text, variables)
            case "Fn::If", [_, chosen, other]:
                found = self._value(chosen)
                return self._value(other) if found is _NOTHING else found
        return self._computed(function, self.value(argument))

    def _computed(self, function: str, value: Any) -> Any:
        match function, value:
            case "Fn::Join", [separator, list(parts)]:
                return separator.join(map(str, parts))
            case "Fn::Split", [separator, text]:
                return str(text).split(separator)
            case "Fn::Select", [index, list(items)]:
                return items[min(int(index), len(items) - 1)]
            case "Fn::FindInMap", [name, *_]:
                return self._mapped(name)
            case "Fn::GetAZs", _:
                return _ZONES
            case "Fn::Cidr", [_, count, *_]:
                return [f"10.0.{number}.0/24" for number in range(int(count))]
            case "Fn::ToJsonString", _:
                return json.dumps(value)
            case "Fn::ImportValue", str():
                return self._link(value.rpartition(":")[2])
            case "Fn::GetStackOutput", {"OutputName": name}:
                return self._link(name)
        return value

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self._parameters:
            return self._parameter(name)
        resource_type = self._type(name)
        if resource_type in _REF_IS_ARN:
            return arn(resource_type, name)
        if resource_type == "AWS::SQS::Queue":
            return f"https://sqs.us-east-1.amazonaws.com/111122223333/{name.lower()}"
        return _IDS.get(resource_type.rpartition("::")[2], name.lower())

    def _attribute(self, name: str, attribute: str) -> str:
        resource_type = self._type(name)
        if attribute == "StreamArn":
            return arn(resource_type, name) + "/stream/2026-01-01"
        if attribute.endswith("SecretArn"):
            return arn("AWS::SecretsManager::Secret", name)
        if attribute.lower().endswith("arn"):
            return arn(resource_type, name)
        if attribute.endswith("Id"):
            return _IDS.get(resource_type.rpartition("::")[2], name.lower())
        return f"{name}-{attribute.replace('.', '-')}".lower()

    def _type(self, name: str) -> str:
        found: str = self._resources.get(name, {}).get("Type", "AWS::Unknown::Thing")
        return found if found.count("::") > 1 else "AWS::Custom::Resource"

    def _substitution(self, text: str, variables: Mapping[str, Any]) -> str:
        def replace(match: re.Match[str]) -> str:
            name, _, attribute = match[1].partition(".")
            if match[1] in variables:
                return str(self.value(variables[match[1]]))
            return str(self._attribute(name, attribute) if attribute else self._reference(name))

        return _VARIABLE.sub(replace, text).replace("${!", "${")

    def _mapped(self, name: str) -> Any:
        node = self._template.get("Mappings", {}).get(name, "mapped")
        while isinstance(node, dict):
            node = next(iter(node.values()))
        return node

    def _link(self, name: str) -> Any:
        if name not in self._linked:
            return _guess(name)
        producer, value = self._linked[name]
        return Resolver(producer, self._linked if producer is not self._template else {}).value(value)

    def _parameter(self, name: str) -> Any:
        declared = self._parameters[name]
        kind = declared.get("Type", "String")
        if declared.get("Default", "") != "" and not kind.startswith("AWS::SSM"):
            value = declared["Default"]
        elif name in self._linked:
            value = self._link(name)
        elif "AllowedValues" in declared:
            value = declared["AllowedValues"][0]
        else:
            value = "1" if kind == "Number" else _guess(name if kind == "String" else kind)
        is_list = kind == "CommaDelimitedList" or "List<" in kind
        return str(value).split(",") if is_list and not isinstance(value, list) else value


def _guess(name: str) -> str:
    """Return a value that fits a parameter by its name or type alone."""
    if name.endswith("Arn"):
        fitting = (kind for kind in _ARNS if kind.rpartition("::")[2] in name)
        return arn(max(fitting, key=len, default="AWS::S3::Bucket"), name)
    return next((value for word, value in _IDS.items() if word in name and "Id" in name), name.lower())
