"""File systems that functions, containers and instances mount."""

from __future__ import annotations

import re
from dataclasses import dataclass

from troposphere import Select, Split

from archlib.core.component import Check
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant

NFS = 2049

_PATH = re.compile(r"/mnt/[a-zA-Z0-9_.-]+")
_PATH_MAX = 160


@dataclass(frozen=True, slots=True)
class FileSystemMount:
    """An EFS file system that code sees as a folder, through an access point.

    Attributes:
        access_point_arn: ARN of the access point.
        file_system_arn: ARN of the file system it belongs to.
        path: the folder the code sees it as: ``/mnt/`` and a name.
        security_group: id of the security group of the mount targets, which is opened for the caller on port 2049;
            None if others open it.
        read_only: the caller may read files only.
        name: name of the file system, kebab-case; tells its security-group rules from those of another.
    """

    access_point_arn: Value
    file_system_arn: Value
    path: str = "/mnt/data"
    security_group: Value | None = None
    read_only: bool = False
    name: str = "file-system"

    @property
    def access_point_id(self) -> Value:
        """Id of the access point: ``fsap-...``."""
        return _last(self.access_point_arn)

    @property
    def file_system_id(self) -> Value:
        """Id of the file system: ``fs-...``."""
        return _last(self.file_system_arn)

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(
            _PATH.fullmatch(self.path) and len(self.path) <= _PATH_MAX,
            "file_system.path", f"/mnt/ and a name of letters, digits, _, . and -, {_PATH_MAX} characters in all",
            self.path,
        )  # fmt: skip

    def for_mounting(self) -> Binding:
        """Return what a caller needs to mount it: rights through this access point only, and the way there."""
        actions = ("elasticfilesystem:ClientMount", *(() if self.read_only else ("elasticfilesystem:ClientWrite",)))
        through = {"StringEquals": {"elasticfilesystem:AccessPointArn": self.access_point_arn}}
        return Binding(
            self.name,
            f"mounting {self.path}",
            (Grant(actions, (self.file_system_arn,), through),),
            ports=(NFS,) if self.security_group is not None else (),
            security_group=self.security_group,
        )


def _last(arn: Value) -> Value:
    return arn.rpartition("/")[2] if isinstance(arn, str) else Select(1, Split("/", arn))
