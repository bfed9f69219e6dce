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
_TAG_MAX = 128
_PART = r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*"
_NAME = rf"([A-Za-z0-9.-]+(:\d+)?/)?{_PART}(/{_PART})*"
_TAG = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_PINNED = re.compile(rf"{_NAME}((?!:latest$){_TAG}|({_TAG})?@sha256:[0-9a-f]{{64}})")


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
                _PINNED.fullmatch(self.uri),
                field, "a name with a tag other than latest, or with a digest", self.uri, _correction(self.uri),
            )  # fmt: skip
            if not _PINNED.fullmatch(self.uri):
                return
        check.that(
            internet or self.repository_arn is not None,
            field, "in ECR, <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>", self.uri,
            "copy it to a repository, or set internet to true in a network with NAT",
        )  # fmt: skip


def _correction(uri: str) -> str:
    """Return what to do about a malformed name, where it is not plain to see."""
    name, _, tag = uri.rpartition(":")
    lower = f"{name.lower()}:{tag}"
    if len(tag) > _TAG_MAX and "/" not in tag:
        return f"shorten the tag to {_TAG_MAX} characters"
    return f"write {lower!r}" if lower != uri and _PINNED.fullmatch(lower) else ""
