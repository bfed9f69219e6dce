"""A second copy of a bucket's objects, in a bucket that exists already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from troposphere import s3

from archlib.components.identity.role import Role
from archlib.core.values import Value, join
from archlib.wiring.binding import Grant

if TYPE_CHECKING:
    from archlib.components.storage.bucket import Bucket

_READ = (
    *("s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectVersionAcl"),
    *("s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"),
)
_WRITE = ("s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags")


@dataclass(frozen=True, slots=True)
class Replication:
    """Where new objects are copied to, usually in another region; it doubles the price of storage.

    Attributes:
        bucket_arn: ARN of the destination, a versioned bucket of this account.
        key_arn: ARN of the KMS key, in the destination's region, that encrypts the copies.
    """

    bucket_arn: Value
    key_arn: Value

    def start(self, bucket: Bucket) -> s3.ReplicationConfiguration:
        """Make the role that copies, ``<Name>ReplicationRole``, and return the configuration of ``bucket``."""
        role = Role(bucket.stack, f"{bucket.name}-replication", service="s3")
        for actions, resource in (
            (("s3:GetReplicationConfiguration", "s3:ListBucket"), bucket.arn),
            (_READ, join(bucket.arn, "/*")),
            (_WRITE, join(self.bucket_arn, "/*")),
            (("kms:Encrypt", "kms:GenerateDataKey"), self.key_arn),
        ):
            role.allow(Grant(actions, (resource,)), why=f"replicating {bucket}")
        role.allow(bucket.key.for_decrypting(), why=f"replicating {bucket}")
        return s3.ReplicationConfiguration(
            Role=role.arn,
            Rules=[
                s3.ReplicationConfigurationRules(
                    DeleteMarkerReplication=s3.DeleteMarkerReplication(Status="Enabled"),
                    Destination=s3.ReplicationConfigurationRulesDestination(
                        Bucket=self.bucket_arn,
                        EncryptionConfiguration=s3.EncryptionConfiguration(ReplicaKmsKeyID=self.key_arn),
                    ),
                    Filter=s3.ReplicationRuleFilter(Prefix=""),
                    Id="everything",
                    Priority=1,
                    SourceSelectionCriteria=s3.SourceSelectionCriteria(
                        SseKmsEncryptedObjects=s3.SseKmsEncryptedObjects(Status="Enabled")
                    ),
                    Status="Enabled",
                )
            ],
        )
