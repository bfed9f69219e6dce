"""File systems that a function mounts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archlib.core.component import Check
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant

_PATH = re.compile(r"/mnt/[a-zA-Z0-9_.-]+")
_PATH_MAX = 160
_NFS = 2049


@dataclass(frozen=True, slots=True)
class FileSystemMount:
    """An EFS file system that a function sees as a folder, through an access point.

    Attributes:
        access_point_arn: ARN of the access point.
        file_system_arn: ARN of the file system it belongs to.
        path: the folder the function sees it as: ``/mnt/`` and a name.
        security_group: id of the security group of the mount targets, which is opened for the function on port 2049;
            None if others open it.
        read_only: the function may read files only.
    """

    access_point_arn: Value
    file_system_arn: Value
    path: str = "/mnt/data"
    security_group: Value | None = None
    read_only: bool = False

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(
            _PATH.fullmatch(self.path) and len(self.path) <= _PATH_MAX,
            "file_system.path", f"/mnt/ and a name of letters, digits, _, . and -, {_PATH_MAX} characters in all",
            self.path,
        )  # fmt: skip

    def for_mounting(self) -> Binding:
        """Return what a function needs to mount it: rights through this access point only, and the way there."""
        actions = ("elasticfilesystem:ClientMount", *(() if self.read_only else ("elasticfilesystem:ClientWrite",)))
        through = {"StringEquals": {"elasticfilesystem:AccessPointArn": self.access_point_arn}}
        return Binding(
            "file-system",
            f"mounting {self.path}",
            (Grant(actions, (self.file_system_arn,), through),),
            ports=(_NFS,) if self.security_group is not None else (),
            security_group=self.security_group,
        )
