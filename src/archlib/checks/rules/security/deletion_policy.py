"""W9201: what happens to data when its resource goes is written down."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Resource, resources

_STATEFUL = (
    "AWS::Backup::BackupVault",
    "AWS::Cognito::UserPool",
    "AWS::DocDB::DBCluster",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::FSx::FileSystem",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::MemoryDB::Cluster",
    "AWS::Neptune::DBCluster",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
)
_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")


class DeletionPolicy(Rule):
    """A resource that holds data does not say both what its deletion and what its replacement does to them."""

    id = "W9201"
    shortdesc = "Resources with data have a DeletionPolicy and an UpdateReplacePolicy"
    description = "Set both, to Retain or Snapshot; to Delete in environments that are thrown away."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html"

    def find(self, cfn: Template) -> Found:
        """Yield each resource that misses one; not where cfn-lint's W3011 says so already."""
        for resource in resources(cfn, *_STATEFUL).values():
            body = cfn.template["Resources"][resource.name]
            given = {key: body[key] for key in _POLICIES if key in body}
            known_to_cfn_lint = len(given) == 1 and "Delete" not in given.values()
            if len(given) < len(_POLICIES) and not known_to_cfn_lint and not _copies(resource):
                missing = " and ".join(key for key in _POLICIES if key not in given)
                yield resource.path(), f"{resource.name} holds data but does not set {missing}; set Retain or Snapshot"


def _copies(resource: Resource) -> bool:
    """Whether the data are another resource's: those of an Aurora cluster, or of the source of a replica."""
    return resource.type == "AWS::RDS::DBInstance" and any(
        key in resource.properties
        for key in ("DBClusterIdentifier", "SourceDBClusterIdentifier", "SourceDBInstanceIdentifier")
    )
