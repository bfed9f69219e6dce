"""KMS keys, one per app by default."""

from __future__ import annotations

from typing import Any

from awacs import kms as actions
from troposphere import kms

from archlib.core.component import Component
from archlib.core.naming import in_region
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import ACCOUNT, PARTITION, REGION, Deferred, Value, arn, join
from archlib.wiring.binding import Grant
from archlib.wiring.permissions import action_name
from archlib.wiring.policies import VERSION, service_principal

# EKS makes grants in the name of who makes the cluster, and does not mark them as those of an AWS service.
_EKS = join("eks.", REGION, ".amazonaws.com")
_LOG_DELIVERY = "delivery.logs.amazonaws.com"
_USE = ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")
_USE_IN_CONTEXT = ("kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")
_LOGS = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")


class Key(Component):
    """A customer-managed KMS key that rotates every year.

    Creates ``<Name>Key`` and ``<Name>KeyAlias``. The account administers the key through IAM; an AWS service may use
    it only after :meth:`serve` was called for it, and only on behalf of this account.

    See https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html

    Args:
        stack: where the resources go.
        name: kebab-case; the alias is ``alias/<app>-<environment>-<name>``.
        pending_days: days between asking for deletion and deletion; 7 to 30.

    Attributes:
        resource: the ``AWS::KMS::Key``.

    Raises:
        SettingsError: ``pending_days`` is out of range.
    """

    kind = "Key"

    def __init__(self, stack: Stack, name: str, *, pending_days: int = 30) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.between("pending_days", pending_days, 7, 30)
        self._services: set[str] = set()
        self.resource = kms.Key(
            self.id(),
            Description=f"Encrypts what {stack.app.name} ({stack.app.environment}) stores",
            EnableKeyRotation=True,
            PendingWindowInDays=pending_days,
            KeyPolicy=Deferred(self._policy),
        )
        suppress(self.resource, "key-administration")
        self.add(self.resource, stateful=True)
        self.add(
            kms.Alias(
                self.id("KeyAlias"),
                AliasName=f"alias/{stack.app.name}-{stack.app.environment}-{name}",
                TargetKeyId=self.ref(),
            )
        )

    @classmethod
    def of(cls, stack: Stack) -> Key:
        """Return the key that everything in ``stack`` uses unless told otherwise, in the stack ``foundation``.

        All stacks of the app share it; but a key serves one region, so stacks of another one have a key of their own.
        """
        app, region = stack.app, stack.region
        where = f" in {region}" if region else ""
        return app.once(
            f"key{where}",
            lambda: cls(
                app.stack(
                    in_region("foundation", region),
                    description=f"Encryption key of {app.name} ({app.environment}){where}",
                    region=region,
                ),
                in_region("app", region),
            ),
        )

    @property
    def arn(self) -> Value:
        """ARN of the key, which every service accepts as its id."""
        return self.attribute("Arn")

    def serve(self, service: str) -> None:
        """Let AWS service ``service`` (``logs``, ``sns``, ``events``, ...) use the key for this account."""
        self._services.add(service)

    def for_decrypting(self) -> Grant:
        """Return the right to read what the key encrypts."""
        return Grant((actions.Decrypt,), (self.arn,))

    def for_encrypting(self) -> Grant:
        """Return the rights to write, and to read what was written."""
        return Grant((actions.Decrypt, actions.GenerateDataKey), (self.arn,))

    def _policy(self) -> dict[str, Any]:
        delivering = sorted(self._services - {"logs", "cloudfront", "eks"})
        statements: list[dict[str, Any]] = [
            {
                "Sid": "AdministerThroughIam",
                "Effect": "Allow",
                "Principal": {"AWS": join("arn:", PARTITION, ":iam::", ACCOUNT, ":root")},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                # The exact condition keys that AWS Control Tower's control KMS.PR.3 looks for.
                "Sid": "DenyGrantsToPeople",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": action_name(actions.CreateGrant),
                "Resource": "*",
                "Condition": {
                    "BoolIfExists": {"aws:PrincipalIsAWSService": "false", "kms:GrantIsForAWSResource": "false"},
                    **({"StringNotEquals": {"kms:ViaService": _EKS}} if "eks" in self._services else {}),
                },
            },
        ]
        if "logs" in self._services:
            statements.append(
                {
                    "Sid": "EncryptLogGroups",
                    "Effect": "Allow",
                    "Principal": {"Service": join("logs.", REGION, ".amazonaws.com")},
                    "Action": list(_LOGS),
                    "Resource": "*",
                    "Condition": {"StringLike": {"kms:EncryptionContext:aws:logs:arn": arn("logs", "*")}},
                }
            )
        if delivering:
            statements.append(
                {
                    "Sid": "DeliverEncrypted",
                    "Effect": "Allow",
                    "Principal": {"Service": [service_principal(service)["Service"] for service in delivering]},
                    "Action": list(_USE),
                    "Resource": "*",
                    "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
                }
            )
        if "cloudfront" in self._services:
            statements.append(
                {
                    "Sid": "ReadForDistributions",
                    "Effect": "Allow",
                    "Principal": service_principal("cloudfront"),
                    "Action": "kms:Decrypt",
                    "Resource": "*",
                    "Condition": {"ArnLike": {"aws:SourceArn": arn("cloudfront", "distribution/*", region="")}},
                }
            )
        if "events" in delivering:
            # EventBridge does not always say for which account it uses the key, but for which topic, bus or archive.
            statements.extend(
                {
                    "Sid": sid,
                    "Effect": "Allow",
                    "Principal": service_principal("events"),
                    "Action": list(_USE_IN_CONTEXT),
                    "Resource": "*",
                    "Condition": {"StringLike": {f"kms:EncryptionContext:{context}": source}},
                }
                for sid, context, source in (
                    ("PublishEventsEncrypted", "aws:sns:topicArn", arn("sns", "*")),
                    ("EncryptEvents", "aws:events:event-bus:arn", arn("events", "event-bus/*")),
                )
            )
        if _LOG_DELIVERY in delivering:
            # Log delivery says in the encryption context for whose logs it uses the key.
            statements.append(
                {
                    "Sid": "DeliverLogsEncrypted",
                    "Effect": "Allow",
                    "Principal": service_principal(_LOG_DELIVERY),
                    "Action": list(_USE),
                    "Resource": "*",
                    "Condition": {"StringLike": {"kms:EncryptionContext:SourceArn": arn("logs", "*")}},
                }
            )
        return {"Version": VERSION, "Statement": statements}
