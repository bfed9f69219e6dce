from __future__ import annotations

import pytest

from archlib.components.containers.sizes import SIZES, check_size
from archlib.core.component import Check


def problems(cpu: int, memory_mib: int) -> list[str]:
    check = Check("service 'orders'")
    check_size(check, cpu, memory_mib)
    return [problem.message for problem in check.problems]


@pytest.mark.parametrize(("cpu", "memory_mib"), [(cpu, memory) for cpu, sizes in SIZES.items() for memory in sizes])
def test_pairs_of_fargate_pass(cpu: int, memory_mib: int) -> None:
    assert problems(cpu, memory_mib) == []


def test_knows_the_ends_of_each_size() -> None:
    ends = {cpu: (sizes[0], sizes[-1]) for cpu, sizes in SIZES.items()}

    assert ends == {
        256: (512, 2048),
        512: (1024, 4096),
        1024: (2048, 8192),
        2048: (4096, 16_384),
        4096: (8192, 30_720),
        8192: (16_384, 61_440),
        16_384: (32_768, 122_880),
    }


@pytest.mark.parametrize(
    ("cpu", "memory_mib", "allowed"),
    [
        (256, 4096, "512, 1024 or 2048 MiB with cpu 256"),
        (1024, 1024, "2048 to 8192 MiB in steps of 1024 with cpu 1024"),
        (8192, 17_408, "16384 to 61440 MiB in steps of 4096 with cpu 8192"),
        (16_384, 36_864, "32768 to 122880 MiB in steps of 8192 with cpu 16384"),
    ],
)
def test_other_memory_is_refused_with_what_goes_with_the_cpu(cpu: int, memory_mib: int, allowed: str) -> None:
    assert problems(cpu, memory_mib) == [f"service 'orders': memory_mib must be {allowed}, got {memory_mib}"]


def test_another_cpu_is_refused_with_all_pairs() -> None:
    (found,) = problems(300, 512)

    assert found.startswith("service 'orders': cpu must be one of these")
    assert all(f"{cpu} with" in found for cpu in SIZES)
    assert found.endswith("got 300")
