"""EFS file systems: encrypted, backed up, and entered through access points only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from troposphere import efs

from archlib.components.identity.key import Key
from archlib.components.network.security_group import SecurityGroup
from archlib.core.component import Check, Component
from archlib.core.naming import check_name, pascal
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value
from archlib.errors import WiringError
from archlib.wiring.mount import FileSystemMount
from archlib.wiring.policies import VERSION
from archlib.wiring.roles import Network
from archlib.wiring.watch import Watch

_DAYS = (1, 7, 14, 30, 60, 90, 180, 270, 365)
_POINTS_MAX = 120
_FOLDER = re.compile(r"(/[^/\x00-\x1f]{1,100}){1,4}")
_PERMISSIONS = re.compile(r"0?[0-7]{3}")
_ID_MAX = 2**32 - 1
_CREDITS_LOW = 100 * 2**30
_CLIENT = ("ClientMount", "ClientRootAccess", "ClientWrite")
_DENIED: Mapping[str, Mapping[str, Any]] = {
    "DenyInsecureTransport": {"Bool": {"aws:SecureTransport": "false"}},
    "DenyWithoutMountTarget": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "false"}},
    "DenyWithoutAccessPoint": {"Null": {"elasticfilesystem:AccessPointArn": "true"}},
}


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """One folder of a file system, and the user that everything in it belongs to.

    Attributes:
        path: the folder, made when it is first mounted: 1 to 4 levels such as ``/shop/images``; by default it is
            called like the access point.
        user_id: POSIX user that all access is made as, whoever the caller is; 1 to 4294967295, never root.
        group_id: its POSIX group, 1 to 4294967295.
        permissions: of the folder when it is made, octal.
    """

    path: str | None = None
    user_id: int = 1000
    group_id: int = 1000
    permissions: str = "750"

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.that(
            self.path is None or _FOLDER.fullmatch(self.path),
            f"{field}.path", "1 to 4 levels such as '/shop/images', not the whole file system", self.path,
        )  # fmt: skip
        check.between(f"{field}.user_id", self.user_id, 1, _ID_MAX, "root may do everything")
        check.between(f"{field}.group_id", self.group_id, 1, _ID_MAX)
        check.that(
            _PERMISSIONS.fullmatch(self.permissions), f"{field}.permissions", "octal, such as '750'", self.permissions
        )


class FileSystem(Component):
    """An EFS file system that functions, containers and instances of one network share.

    Creates ``<Name>FileSystem``, ``<Name>FileSystemSecurityGroup``, ``<Name>MountTarget1`` and one more for each
    further subnet, and ``<Name><Point>AccessPoint`` for each access point. It is encrypted, backed up every day, and
    its policy refuses whoever comes without TLS, without a role, or past the access points. Mount targets are in the
    isolated subnets, or in the private ones of a network that has no others.

    See https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        network: the VPC it is in.
        access_points: name -> a folder and its user; one called ``data`` by default.
        throughput: ``elastic`` follows the load and is paid by use; ``bursting`` grows with what is stored.
        infrequent_days: days without access after which a file moves to cheaper storage: 1, 7, 14, 30, 60, 90, 180,
            270 or 365; None: never. The first access moves it back.
        archive_days: the same for the cheapest storage; only with ``elastic``, and later than ``infrequent_days``.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::EFS::FileSystem``.
        security_group: id of the security group of the mount targets.

    Raises:
        SettingsError: a setting is outside its range, or the network has no subnet.
    """

    kind = "FileSystem"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        access_points: Mapping[str, AccessPoint] | None = None,
        throughput: Literal["elastic", "bursting"] = "elastic",
        infrequent_days: int | None = 30,
        archive_days: int | None = None,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        points = {"data": AccessPoint()} if access_points is None else dict(access_points)
        subnets = network.isolated_subnets or network.private_subnets
        with self.checking() as check:
            check.that(subnets, "network", "one with a subnet", network)
            check.between("access_points", len(points), 1, _POINTS_MAX)
            for point, settings in points.items():
                settings.check(check, f"access_points.{check_name(point, 'access point')}")
            check.one_of("throughput", throughput, ("elastic", "bursting"))
            check.one_of("infrequent_days", infrequent_days, (None, *_DAYS))
            check.one_of("archive_days", archive_days, (None, *_DAYS))
            check.that(
                archive_days is None or (throughput == "elastic" and archive_days > (infrequent_days or 0)),
                "archive_days", "left out unless throughput is elastic, and more than infrequent_days", archive_days,
            )  # fmt: skip
        self._points = points
        self._bursting = throughput == "bursting"
        self.resource = efs.FileSystem(
            self.id(),
            BackupPolicy=efs.BackupPolicy(Status="ENABLED"),
            Encrypted=True,
            FileSystemPolicy={"Version": VERSION, "Statement": [_deny(sid) for sid in _DENIED]},
            KmsKeyId=(key or Key.of(stack)).arn,
            PerformanceMode="generalPurpose",
            ThroughputMode=throughput,
        )
        if moves := _moves(infrequent_days, archive_days):
            self.resource.LifecyclePolicies = moves
        suppress(self.resource, "resource-policy-self", "not-in-backup-plan")
        self.add(self.resource, stateful=True)

        group = SecurityGroup(stack, f"{name}-file-system", vpc_id=network.vpc_id)
        self.security_group = group.group_id
        targets = [self._target(number, subnet) for number, subnet in enumerate(subnets, 1)]
        for point, settings in points.items():
            self._access_point(point, settings, targets)

    @property
    def arn(self) -> Value:
        """ARN of the file system."""
        return self.attribute("Arn")

    @property
    def file_system_id(self) -> Value:
        """Id of the file system: ``fs-...``."""
        return self.ref()

    def mount(
        self, access_point: str | None = None, *, path: str = "/mnt/data", read_only: bool = False
    ) -> FileSystemMount:
        """Return what a function, a container or an instance needs to mount it.

        Args:
            access_point: name of the access point; it may be left out where there is only one.
            path: the folder the code sees it as: ``/mnt/`` and a name.
            read_only: the caller may read files only.

        Raises:
            WiringError: there is no such access point, or several to choose from.
        """
        known = ", ".join(self._points)
        if access_point is None:
            if len(self._points) > 1:
                raise WiringError(f"{self}: access_point must be one of {known}, got none; name it")
            access_point = known
        if access_point not in self._points:
            raise WiringError(f"{self}: access_point must be one of {known}, got {access_point!r}; correct it")
        return FileSystemMount(
            self.attribute("Arn", _point(access_point)),
            self.arn,
            path,
            self.security_group,
            read_only=read_only,
            name=self.name,
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that the file system holds its callers up."""
        dimensions = {"FileSystemId": self.file_system_id}
        found = [
            Watch(
                "io", f"Use of the operations {self} can make, percent", "AWS/EFS", "PercentIOLimit", dimensions,
                "Average", 90, periods=3,
            )
        ]  # fmt: skip
        if self._bursting:
            found.append(
                Watch(
                    "credits", f"Bytes {self} may still burst", "AWS/EFS", "BurstCreditBalance", dimensions,
                    "Minimum", _CREDITS_LOW, comparison="<",
                )
            )  # fmt: skip
        return found

    def _target(self, number: int, subnet: Value) -> str:
        title = self.id(f"MountTarget{number}")
        self.add(efs.MountTarget(title, FileSystemId=self.ref(), SecurityGroups=[self.security_group], SubnetId=subnet))
        return title

    def _access_point(self, point: str, settings: AccessPoint, targets: Sequence[str]) -> None:
        user, group = str(settings.user_id), str(settings.group_id)
        self.add(
            efs.AccessPoint(
                self.id(_point(point)),
                FileSystemId=self.ref(),
                PosixUser=efs.PosixUser(Uid=user, Gid=group),
                RootDirectory=efs.RootDirectory(
                    CreationInfo=efs.CreationInfo(OwnerUid=user, OwnerGid=group, Permissions=settings.permissions),
                    Path=settings.path or f"/{point}",
                ),
                # Whoever mounts it then also waits until there is something to mount.
                DependsOn=list(targets),
            )
        )


def _point(name: str) -> str:
    return f"{pascal(name)}AccessPoint"


def _deny(sid: str) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": [f"elasticfilesystem:{action}" for action in _CLIENT],
        "Resource": "*",
        "Condition": _DENIED[sid],
    }


def _moves(infrequent_days: int | None, archive_days: int | None) -> list[efs.LifecyclePolicy]:
    moves = {"TransitionToIA": infrequent_days, "TransitionToArchive": archive_days}
    found = [
        efs.LifecyclePolicy(**{move: f"AFTER_{days}_DAY{'S' * (days > 1)}"})
        for move, days in moves.items()
        if days is not None
    ]
    return [*found, efs.LifecyclePolicy(TransitionToPrimaryStorageClass="AFTER_1_ACCESS")] if found else []
