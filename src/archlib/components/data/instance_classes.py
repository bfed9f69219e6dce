"""The instance classes a database can have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from archlib.core.assembly import nearest
from archlib.core.component import Check

_TO_16 = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"
_TO_24 = f"{_TO_16} 24xlarge"
_TO_32 = f"{_TO_24} 32xlarge"
_TO_48 = f"{_TO_24} 48xlarge"

# Current families -> their sizes.
_RDS = {
    "m5 m5d r5 r5b r5d": _TO_24,
    "m6g m6gd m7g r6g r6gd r7g x2g": _TO_16,
    "m6i m6id m6idn m6in r6i r6id r6idn r6in": _TO_32,
    "m7i m8a m8g m8gd m9g r7i r8a r8g r8gd": _TO_48,
    "t3 t4g": "micro small medium large xlarge 2xlarge",
    "x2idn": "16xlarge 24xlarge 32xlarge",
    "x2iedn": "xlarge 2xlarge 4xlarge 8xlarge 16xlarge 24xlarge 32xlarge",
}
_AURORA = {
    "r5": _TO_24,
    "r6g r7g x2g": _TO_16,
    "r6i": _TO_32,
    "r7i r8a r8g": _TO_48,
}
_AURORA_POSTGRES = {
    **_AURORA,
    "r6gd": "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
    "r6id": "24xlarge 32xlarge",
    "r8gd": "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge",
    "t3": "small medium large xlarge 2xlarge",
    "t4g": "medium large xlarge 2xlarge",
}
_AURORA_MYSQL = {
    **_AURORA,
    "r6id": "24xlarge 32xlarge",
    "t3 t4g": "small medium large xlarge 2xlarge",
}
_OF_ENGINES: Mapping[str, Mapping[str, str]] = {
    "postgres": _RDS,
    "mysql": _RDS,
    "aurora-postgresql": _AURORA_POSTGRES,
    "aurora-mysql": _AURORA_MYSQL,
}


@cache
def instance_classes(engine: str) -> Collection[str]:
    """Return the classes that ``engine``, as RDS calls it, has in one region or another."""
    return frozenset(
        f"db.{family}.{size}"
        for families, sizes in _OF_ENGINES[engine].items()
        for family in families.split()
        for size in sizes.split()
    )


def check_instance_class(check: Check, got: str | None, engine: str) -> None:
    """Note a class that ``engine``, as RDS calls it, does not have, with the one that may be meant."""
    known = instance_classes(engine)
    families = ", ".join(sorted({name.split(".")[1] for name in known}))
    check.that(
        got is None or got in known,
        "instance_class", f"like 'db.r7g.large', of a family {families}", got,
        nearest(got or "", sorted(known)).removeprefix("; "),
    )  # fmt: skip
