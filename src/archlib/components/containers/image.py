"""Container images, and which repository they are pulled from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from archlib.core.component import Check
from archlib.core.values import PARTITION, Value, join

_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/"
    r"(?P<name>[a-z0-9._/-]+)(:[\w.-]+)?(@sha256:[0-9a-f]{64})?"
)
_PINNED = re.compile(r"\S+(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Image:
    """A container image.

    Attributes:
        uri: its name with a tag or digest: ``123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:1.4``.
        repository_arn: ARN of its ECR repository, which the task may then pull from; read from ``uri`` where that is
            text. None for another registry.
    """

    uri: Value
    repository_arn: Value | None = None

    SHORT: ClassVar[str] = "uri"
    """The attribute that text alone stands for in settings."""

    @classmethod
    def of(cls, image: Image | str) -> Image:
        """Return ``image``, with its repository if that is in ECR."""
        image = cls(image) if isinstance(image, str) else image
        found = _ECR.fullmatch(image.uri) if isinstance(image.uri, str) else None
        if image.repository_arn is not None or found is None:
            return image
        arn = join("arn:", PARTITION, f":ecr:{found['region']}:{found['account']}:repository/{found['name']}")
        return cls(image.uri, arn)

    def check(self, check: Check, field: str, *, internet: bool) -> None:
        """Note what is wrong with it; only with ``internet`` a task reaches registries other than ECR."""
        if isinstance(self.uri, str):
            check.that(
                _PINNED.fullmatch(self.uri), field, "a name with a tag other than latest, or with a digest", self.uri
            )
        check.that(
            internet or self.repository_arn is not None,
            field, "in ECR, <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>", self.uri,
            "copy it to a Repository, or set internet=True in a network with NAT",
        )  # fmt: skip
