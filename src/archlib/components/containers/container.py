"""What services and tasks run alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from troposphere import ecs

from archlib.components.containers.image import Image
from archlib.components.containers.sidecar import LEAST_MIB, OTLP, ContainerHealth, Sidecar, check_user, collector
from archlib.components.containers.sizes import check_size
from archlib.core.component import Check
from archlib.wiring.mount import FileSystemMount
from archlib.wiring.roles import Network

Architecture = Literal["arm64", "x86_64"]
Protocol = Literal["http", "http2", "grpc", "tcp"]

NEEDS_ENDPOINTS = ("ecr.api", "ecr.dkr", "logs")
"""Interface endpoints without which no task starts in a network without internet.

Beside these ``xray`` with ``tracing``, ``ssmmessages`` with ``allow_exec``, ``secretsmanager`` and ``ssm`` for what is
injected, and those of the APIs that the code calls.
"""

NO_WAY = "give the network endpoints, or set internet to true in one with NAT"
"""What to do where a network has no way to AWS."""

PROXY_MIB = 64
"""Memory that the proxy of Service Connect takes."""

ARCHITECTURES: dict[str, str] = {"arm64": "ARM64", "x86_64": "X86_64"}
_PROTOCOLS = ("http", "http2", "grpc", "tcp")
_PORTS = (1024, 65_535)
_STOP = (timedelta(seconds=2), timedelta(seconds=120))
_STORAGE = (21, 200)
_FOLDER = re.compile(r"(?!.{256})(?!/(proc|sys|dev)(/|$))(/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+)+")
_SHELL_WRITES = ("/var/lib/amazon", "/var/log/amazon")


@dataclass(frozen=True, slots=True)
class Container:
    """What services and tasks take alike; see :class:`~archlib.components.containers.service.FargateService`."""

    image: Image | str
    cpu: int
    memory_mib: int
    architecture: Architecture
    command: Sequence[str]
    user: str
    writable: Sequence[str]
    storage_gib: int | None
    file_systems: Sequence[FileSystemMount]
    stop_timeout: timedelta
    sidecars: Sequence[Sidecar]
    tracing: bool
    collector: Image | str
    internet: bool
    port: int | None = None
    protocol: Protocol = "http"
    health: ContainerHealth | None = None
    allow_exec: bool = False
    reserved_mib: int = 0

    @property
    def beside(self) -> tuple[Sidecar, ...]:
        """All sidecars."""
        sidecars = tuple(self.sidecars)
        return (*sidecars, collector(self.collector)) if self.tracing else sidecars

    @property
    def main_mib(self) -> int:
        """Memory that the main container has."""
        return self.memory_mib - self.reserved_mib - sum(sidecar.memory_mib for sidecar in self.beside)

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders that can be written to."""
        return (*self.writable, *(_SHELL_WRITES if self.allow_exec else ()))

    def check(self, check: Check, network: Network) -> None:
        """Note what is wrong with it in ``network``."""
        check_size(check, self.cpu, self.memory_mib)
        taken = self.memory_mib - self.main_mib
        check.that(
            self.main_mib >= LEAST_MIB,
            "memory_mib", f"{taken + LEAST_MIB} or more, as all beside the main container takes {taken}",
            self.memory_mib, "take more, or let the sidecars have less",
        )  # fmt: skip
        check.one_of("architecture", self.architecture, ARCHITECTURES)
        check.one_of("protocol", self.protocol, _PROTOCOLS)
        check.between("port", self.port, *_PORTS, "lower ones need root")
        check_user(check, "user", self.user)
        check.between("storage_gib", self.storage_gib, *_STORAGE)
        check.between("stop_timeout", self.stop_timeout, *_STOP)
        for folder in self.writable:
            check.that(
                _FOLDER.fullmatch(folder),
                "writable", "absolute folders such as '/tmp', outside /dev, /proc and /sys", folder,
            )  # fmt: skip
        check.that(
            len(set(map(_volume, self.folders))) == len(self.folders),
            "writable", "folders that differ in more than signs between letters", self.folders, "remove one",
        )  # fmt: skip
        _check_unique(check, "sidecars", [sidecar.name for sidecar in self.beside])
        _check_unique(check, "file_systems", [mount.name for mount in self.file_systems])
        _check_unique(check, "file_systems.path", [mount.path for mount in self.file_systems])
        mounted = {mount.path for mount in self.file_systems}
        check.that(mounted.isdisjoint(self.folders), "writable", "without folders of file_systems", list(self.folders))
        check.that(
            not (self.tracing and self.port == OTLP), "port", f"another than {OTLP}, on which the collector listens",
            self.port,
        )  # fmt: skip
        ports = [sidecar.port for sidecar in self.beside if sidecar.port is not None]
        check.that(self.port not in ports, "port", "another than those of the sidecars", self.port)
        _check_unique(check, "sidecars.port", ports)
        Image.of(self.image).check(check, "image", internet=self.internet)
        for sidecar in self.beside:
            sidecar.check(check, f"sidecars.{sidecar.name}", internet=self.internet)
        for mount in self.file_systems:
            mount.check(check)
        if self.health is not None:
            self.health.check(check, "health")
        apis = network.for_aws_apis()
        check.that(
            self.internet or (apis is not None and apis.security_group is not None),
            "network", f"one with endpoints of {', '.join(NEEDS_ENDPOINTS)}", None,
            NO_WAY,
        )  # fmt: skip

    def volumes(self) -> list[ecs.Volume]:
        """Return what the main container may write to, and the file systems."""
        return [
            *(ecs.Volume(Name=_volume(folder)) for folder in self.folders),
            *(
                ecs.Volume(
                    Name=f"efs_{mount.name}",
                    EFSVolumeConfiguration=ecs.EFSVolumeConfiguration(
                        AuthorizationConfig=ecs.AuthorizationConfig(AccessPointId=mount.access_point_id, IAM="ENABLED"),
                        FilesystemId=mount.file_system_id,
                        TransitEncryption="ENABLED",
                    ),
                )
                for mount in self.file_systems
            ),
        ]

    def mount_points(self) -> list[ecs.MountPoint]:
        """Return where the main container sees the volumes."""
        return [
            *(
                ecs.MountPoint(ContainerPath=folder, ReadOnly=False, SourceVolume=_volume(folder))
                for folder in self.folders
            ),
            *(
                ecs.MountPoint(ContainerPath=mount.path, ReadOnly=mount.read_only, SourceVolume=f"efs_{mount.name}")
                for mount in self.file_systems
            ),
        ]


def _check_unique(check: Check, field: str, names: Sequence[object]) -> None:
    check.that(len(set(names)) == len(names), field, "different from each other", list(names))


def _volume(folder: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", folder).strip("-")
