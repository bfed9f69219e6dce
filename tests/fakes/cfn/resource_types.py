"""The little that the fake knows about resource types."""

from __future__ import annotations

from typing import Any

# The property that names the thing; without it CloudFormation makes a name up. A named thing can exist only once.
NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::SSM::Parameter": "Name",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::ECR::Repository": "RepositoryName",
}

# Properties besides the name that can only be set when the thing is made.
CREATE_ONLY = {
    "AWS::DynamoDB::Table": {"KeySchema"},
    "AWS::RDS::DBInstance": {"Engine", "MasterUsername", "DBSubnetGroupName", "StorageEncrypted", "KmsKeyId"},
    "AWS::SQS::Queue": {"FifoQueue"},
    "AWS::SNS::Topic": {"FifoTopic"},
    "AWS::Lambda::Function": {"PackageType"},
    "AWS::EC2::VPC": {"InstanceTenancy"},
    "AWS::EC2::Subnet": {"AvailabilityZone", "CidrBlock", "VpcId"},
    "AWS::EC2::SecurityGroup": {"GroupName", "GroupDescription", "VpcId"},
    "AWS::IAM::Role": {"Path"},
    "AWS::KMS::Key": {"KeySpec", "KeyUsage"},
    "AWS::ECS::Service": {"Cluster", "LaunchType"},
}

IAM_TYPES = (
    "AWS::IAM::AccessKey",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::IAM::UserToGroupAddition",
)

_IAM_NAMES = ("GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName")


def create_only(resource_type: str) -> set[str]:
    """Return the properties whose change replaces a resource of this type."""
    name = NAMES.get(resource_type)
    return CREATE_ONLY.get(resource_type, set()) | ({name} if name else set())


def required_capability(resource_type: str, properties: dict[str, Any]) -> str | None:
    """Return the capability that a resource needs."""
    if resource_type not in IAM_TYPES:
        return None
    return "CAPABILITY_NAMED_IAM" if any(name in properties for name in _IAM_NAMES) else "CAPABILITY_IAM"
