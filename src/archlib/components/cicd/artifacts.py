"""S3 buckets for what builds hand on."""

from __future__ import annotations

from awacs import s3 as actions
from troposphere import s3

from archlib.components.identity.key import Key
from archlib.components.observability.access_logs import AccessLogs, bucket_policy, housekeeping, private_bucket
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value, join
from archlib.wiring.binding import Binding, Grant

_OLD_VERSION_DAYS = 7
_DAYS = (1, 3650)
_OBJECTS = (actions.AbortMultipartUpload, actions.GetObject, actions.GetObjectVersion, actions.PutObject)
# CodePipeline and CodeBuild look at the bucket before they use it; without listing, a missing object looks forbidden.
_BUCKET = (actions.GetBucketAcl, actions.GetBucketLocation, actions.GetBucketVersioning, actions.ListBucket)
_KEY = (
    *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"),
    *("kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
)


def use_key(key: Key) -> Grant:
    """Return the rights on ``key`` that the roles of pipelines and build projects need for artifacts."""
    return Grant(_KEY, (key.arn,))


class ArtifactBucket(Component):
    """A private S3 bucket for what the steps of a pipeline hand on: encrypted, versioned, logged, and emptied by age.

    Creates ``<Name>ArtifactBucket`` and ``<Name>ArtifactBucketPolicy``, which refuses callers without TLS. The access
    logs go to ``AccessLogsBucket`` in the stack ``foundation``, under ``<name>-artifacts/``.

    See https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts.html#concepts-artifacts

    Args:
        stack: where the resources go.
        name: kebab-case.
        expire_days: days an artifact is kept, 1 to 3650; a stage can only be rolled back to artifacts that are there.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::S3::Bucket``.
        key: its :class:`Key`.

    Raises:
        SettingsError: ``expire_days`` is outside its range.
    """

    kind = "ArtifactBucket"

    def __init__(self, stack: Stack, name: str, *, expire_days: int = 90, key: Key | None = None) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.between("expire_days", expire_days, *_DAYS)
        self.key = key or Key.of(stack)
        logs = AccessLogs.of(stack.app, region=stack.region)
        self.resource = private_bucket(
            self.id(), s3.ServerSideEncryptionByDefault(KMSMasterKeyID=self.key.arn, SSEAlgorithm="aws:kms")
        )
        self.resource.DependsOn = logs.policy
        self.resource.LoggingConfiguration = s3.LoggingConfiguration(
            DestinationBucketName=logs.bucket_name, LogFilePrefix=f"{name}-artifacts/"
        )
        self.resource.LifecycleConfiguration = s3.LifecycleConfiguration(
            Rules=[
                housekeeping(_OLD_VERSION_DAYS),
                s3.LifecycleRule(Id="expiry", ExpirationInDays=expire_days, Status="Enabled"),
            ]
        )
        suppress(self.resource, "replication-not-required", "object-lock-not-required", "s3-no-event-notifications")
        self.add(self.resource, stateful=True)
        bucket_policy(self, self.arn)

    @property
    def arn(self) -> Value:
        """ARN of the bucket."""
        return self.attribute("Arn")

    @property
    def bucket_name(self) -> Value:
        """Name of the bucket in AWS."""
        return self.ref()

    def for_reading_and_writing(self, prefix: str = "") -> Binding:
        """Return what the role of a pipeline or a build project needs to fetch and hand on artifacts.

        Args:
            prefix: start of the keys it is for, such as ``cache/``; all by default.
        """
        with self.checking() as check:
            check.that(
                not prefix.startswith("/") and not set("*?$") & set(prefix),
                "prefix", "the start of a key, without a leading '/' and without '*', '?' or '$'", prefix,
            )  # fmt: skip
        grants = (
            Grant(_OBJECTS, (join(self.arn, f"/{prefix}*"),)),
            Grant(_BUCKET, (self.arn,)),
            use_key(self.key),
        )
        where = f" under {prefix!r}" if prefix else ""
        return Binding(self.name, f"handing on artifacts in {self}{where}", grants, {"BUCKET": self.bucket_name})
