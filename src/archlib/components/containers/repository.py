"""ECR repositories."""

from __future__ import annotations

import json
import re
from typing import Any

from troposphere import ecr

from archlib.components.containers.image import Image
from archlib.components.identity.key import Key
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value, arn, join
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.policies import VERSION, service_principal

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""What pulling an image takes on its repository."""

LOG_IN = Grant(("ecr:GetAuthorizationToken",), ("*",))
"""The right to log in to ECR."""

_PUSH = ("ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64}")
_KEEP = (1, 10_000)
_UNTAGGED_DAYS = (1, 365)


class Repository(Component):
    """An ECR repository for container images: encrypted, scanned, and what a tag stands for never changes.

    Creates ``<Name>Repository``. Images of functions are kept in one too, with ``functions``:
    ``Code(image=repository.image("1.4").uri)``.

    See https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        keep: images that are kept, 1 to 10000; older ones go, so it must be more than can still be in use.
        untagged_days: days an image without a tag is kept, 1 to 365.
        functions: Lambda functions of this account may be made from the images.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::ECR::Repository``.

    Raises:
        SettingsError: a setting is outside its range.
    """

    kind = "Repository"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        keep: int = 50,
        untagged_days: int = 7,
        functions: bool = False,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.between("keep", keep, *_KEEP)
            check.between("untagged_days", untagged_days, *_UNTAGGED_DAYS)
        self.key = key or Key.of(stack)
        self.resource = ecr.Repository(
            self.id(),
            EncryptionConfiguration=ecr.EncryptionConfiguration(EncryptionType="KMS", KmsKey=self.key.arn),
            ImageScanningConfiguration=ecr.ImageScanningConfiguration(ScanOnPush=True),
            ImageTagMutability="IMMUTABLE",
            LifecyclePolicy=ecr.LifecyclePolicy(LifecyclePolicyText=_lifecycle(keep, untagged_days)),
        )
        if functions:
            self.resource.RepositoryPolicyText = _policy_for_functions()
        if stack.app.removal == "Delete":
            self.resource.EmptyOnDelete = True
        self.add(self.resource, stateful=True)

    @property
    def arn(self) -> Value:
        """ARN of the repository."""
        return self.attribute("Arn")

    @property
    def uri(self) -> Value:
        """What images are tagged and pushed as."""
        return self.attribute("RepositoryUri")

    def image(self, tag: str) -> Image:
        """Return the image with ``tag``, or with a digest, ``sha256:...``.

        Raises:
            SettingsError: the tag is malformed, or ``latest``, which says nothing about what runs.
        """
        with self.checking() as check:
            check.that(
                _TAG.fullmatch(tag) and tag != "latest",
                "tag",
                "a tag other than latest of up to 128 characters, or a digest sha256:...",
                tag,
            )
        return Image(join(self.uri, "@" if tag.startswith("sha256:") else ":", tag), self.arn)

    def for_pulling(self) -> Binding:
        """Return what a caller needs to pull images: the rights and ``<NAME>_REPOSITORY``."""
        return Binding(self.name, f"pulling from {self}", (LOG_IN, Grant(PULL, (self.arn,))), {"REPOSITORY": self.uri})

    def for_pushing(self) -> Binding:
        """Return what a caller needs to pull and push images: the rights and ``<NAME>_REPOSITORY``."""
        return Binding(
            self.name, f"pushing to {self}", (LOG_IN, Grant((*PULL, *_PUSH), (self.arn,))), {"REPOSITORY": self.uri}
        )


def _lifecycle(keep: int, untagged_days: int) -> str:
    rules = (
        (
            f"Untagged images go after {untagged_days} days",
            {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": untagged_days,
            },
        ),
        (
            f"Only the newest {keep} images are kept",
            {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep},
        ),
    )
    found = [
        {"rulePriority": priority, "description": words, "selection": selection, "action": {"type": "expire"}}
        for priority, (words, selection) in enumerate(rules, start=1)
    ]
    return json.dumps({"rules": found}, sort_keys=True)


def _policy_for_functions() -> dict[str, Any]:
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "PullForFunctions",
                "Effect": "Allow",
                "Principal": service_principal("lambda"),
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Condition": {"ArnLike": {"aws:SourceArn": arn("lambda", "function:*")}},
            }
        ],
    }
