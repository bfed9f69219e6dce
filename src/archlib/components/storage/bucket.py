"""S3 buckets: private, encrypted, versioned, logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from awacs import s3 as actions
from troposphere import s3

from archlib.components.identity.key import Key
from archlib.components.observability.access_logs import AccessLogs, bucket_policy, housekeeping, private_bucket
from archlib.components.storage.lifecycle import Lifecycle
from archlib.components.storage.replication import Replication
from archlib.core.component import Check, Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value, arn, join
from archlib.errors import WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.permissions import action_name

Method = Literal["GET", "HEAD", "PUT", "POST", "DELETE"]
ObjectEvent = Literal["created", "removed", "restored", "moved", "tagged", "untagged"]

_EVENTS = {
    "created": "Object Created",
    "removed": "Object Deleted",
    "restored": "Object Restore Completed",
    "moved": "Object Storage Class Changed",
    "tagged": "Object Tags Added",
    "untagged": "Object Tags Deleted",
}
_WRITE = (actions.AbortMultipartUpload, actions.ListMultipartUploadParts, actions.PutObject)
_LOCK_DAYS_MAX = 36_500
_CORS_AGE_MAX = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cors:
    """Which web pages may use the bucket from a browser.

    Attributes:
        origins: scheme and host of the pages, such as ``https://shop.example.com``, or ``http://localhost:8000`` while
            developing; never a wildcard.
        methods: what they may do.
        headers: request headers they may send, such as ``Content-Type``.
        exposed_headers: response headers they may read, such as ``ETag``.
        max_age: how long a browser may remember this, up to a day.
    """

    origins: Sequence[Value]
    methods: Sequence[Method] = ("GET", "HEAD")
    headers: Sequence[str] = ()
    exposed_headers: Sequence[str] = ()
    max_age: timedelta = timedelta(hours=1)

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.that(bool(self.origins), f"{field}.origins", "at least one origin", self.origins)
        for origin in self.origins:
            check.that(
                not isinstance(origin, str)
                or (origin.startswith(("https://", "http://localhost")) and "*" not in origin),
                f"{field}.origins", "origins such as https://shop.example.com without '*'", origin,
            )  # fmt: skip
        for method in self.methods:
            check.one_of(f"{field}.methods", method, get_args(Method))
        check.between(f"{field}.max_age", self.max_age, timedelta(0), _CORS_AGE_MAX)

    def rule(self) -> s3.CorsRules:
        """Return it as CloudFormation has it."""
        rule = s3.CorsRules(
            AllowedMethods=list(self.methods), AllowedOrigins=list(self.origins), MaxAge=seconds(self.max_age)
        )
        if self.headers:
            rule.AllowedHeaders = list(self.headers)
        if self.exposed_headers:
            rule.ExposedHeaders = list(self.exposed_headers)
        return rule


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """How long nobody can change or delete a new object; it can be set only when the bucket is made.

    Attributes:
        days: days an object is locked, 1 to 36,500.
        mode: ``GOVERNANCE`` leaves a way out to people with a special permission, ``COMPLIANCE`` to nobody.
    """

    days: int
    mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"


class Bucket(Component):
    """A private S3 bucket: encrypted, versioned, with access logs, and closed to callers without TLS.

    Creates ``<Name>Bucket`` and ``<Name>BucketPolicy``; with ``replication`` also ``<Name>ReplicationRole`` and
    ``<Name>ReplicationPolicy``. The access logs go to ``AccessLogsBucket`` in the stack ``foundation``, under the
    bucket's name. It is never a website: put a content delivery network in front of it.

    See https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        lifecycle: when objects move to cheaper storage, and when they go; they stay for ever by default.
        tiering: let Intelligent-Tiering move objects that nobody reads to cheaper storage, and back.
        old_version_days: days a replaced or deleted object can still be restored, 1 or more.
        events: tell EventBridge about every object, for rules.
        cors: which web pages may use the bucket from a browser.
        replication: a second copy of every new object; none by default, since it doubles the price.
        lock: for records that must not change; none by default.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::S3::Bucket``.

    Raises:
        SettingsError: a setting is outside its range, or an origin is not named.
    """

    kind = "Bucket"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        lifecycle: Sequence[Lifecycle] = (),
        tiering: bool = False,
        old_version_days: int = 30,
        events: bool = False,
        cors: Sequence[Cors] = (),
        replication: Replication | None = None,
        lock: ObjectLock | None = None,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.that(old_version_days >= 1, "old_version_days", "1 or more", old_version_days)
            for number, rule in enumerate(lifecycle):
                rule.check(check, f"lifecycle[{number}]")
            for number, pages in enumerate(cors):
                pages.check(check, f"cors[{number}]")
            if lock is not None:
                check.between("lock.days", lock.days, 1, _LOCK_DAYS_MAX)
                check.one_of("lock.mode", lock.mode, ("GOVERNANCE", "COMPLIANCE"))
        self.key = key or Key.of(stack)
        self.events = events

        logs = AccessLogs.of(stack.app, region=stack.region)
        self.resource = private_bucket(
            self.id(), s3.ServerSideEncryptionByDefault(KMSMasterKeyID=self.key.arn, SSEAlgorithm="aws:kms")
        )
        self.resource.DependsOn = logs.policy
        self.resource.LoggingConfiguration = s3.LoggingConfiguration(
            DestinationBucketName=logs.bucket_name, LogFilePrefix=f"{name}/"
        )
        if tiering:
            lifecycle = (Lifecycle(move_days={"INTELLIGENT_TIERING": 0}), *lifecycle)
        self.resource.LifecycleConfiguration = s3.LifecycleConfiguration(
            Rules=[housekeeping(old_version_days), *(rule.rule() for rule in lifecycle)]
        )
        if cors:
            self.resource.CorsConfiguration = s3.CorsConfiguration(CorsRules=[pages.rule() for pages in cors])
        self._announce(events=events)
        self._lock(lock)
        self._replicate(replication)
        self.add(self.resource, stateful=True)
        self._policy = bucket_policy(self, self.arn)

    def _announce(self, *, events: bool) -> None:
        if not events:
            suppress(self.resource, "s3-no-event-notifications")
            return
        self.resource.NotificationConfiguration = s3.NotificationConfiguration(
            EventBridgeConfiguration=s3.EventBridgeConfiguration(EventBridgeEnabled=True)
        )

    def _lock(self, lock: ObjectLock | None) -> None:
        if lock is None:
            suppress(self.resource, "object-lock-not-required")
            return
        self.resource.ObjectLockEnabled = True
        self.resource.ObjectLockConfiguration = s3.ObjectLockConfiguration(
            ObjectLockEnabled="Enabled",
            Rule=s3.ObjectLockRule(DefaultRetention=s3.DefaultRetention(Days=lock.days, Mode=lock.mode)),
        )

    def _replicate(self, replication: Replication | None) -> None:
        if replication is None:
            suppress(self.resource, "replication-not-required")
            return
        self.resource.ReplicationConfiguration = replication.start(self)

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
        """Host name in the bucket's region, which a content delivery network reads from."""
        return self.attribute("RegionalDomainName")

    @property
    def key_arn(self) -> Value:
        """ARN of the KMS key that encrypts the objects."""
        return self.key.arn

    def for_reading(self, prefix: str = "") -> Binding:
        """Return what a caller needs to list and read objects: rights and ``<NAME>_BUCKET``.

        Args:
            prefix: start of the keys it is for, such as ``uploads/``; all by default.
        """
        return self._binding("reading", prefix, (*self._listing(prefix), self.key.for_decrypting()))

    def for_writing(self, prefix: str = "") -> Binding:
        """Return what a caller needs to put objects: rights and ``<NAME>_BUCKET``; neither to read nor to delete.

        Args:
            prefix: start of the keys it is for, such as ``uploads/``; all by default.
        """
        return self._binding("writing", prefix, (self._objects(_WRITE, prefix), self.key.for_encrypting()))

    def for_deleting(self, prefix: str = "") -> Binding:
        """Return what a caller needs to delete objects; their versions stay for ``old_version_days``.

        Args:
            prefix: start of the keys it is for, such as ``uploads/``; all by default.
        """
        return self._binding("deleting from", prefix, (self._objects((actions.DeleteObject,), prefix),))

    def for_reading_and_writing(self, prefix: str = "") -> Binding:
        """Return what a caller needs to list, read and put objects: rights and ``<NAME>_BUCKET``.

        Args:
            prefix: start of the keys it is for, such as ``uploads/``; all by default.
        """
        grants = (*self._listing(prefix), self._objects(_WRITE, prefix), self.key.for_encrypting())
        return self._binding("reading and writing", prefix, grants)

    def event_pattern(self, kind: ObjectEvent = "created", *, prefix: str = "", suffix: str = "") -> dict[str, Any]:
        """Return the EventBridge pattern for a rule on the default bus.

        Args:
            kind: what happened to an object.
            prefix: start of the keys that count.
            suffix: end of the keys that count.

        Raises:
            WiringError: the bucket was made without ``events``.
            SettingsError: there is no such kind of event.
        """
        if not self.events:
            raise WiringError(f"{self}: events must be on for a rule on its objects, got false; set events to true")
        with self.checking() as check:
            check.one_of("kind", kind, _EVENTS)
        detail: dict[str, Any] = {"bucket": {"name": [self.bucket_name]}}
        if prefix and suffix:
            # Two entries of a list would mean either of them.
            detail["object"] = {"key": [{"wildcard": f"{_literal(prefix)}*{_literal(suffix)}"}]}
        elif prefix or suffix:
            detail["object"] = {"key": [{"prefix": prefix} if prefix else {"suffix": suffix}]}
        return {"source": ["aws.s3"], "detail-type": [_EVENTS[kind]], "detail": detail}

    def admit(self, service: str, allowed: Sequence[str], *, source: Value | None = None, prefix: str = "") -> None:
        """Let AWS service ``service`` itself use objects, for this account.

        Args:
            service: such as ``cloudfront``.
            allowed: actions such as ``s3:GetObject``.
            source: ARN, or pattern of ARNs, of the resource it acts for; not a reference into a stack that uses the
                bucket, because the two would then depend on each other.
            prefix: start of the keys it is for; all by default.
        """
        self.key.serve(service)
        self._policy.allow(service, allowed, self._under(prefix), source)

    def admit_cloudfront(self) -> None:
        """Let the CloudFront distributions of this account read objects, and tell which there are not."""
        # Not one distribution: its stack depends on that of the bucket already.
        distributions = arn("cloudfront", "distribution/*", region="")
        self.admit("cloudfront", (action_name(actions.GetObject),), source=distributions)
        self._policy.allow("cloudfront", (action_name(actions.ListBucket),), self.arn, distributions)

    def _binding(self, access: str, prefix: str, grants: Sequence[Grant]) -> Binding:
        where = f" under {prefix!r}" if prefix else ""
        return Binding(self.name, f"{access} {self}{where}", grants, {"BUCKET": self.bucket_name})

    def _listing(self, prefix: str) -> Sequence[Grant]:
        only = {"StringLike": {"s3:prefix": f"{prefix}*"}} if prefix else {}
        return (
            self._objects((actions.GetObject,), prefix),
            # Without it, a key that does not exist looks like one that is forbidden.
            Grant((actions.ListBucket,), (self.arn,), only),
        )

    def _objects(self, allowed: Sequence[Any], prefix: str) -> Grant:
        return Grant(allowed, (self._under(prefix),))

    def _under(self, prefix: str) -> Value:
        with self.checking() as check:
            check.that(
                not prefix.startswith("/") and not set("*?$") & set(prefix),
                "prefix", "the start of a key, without a leading '/' and without '*', '?' or '$'", prefix,
            )  # fmt: skip
        return join(self.arn, f"/{prefix}*")


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*")
