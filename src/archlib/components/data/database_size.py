"""How large a database is."""

from __future__ import annotations

from dataclasses import dataclass

from troposphere import rds

from archlib.core.component import Check

_UNITS_MAX = 256
_GIB_PER_UNIT = 2
_UNITS_SMALL = 0.5
_GIB_PER_CPU = {"c": 2, "m": 4, "t": 4, "r": 8, "x": 16}
_CPUS = {"micro": 0.25, "small": 0.5, "medium": 1, "large": 2}


class _Scaling(rds.ServerlessV2ScalingConfiguration):
    # troposphere 4.11 still has the old limits of 0.5 and 128.
    props = {"MaxCapacity": ((float, int), True), "MinCapacity": ((float, int), True)}  # noqa: RUF012


@dataclass(frozen=True, slots=True)
class Serverless:
    """How far an Aurora Serverless v2 database scales, in capacity units of 2 GiB of memory each.

    Attributes:
        minimum: 0 to 256 in steps of 0.5; 0 pauses it while nobody is connected, and the next connection waits for it;
            from 2 on there is room for monitoring under load.
        maximum: 1 to 256 in steps of 0.5, at least the minimum.
    """

    minimum: float = 0.5
    maximum: float = 4

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        low, high = self.minimum, self.maximum
        check.that(
            0 <= low <= high <= _UNITS_MAX and high >= 1 and low % 0.5 == high % 0.5 == 0,
            field, f"0 to {_UNITS_MAX} units in steps of 0.5, the maximum 1 or more", self,
        )  # fmt: skip

    def scaling(self) -> rds.ServerlessV2ScalingConfiguration:
        """Return how the cluster scales."""
        return _Scaling(MaxCapacity=self.maximum, MinCapacity=self.minimum)

    @property
    def memory_gib(self) -> float:
        """Memory at most, which decides about the number of connections."""
        return self.maximum * _GIB_PER_UNIT

    @property
    def shrinks(self) -> bool:
        """It may become so small that it must accept fewer connections."""
        return self.minimum <= _UNITS_SMALL


def memory_gib(instance_class: str) -> float:
    """Return the memory of a class such as ``db.m7g.large``."""
    _, family, size = instance_class.split(".")
    cpus = _CPUS.get(size) or 4 * int(size.removesuffix("xlarge") or 1)
    return cpus * _GIB_PER_CPU[family[0]]
