from __future__ import annotations

import pytest

from archlib.core.component import Check
from archlib.wiring.mount import FileSystemMount

MOUNT = FileSystemMount(
    "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0",
    "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0123456789abcdef0",
    security_group="sg-1",
)


def test_knows_the_ids_in_its_arns() -> None:
    assert MOUNT.access_point_id == "fsap-0123456789abcdef0"
    assert MOUNT.file_system_id == "fs-0123456789abcdef0"


def test_a_caller_gets_the_way_and_rights_through_the_access_point() -> None:
    binding = MOUNT.for_mounting()

    assert (binding.target, list(binding.ports), binding.security_group) == ("file-system", [2049], "sg-1")
    (grant,) = binding.grants
    assert grant.conditions == {"StringEquals": {"elasticfilesystem:AccessPointArn": MOUNT.access_point_arn}}
    assert grant.resources == (MOUNT.file_system_arn,)


def test_others_may_open_the_way() -> None:
    binding = FileSystemMount("a/b", "c/d", name="uploads").for_mounting()

    assert (binding.target, list(binding.ports), binding.security_group) == ("uploads", [], None)


@pytest.mark.parametrize(("path", "problems"), [("/mnt/data", 0), ("/data", 1), ("/mnt/" + "a" * 156, 1)])
def test_the_folder_is_below_mnt(path: str, problems: int) -> None:
    check = Check("function 'a'")

    FileSystemMount("a/b", "c/d", path).check(check)

    assert len(check.problems) == problems
