"""EC2 instance types: which there are, and for which processors."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

Architecture = Literal["arm64", "x86_64"]

# Families on the Nitro system -> their sizes.
_SIZES = {
    "c5 c5d": "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge metal",
    "c5a c5ad m5a m5ad r5a r5ad": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge",
    "c5n": "large xlarge 2xlarge 4xlarge 9xlarge 18xlarge metal",
    "c6a m6a r6a": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge metal",
    "c6g c6gd c6gn c7g c7gd c7gn m6g m6gd m7g m7gd r6g r6gd r7g r7gd x2gd": (
        "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"
    ),
    "c6i c6id c6in i4i m6i m6id m6idn m6in r6i r6id r6idn r6in": (
        "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge metal"
    ),
    "c7a m7a r7a": (
        "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge metal-48xl"
    ),
    "c7i i7i i8g m7i r7i": (
        "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"
    ),
    "c7i-flex c8i-flex m7i-flex m8i-flex r8i-flex": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "c8a c8g c8gb c8gd c8gn m8a m8g m8gb m8gd m8gn r8a r8g r8gb r8gd r8gn x8g": (
        "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"
    ),
    "c8i c8ib c8id c8in m8i m8ib m8id m8idb m8idn m8in r8i r8ib r8id r8idb r8idn r8in": (
        "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge 96xlarge metal-48xl "
        "metal-96xl"
    ),
    "c8ine m8ine": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge",
    "c9g c9gd m9g m9gd r9g r9gd": (
        "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-48xl"
    ),
    "d3": "xlarge 2xlarge 4xlarge 8xlarge",
    "d3en": "large xlarge 2xlarge 4xlarge 6xlarge 8xlarge 12xlarge",
    "g4ad": "xlarge 2xlarge 4xlarge 8xlarge 16xlarge",
    "g4dn": "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal",
    "g5 g6 g6e": "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
    "g5g": "xlarge 2xlarge 4xlarge 8xlarge 16xlarge metal",
    "g6f": "large xlarge 2xlarge 4xlarge",
    "g7 g7e": "2xlarge 4xlarge 8xlarge 12xlarge 24xlarge 48xlarge",
    "gr6": "4xlarge 8xlarge",
    "gr6f": "4xlarge",
    "i3en": "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge 24xlarge metal",
    "i4g im4gn": "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge",
    "i7ie i8ge": "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge 18xlarge 24xlarge 48xlarge metal-24xl metal-48xl",
    "is4gen": "medium large xlarge 2xlarge 4xlarge 8xlarge",
    "m5 m5d m5dn m5n r5 r5b r5d r5dn r5n": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal",
    "m5zn z1d": "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge metal",
    "m8azn": "medium large xlarge 3xlarge 6xlarge 12xlarge 24xlarge metal-12xl metal-24xl",
    "r7iz": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 32xlarge metal-16xl metal-32xl",
    "t3 t3a t4g": "nano micro small medium large xlarge 2xlarge",
    "t8i": "nano micro small medium",
    "x2idn": "16xlarge 24xlarge 32xlarge metal",
    "x2iedn": "xlarge 2xlarge 4xlarge 8xlarge 16xlarge 24xlarge 32xlarge metal",
    "x2iezn": "2xlarge 4xlarge 6xlarge 8xlarge 12xlarge metal",
    "x8aedz": "large xlarge 3xlarge 6xlarge 12xlarge 24xlarge metal-12xl metal-24xl",
    "x8i": (
        "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge 64xlarge 96xlarge "
        "metal-48xl metal-96xl"
    ),
}


@cache
def instance_types() -> frozenset[str]:
    """Return the instance types there are, in any region."""
    return frozenset(
        f"{family}.{size}"
        for families, sizes in _SIZES.items()
        for family in families.split()
        for size in sizes.split()
    )


def architecture_of(instance_type: str) -> Architecture:
    """Return what the processors of ``instance_type`` run: a ``g`` behind the generation stands for Graviton."""
    return "arm64" if re.match(r"[a-z]+\d+g", instance_type) else "x86_64"
