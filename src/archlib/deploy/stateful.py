"""What holds data, what gives rights, what opens networks: the changes that need a second look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from archlib.deploy.models import ResourceChange

_DATA = frozenset(
    f"AWS::{name}"
    for name in (
        "APS::Workspace",
        "AmazonMQ::Broker",
        "Backup::BackupVault",
        "Backup::LogicallyAirGappedBackupVault",
        "Cassandra::Keyspace",
        "Cassandra::Table",
        "CloudFormation::Stack",  # what is in it goes with it
        "CloudTrail::EventDataStore",
        "CodeArtifact::Domain",
        "CodeArtifact::Repository",
        "CodeCommit::Repository",
        "Cognito::IdentityPool",
        "Cognito::UserPool",
        "CustomerProfiles::Domain",
        "DAX::Cluster",
        "DSQL::Cluster",
        "DirectoryService::MicrosoftAD",
        "DirectoryService::SimpleAD",
        "DocDB::DBCluster",
        "DocDBElastic::Cluster",
        "DynamoDB::GlobalTable",
        "DynamoDB::Table",
        "EC2::Instance",
        "EC2::Volume",
        "ECR::PublicRepository",
        "ECR::Repository",
        "EFS::FileSystem",
        "ElastiCache::CacheCluster",
        "ElastiCache::ReplicationGroup",
        "ElastiCache::ServerlessCache",
        "Elasticsearch::Domain",
        "Events::Archive",
        "FSx::FileSystem",
        "FSx::Volume",
        "HealthLake::FHIRDatastore",
        "KMS::Key",
        "KMS::ReplicaKey",
        "Kendra::Index",
        "Kinesis::Stream",
        "KinesisVideo::Stream",
        "Lightsail::Bucket",
        "Lightsail::Database",
        "Lightsail::Disk",
        "Lightsail::Instance",
        "Logs::LogGroup",
        "MSK::Cluster",
        "MSK::ServerlessCluster",
        "MemoryDB::Cluster",
        "MemoryDB::MultiRegionCluster",
        "Neptune::DBCluster",
        "NeptuneGraph::Graph",
        "Omics::ReferenceStore",
        "Omics::SequenceStore",
        "OpenSearchServerless::Collection",
        "OpenSearchServerless::Index",
        "OpenSearchService::Domain",
        "Pinpoint::App",
        "QLDB::Ledger",
        "RDS::DBCluster",
        "RDS::DBInstance",
        "RDS::GlobalCluster",
        "Redshift::Cluster",
        "RedshiftServerless::Namespace",
        "Route53::HostedZone",
        "S3::Bucket",
        "S3Express::DirectoryBucket",
        "S3Files::FileSystem",
        "S3Outposts::Bucket",
        "S3Tables::Namespace",
        "S3Tables::Table",
        "S3Tables::TableBucket",
        "S3Vectors::Index",
        "S3Vectors::VectorBucket",
        "SDB::Domain",
        "SQS::Queue",
        "SSM::Parameter",
        "SageMaker::Domain",
        "SageMaker::FeatureGroup",
        "SageMaker::NotebookInstance",
        "SecretsManager::Secret",
        "Timestream::Database",
        "Timestream::InfluxDBCluster",
        "Timestream::InfluxDBInstance",
        "Timestream::Table",
        "WorkSpaces::Workspace",
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
    if change.action not in {"remove", "replace"}:
        return False
    # What is nested is not in the template: there, only the change tells what becomes of the old thing.
    kept = "/" in change.resource and change.policy.endswith(("Retain", "Snapshot"))
    return kept or is_data(change.type, resources.get(change.resource))


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
