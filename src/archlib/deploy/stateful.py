"""What holds data, what gives rights, what opens networks: the changes that need a second look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from archlib.deploy.models import ResourceChange

_DATA = frozenset(
    f"AWS::{name}"
    for name in (
        "Backup::BackupVault",
        "Cognito::UserPool",
        "DAX::Cluster",
        "DocDB::DBCluster",
        "DynamoDB::GlobalTable",
        "DynamoDB::Table",
        "EC2::Volume",
        "ECR::Repository",
        "EFS::FileSystem",
        "ElastiCache::ReplicationGroup",
        "ElastiCache::ServerlessCache",
        "FSx::FileSystem",
        "KMS::Key",
        "Kinesis::Stream",
        "Logs::LogGroup",
        "MSK::Cluster",
        "Neptune::DBCluster",
        "OpenSearchService::Domain",
        "RDS::DBCluster",
        "RDS::DBInstance",
        "Redshift::Cluster",
        "S3::Bucket",
        "SQS::Queue",
        "SSM::Parameter",
        "SecretsManager::Secret",
    )
)
_NETWORK = ("AWS::EC2::SecurityGroup", "AWS::EC2::NetworkAcl", "AWS::EC2::Route", "AWS::Lambda::Permission")
_EVERYBODY = ("0.0.0.0/0", "::/0")


def is_data(resource_type: str, resource: Any = None) -> bool:
    """Return whether a resource holds data: by its type, or because its template keeps it when it goes."""
    kept = isinstance(resource, Mapping) and resource.get("DeletionPolicy") in {
        "Retain",
        "RetainExceptOnCreate",
        "Snapshot",
    }
    return resource_type in _DATA or kept


def loses_data(change: ResourceChange, resources: Mapping[str, Any]) -> bool:
    """Return whether data is lost, or left behind, by ``change``.

    Args:
        change: what happens.
        resources: of the template that the stack has now.
    """
    return change.action in {"remove", "replace"} and is_data(change.type, resources.get(change.resource))


def widens(change: ResourceChange, resources: Mapping[str, Any]) -> str:
    """Return in what way ``change`` gives more rights or opens more ways, or nothing.

    Args:
        change: what happens.
        resources: of the template that the stack is to have.
    """
    if change.action == "remove":
        return ""
    if change.type.startswith("AWS::IAM::") or change.type.endswith(("Policy", "::Permission")):
        return f"rights: {change.resource} {change.action}"
    if change.type.startswith(_NETWORK):
        text = json.dumps(resources.get(change.resource, {}))
        everybody = " from or to everybody" if any(cidr in text for cidr in _EVERYBODY) else ""
        return f"network: {change.resource} {change.action}{everybody}"
    return ""
