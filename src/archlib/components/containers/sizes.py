"""The sizes of tasks that Fargate has."""

from __future__ import annotations

from archlib.core.component import Check

SIZES = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16_384 + 1, 1024)),
    4096: tuple(range(8192, 30_720 + 1, 1024)),
    8192: tuple(range(16_384, 61_440 + 1, 4096)),
    16_384: tuple(range(32_768, 122_880 + 1, 8192)),
}
"""CPU units (1024 are one processor) -> the MiB of memory they go with."""


def check_size(check: Check, cpu: int, memory_mib: int) -> None:
    """Note a pair that Fargate does not have."""
    if cpu in SIZES:
        check.that(memory_mib in SIZES[cpu], "memory_mib", f"{_shown(cpu)} with cpu {cpu}", memory_mib)
    else:
        pairs = "; ".join(f"{each} with {_shown(each)}" for each in SIZES)
        check.that(ok=False, field="cpu", allowed=f"one of these, with its memory_mib: {pairs}", got=cpu)


def _shown(cpu: int) -> str:
    first, second, *_, last = SIZES[cpu]
    if len(SIZES[cpu]) <= 3:  # noqa: PLR2004  (short enough to list)
        return f"{first}, {second} or {last} MiB"
    return f"{first} to {last} MiB in steps of {second - first}"
