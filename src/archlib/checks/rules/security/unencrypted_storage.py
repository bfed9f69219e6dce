"""W9213: storage is encrypted."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Resource, resources
from archlib.checks.rules.security._values import is_false

_SWITCHES = {
    "AWS::DocDB::DBCluster": ("StorageEncrypted",),
    "AWS::EC2::Instance": ("BlockDeviceMappings", "*", "Ebs", "Encrypted"),
    "AWS::EC2::LaunchTemplate": ("LaunchTemplateData", "BlockDeviceMappings", "*", "Ebs", "Encrypted"),
    "AWS::EC2::Volume": ("Encrypted",),
    "AWS::EFS::FileSystem": ("Encrypted",),
    "AWS::Neptune::DBCluster": ("StorageEncrypted",),
    "AWS::RDS::DBCluster": ("StorageEncrypted",),
    "AWS::RDS::DBInstance": ("StorageEncrypted",),
    "AWS::Redshift::Cluster": ("Encrypted",),
}
# Unencrypted when nothing is said. Volumes follow a setting of the account, and warehouses are encrypted by now.
_OFF_BY_DEFAULT = (
    "AWS::DocDB::DBCluster",
    "AWS::EFS::FileSystem",
    "AWS::Neptune::DBCluster",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
)
_INHERIT = (
    "DBClusterIdentifier",
    "DBClusterSnapshotIdentifier",
    "DBSnapshotIdentifier",
    "GlobalClusterIdentifier",
    "KmsKeyId",
    "ReplicationSourceIdentifier",
    "SnapshotIdentifier",
    "SourceDBClusterIdentifier",
    "SourceDBInstanceAutomatedBackupsArn",
    "SourceDBInstanceIdentifier",
    "SourceDbiResourceId",
)


class UnencryptedStorage(Rule):
    """A database, file system or volume is written to disk as it is."""

    id = "W9213"
    shortdesc = "Storage is encrypted"
    description = "Switch encryption on now; later it takes a new resource and a copy of the data."
    source_url = "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.html"

    def find(self, cfn: Template) -> Found:
        """Yield each one."""
        for resource in resources(cfn, *_SWITCHES).values():
            keys = _SWITCHES[resource.type]
            message = f"{resource.name} is stored unencrypted; set {keys[-1]} to true"
            if _is_off_by_default(resource, keys[0]):
                yield resource.path(), message
            for path, value in resource.find(*keys):
                if is_false(value):
                    yield path, message


def _is_off_by_default(resource: Resource, key: str) -> bool:
    return resource.type in _OFF_BY_DEFAULT and not any(name in resource.properties for name in (key, *_INHERIT))
