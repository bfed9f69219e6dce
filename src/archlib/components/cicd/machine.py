"""What builds run on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

from troposphere import codebuild

from archlib.core.component import Check

Processor = Literal["arm64", "x86_64", "arm64-lambda", "x86_64-lambda"]


class _Offer(NamedTuple):
    """What there is for one kind of processor: the environment type, size -> compute type, and the images."""

    type: str
    sizes: dict[str, str]
    images: str
    default: str


_CONTAINER = {size: f"BUILD_GENERAL1_{size.upper()}" for size in ("small", "medium", "large", "xlarge", "2xlarge")}
_LAMBDA = {f"{size}gb": f"BUILD_LAMBDA_{size}GB" for size in (1, 2, 4, 8, 10)}
_RUNTIME = "(?:corretto|dotnet|go|java|nodejs|python|ruby)[0-9][0-9.]*"
_OFFERS: dict[str, _Offer] = {
    "arm64": _Offer(
        "ARM_CONTAINER", _CONTAINER, "amazonlinux-aarch64-standard:[34]\\.0", "amazonlinux-aarch64-standard:4.0"
    ),
    "x86_64": _Offer(
        "LINUX_CONTAINER",
        _CONTAINER,
        "amazonlinux-x86_64-standard:[56]\\.0|standard:[78]\\.0",
        "amazonlinux-x86_64-standard:6.0",
    ),
    "arm64-lambda": _Offer(
        "ARM_LAMBDA_CONTAINER",
        _LAMBDA,
        f"amazonlinux-aarch64-lambda-standard:{_RUNTIME}",
        "amazonlinux-aarch64-lambda-standard:python3.13",
    ),
    "x86_64-lambda": _Offer(
        "LINUX_LAMBDA_CONTAINER",
        _LAMBDA,
        f"amazonlinux-x86_64-lambda-standard:{_RUNTIME}",
        "amazonlinux-x86_64-lambda-standard:python3.13",
    ),
}


class _Environment(codebuild.Environment):
    def validate(self) -> None:
        # troposphere 4.11 does not know the types that run on Lambda.
        assert self.properties["Type"] in {offer.type for offer in _OFFERS.values()}  # noqa: S101  (from the table)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a build runs on, with one of the images that AWS maintains.

    Attributes:
        processor: ``arm64`` costs less for the same work; ``x86_64`` where a tool needs it; with ``-lambda`` it starts
            in seconds, but has neither Docker, network, cache nor more than 15 minutes.
        size: ``small``, ``medium``, ``large``, ``xlarge`` or ``2xlarge``; on Lambda the memory: ``1gb``, ``2gb``,
            ``4gb``, ``8gb`` or ``10gb``; the smallest by default.
        image: image without ``aws/codebuild/``; the newest Amazon Linux by default, on Lambda that of Python.
    """

    processor: Processor = "arm64"
    size: str | None = None
    image: str | None = None

    SHORT: ClassVar[str] = "size"
    """The attribute that text alone stands for in settings."""

    @property
    def on_lambda(self) -> bool:
        """Whether builds run on Lambda."""
        return self.processor.endswith("-lambda")

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.one_of("machine.processor", self.processor, get_args(Processor))
        offer = _OFFERS.get(self.processor)
        if offer is None:
            return
        if self.size is not None:
            check.one_of("machine.size", self.size, offer.sizes, f"for {self.processor}")
        check.that(
            self.image is None or re.fullmatch(offer.images, self.image),
            "machine.image", f"an image for {self.processor} such as {offer.default}", self.image,
        )  # fmt: skip

    def environment(self, *, docker: bool) -> codebuild.Environment:
        """Return it as CloudFormation has it."""
        offer = _OFFERS[self.processor]
        return _Environment(
            ComputeType=offer.sizes[self.size or next(iter(offer.sizes))],
            Image=f"aws/codebuild/{self.image or offer.default}",
            ImagePullCredentialsType="CODEBUILD",
            PrivilegedMode=docker,
            Type=offer.type,
        )
