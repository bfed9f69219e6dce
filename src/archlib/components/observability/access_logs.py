"""The one bucket per app that keeps the access logs of all others."""

from __future__ import annotations

from collections.abc import Sequence

from troposphere import Join, s3

from archlib.core.app import App
from archlib.core.component import Component
from archlib.core.naming import in_region
from archlib.core.stack import Stack
from archlib.core.suppression import suppress, withdraw
from archlib.core.values import ACCOUNT, Value, join
from archlib.wiring.policies import ResourcePolicy

_OLD_VERSION_DAYS = 7
_ABORT_UPLOADS_DAYS = 7


class AccessLogs(Component):
    """An S3 bucket for access logs, which S3 and load balancers can only deliver to a bucket with S3's own encryption.

    Creates ``<Name>Bucket`` and ``<Name>BucketPolicy``, which refuses callers without TLS and admits S3's log delivery.

    See https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        keep_days: days a log is kept, 1 or more; a year by default, as audits ask for.

    Attributes:
        resource: the ``AWS::S3::Bucket``.

    Raises:
        SettingsError: ``keep_days`` is out of range.
    """

    kind = "Bucket"

    def __init__(self, stack: Stack, name: str, *, keep_days: int = 365) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.that(keep_days >= 1, "keep_days", "1 or more", keep_days)
        self.resource = private_bucket(self.id(), s3.ServerSideEncryptionByDefault(SSEAlgorithm="AES256"))
        self.resource.LifecycleConfiguration = s3.LifecycleConfiguration(
            Rules=[housekeeping(_OLD_VERSION_DAYS), s3.LifecycleRule(ExpirationInDays=keep_days, Status="Enabled")]
        )
        suppress(
            self.resource,
            "log-bucket-sse-s3",
            "log-bucket-no-self-logging",
            "replication-not-required",
            "object-lock-not-required",
            "s3-no-event-notifications",
        )
        self.add(self.resource, stateful=True)
        self._lists_access = False
        self._policy = bucket_policy(self, self.arn)
        self.admit("logging.s3.amazonaws.com", ("s3:PutObject",))

    @classmethod
    def of(cls, app: App, *, stack: Stack | None = None, region: str | None = None) -> AccessLogs:
        """Return the bucket for all access logs of ``app``, made in ``stack`` (or ``foundation``) the first time.

        Args:
            app: the app.
            stack: where it goes, if it is made now.
            region: that of the stack whose resources write logs; logs stay in their region.
        """
        region = stack.region if stack else region
        name = in_region("access-logs", region)
        return app.once(name, lambda: cls(stack or app.stack(in_region("foundation", region), region=region), name))

    @property
    def arn(self) -> Value:
        """ARN of the bucket."""
        return self.attribute("Arn")

    @property
    def bucket_name(self) -> Value:
        """Name of the bucket in AWS."""
        return self.ref()

    @property
    def domain_name(self) -> Value:
        """Host name of the bucket, by which CloudFront knows it."""
        return self.attribute("DomainName")

    @property
    def policy(self) -> str:
        """Logical id of the policy, for resources that must wait until logs can be delivered."""
        return self.id("BucketPolicy")

    def admit(self, service: str, allowed: Sequence[str], *, prefix: str = "") -> None:
        """Let AWS service ``service`` perform the ``allowed`` actions on keys under ``prefix``, for this account."""
        self._policy.allow(service, allowed, join(self.arn, f"/{prefix}*"))

    def admit_load_balancer(self, prefix: str) -> None:
        """Let Elastic Load Balancing deliver the logs of load balancers of this account under ``prefix``."""
        where = join(self.arn, f"/{prefix}/AWSLogs/", ACCOUNT, "/*")
        # It does not say for which account it delivers: the account is in the path instead.
        self._policy.allow_unconditionally("logdelivery.elasticloadbalancing", ("s3:PutObject",), where)

    def admit_network_load_balancer(self, prefix: str) -> None:
        """Let the logs of network load balancers of this account be delivered under ``prefix``."""
        self._policy.allow("delivery.logs", ("s3:GetBucketAcl",), self.arn)
        self._policy.allow("delivery.logs", ("s3:PutObject",), join(self.arn, f"/{prefix}/AWSLogs/", ACCOUNT, "/*"))

    def admit_cloudfront(self) -> None:
        """Let CloudFront deliver logs, which it does by an access control list; no other kind of list is accepted."""
        if not self._lists_access:
            self._lists_access = True
            self.resource.OwnershipControls = s3.OwnershipControls(
                Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerPreferred")]
            )
            withdraw(self.resource, "guard-needs-legacy-acl")


def private_bucket(title: str, encryption: s3.ServerSideEncryptionByDefault) -> s3.Bucket:
    """Return a bucket that is versioned, encrypted, and closed to everyone but its own account."""
    bucket = s3.Bucket(
        title,
        BucketEncryption=s3.BucketEncryption(
            ServerSideEncryptionConfiguration=[
                s3.ServerSideEncryptionRule(BucketKeyEnabled=True, ServerSideEncryptionByDefault=encryption)
            ]
        ),
        OwnershipControls=s3.OwnershipControls(Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]),
        PublicAccessBlockConfiguration=s3.PublicAccessBlockConfiguration(
            BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True
        ),
        VersioningConfiguration=s3.VersioningConfiguration(Status="Enabled"),
    )
    suppress(bucket, "guard-needs-legacy-acl")
    return bucket


def bucket_policy(bucket: Component, arn: Value) -> ResourcePolicy:
    """Add the policy of ``bucket``, which refuses callers without TLS, and return it for more statements."""
    # AWS Control Tower's control S3.PR.8 knows the ARN of the objects only as this function.
    policy = ResourcePolicy("s3:*", [arn, Join("", [arn, "/*"])])
    resource = s3.BucketPolicy(f"{bucket.id()}Policy", Bucket=bucket.ref(), PolicyDocument=policy.document)
    suppress(resource, "guard-secure-transport-boolean")
    bucket.add(resource)
    return policy


def housekeeping(old_version_days: int) -> s3.LifecycleRule:
    """Return the rule that removes what nobody sees: old versions, lone delete markers and unfinished uploads."""
    return s3.LifecycleRule(
        Id="housekeeping",
        AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(DaysAfterInitiation=_ABORT_UPLOADS_DAYS),
        ExpiredObjectDeleteMarker=True,
        NoncurrentVersionExpiration=s3.NoncurrentVersionExpiration(NoncurrentDays=old_version_days),
        Status="Enabled",
    )
