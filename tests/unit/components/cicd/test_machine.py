from __future__ import annotations

from typing import Any

import pytest

from archlib.components.cicd.machine import Machine
from archlib.core.component import checking
from archlib.core.values import encode
from archlib.errors import SettingsError

LAMBDA = "aws/codebuild/amazonlinux-aarch64-lambda-standard:"
NODE = "amazonlinux-x86_64-lambda-standard:nodejs22"


def rendered(machine: Machine) -> tuple[Any, ...]:
    with checking("build project 'x'") as check:
        machine.check(check)
    found = encode(machine.environment(docker=False))
    return found["Type"], found["ComputeType"], found["Image"]


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (Machine(), ("ARM_CONTAINER", "BUILD_GENERAL1_SMALL", "aws/codebuild/amazonlinux-aarch64-standard:4.0")),
        (
            Machine("x86_64", "2xlarge"),
            ("LINUX_CONTAINER", "BUILD_GENERAL1_2XLARGE", "aws/codebuild/amazonlinux-x86_64-standard:6.0"),
        ),
        (
            Machine("x86_64", image="standard:8.0"),
            ("LINUX_CONTAINER", "BUILD_GENERAL1_SMALL", "aws/codebuild/standard:8.0"),
        ),
        (
            Machine("arm64-lambda"),
            ("ARM_LAMBDA_CONTAINER", "BUILD_LAMBDA_1GB", f"{LAMBDA}python3.13"),
        ),
        (
            Machine("x86_64-lambda", "10gb", NODE),
            ("LINUX_LAMBDA_CONTAINER", "BUILD_LAMBDA_10GB", "aws/codebuild/" + NODE),
        ),
    ],
)
def test_is_what_codebuild_calls_it(machine: Machine, expected: tuple[str, ...]) -> None:
    assert rendered(machine) == expected


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (Machine("riscv"), "machine.processor must be one of arm64, x86_64, arm64-lambda, x86_64-lambda"),  # type: ignore[arg-type]
        (Machine(size="1gb"), "machine.size must be one of small, medium, large, xlarge, 2xlarge, got '1gb'"),
        (Machine("arm64-lambda", "small"), "machine.size must be one of 1gb, 2gb, 4gb, 8gb, 10gb"),
        (Machine(image="standard:8.0"), "machine.image must be an image for arm64 such as amazon"),
        (Machine("x86_64", image="standard:6.0"), "machine.image must be an image for x86_64"),
        (Machine("x86_64", image="aws/codebuild/standard:8.0"), "machine.image must be an image for x86_64"),
        (Machine("arm64-lambda", image="amazonlinux-aarch64-standard:4.0"), "machine.image must be an image for"),
    ],
)
def test_refuses_what_there_is_not(machine: Machine, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        rendered(machine)
