from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archlib.components.containers.service import FargateService
from archlib.components.containers.sidecar import ContainerHealth, Sidecar
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError
from contract.factories.containers import IMAGE, MOUNT, NETWORK

USER = "user must be a user or user:group by numbers from 1 to 2147483647, such as '1000:1000'"
FOLDERS = "writable must be absolute folders such as '/tmp', outside /dev, /proc and /sys"
CLOSED = Vpc.lookup(vpc_id=NETWORK.vpc_id, private_subnets=NETWORK.private_subnets)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"cpu": 256, "memory_mib": 4096}, "memory_mib must be 512, 1024 or 2048 MiB with cpu 256, got 4096"),
        (
            {"sidecars": [Sidecar("big", IMAGE, memory_mib=448)]},
            "memory_mib must be 518 or more, as all beside the main container takes 512, got 512; take more",
        ),
        ({"architecture": "arm"}, "architecture must be one of arm64, x86_64, got 'arm'"),
        ({"protocol": "udp"}, "protocol must be one of http, http2, grpc, tcp, got 'udp'"),
        ({"port": 80}, "port must be 1024 to 65535, got 80; lower ones need root"),
        ({"user": "0"}, f"{USER}, got '0'"),
        ({"user": "root"}, f"{USER}, got 'root'"),
        ({"user": "1000:0"}, f"{USER}, got '1000:0'"),
        ({"user": "2147483648"}, f"{USER}, got '2147483648'"),
        ({"user": "1000:9999999999"}, f"{USER}, got '1000:9999999999'"),
        ({"user": "1000:"}, f"{USER}, got '1000:'"),
        ({"storage_gib": 20}, "storage_gib must be 21 to 200, got 20"),
        ({"stop_timeout": timedelta(seconds=121)}, "stop_timeout must be 2s to 2m, got 2m1s"),
        ({"writable": ["tmp"]}, f"{FOLDERS}, got 'tmp'"),
        ({"writable": ["/"]}, f"{FOLDERS}, got '/'"),
        ({"writable": ["/cache/"]}, FOLDERS),
        ({"writable": ["/var/../etc"]}, FOLDERS),
        ({"writable": ["/proc/sys"]}, FOLDERS),
        ({"writable": ["/" + "a" * 256]}, FOLDERS),
        ({"writable": ["/a", "/a"]}, "writable must be folders that differ in more than signs between letters, got ["),
        ({"writable": ["/a/b", "/a-b"]}, "writable must be folders that differ in more than signs between letters"),
        ({"sidecars": [Sidecar("a", IMAGE), Sidecar("a", IMAGE)]}, "sidecars must be different from each other"),
        ({"file_systems": [MOUNT, replace(MOUNT, path="/mnt/more")]}, "file_systems must be different from each other"),
        ({"file_systems": [MOUNT, replace(MOUNT, name="more")]}, "file_systems.path must be different from each other"),
        ({"sidecars": [Sidecar("a", IMAGE, port=8080)]}, "port must be another than those of the sidecars, got 8080"),
        (
            {"sidecars": [Sidecar("a", IMAGE, port=9000), Sidecar("b", IMAGE, port=9000)]},
            "sidecars.port must be different from each other, got [9000, 9000]",
        ),
        ({"sidecars": [Sidecar("a", IMAGE, user="0")]}, f"sidecars.a.{USER}, got '0'"),
        ({"sidecars": [Sidecar("a", IMAGE, environment={"A-B": "c"})]}, "sidecars.a.environment.A-B must be named by"),
        ({"file_systems": [replace(MOUNT, path="/data")]}, "file_system.path must be /mnt/ and a name"),
        ({"image": "nginx:1.27"}, "image must be in ECR"),
        ({"health": ContainerHealth("")}, "health.command must be a command line, got ''"),
        ({"tracing": True}, "sidecars.collector.image must be in ECR"),
        ({"network": CLOSED}, "network must be one with endpoints of ecr.api, ecr.dkr, logs, got nothing"),
    ],
)
def test_what_cannot_work_is_refused(
    serve: Callable[..., FargateService], settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SettingsError) as error:
        serve(**settings)

    assert f"service 'orders': {problem}" in str(error.value)
    assert len(error.value.problems) == 1


def test_all_problems_come_at_once(serve: Callable[..., FargateService]) -> None:
    with pytest.raises(SettingsError) as error:
        serve(image="nginx", cpu=1, port=80, user="root", spot=101)

    assert len(error.value.problems) == 5


def test_folders_are_volumes_that_end_with_the_task(
    serve: Callable[..., FargateService],
    containers: Callable[[], dict[str, Any]],
    properties: Callable[[str], dict[str, Any]],
) -> None:
    serve(writable=["/tmp", "/var/cache"], storage_gib=50)  # noqa: S108  (inside the container)

    assert properties("OrdersServiceTask")["Volumes"] == [{"Name": "tmp"}, {"Name": "var-cache"}]
    assert properties("OrdersServiceTask")["EphemeralStorage"] == {"SizeInGiB": 50}
    assert containers()["main"]["MountPoints"] == [
        {"ContainerPath": "/tmp", "ReadOnly": False, "SourceVolume": "tmp"},  # noqa: S108
        {"ContainerPath": "/var/cache", "ReadOnly": False, "SourceVolume": "var-cache"},
    ]


def test_nothing_is_writable_by_default(
    serve: Callable[..., FargateService],
    containers: Callable[[], dict[str, Any]],
    properties: Callable[[str], dict[str, Any]],
) -> None:
    serve()

    assert "MountPoints" not in containers()["main"]
    assert "Volumes" not in properties("OrdersServiceTask")


def test_file_systems_are_reached_by_their_access_point_and_tls(
    serve: Callable[..., FargateService],
    containers: Callable[[], dict[str, Any]],
    rendered: Callable[[], dict[str, Any]],
) -> None:
    serve(file_systems=[replace(MOUNT, name="models", path="/mnt/models", read_only=True)])

    found = rendered()
    rights = found["OrdersServicePolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert found["OrdersServiceTask"]["Properties"]["Volumes"] == [
        {
            "Name": "efs_models",
            "EFSVolumeConfiguration": {
                "AuthorizationConfig": {"AccessPointId": "fsap-0123456789abcdef0", "IAM": "ENABLED"},
                "FilesystemId": "fs-0123456789abcdef0",
                "TransitEncryption": "ENABLED",
            },
        }
    ]
    assert containers()["main"]["MountPoints"] == [
        {"ContainerPath": "/mnt/models", "ReadOnly": True, "SourceVolume": "efs_models"}
    ]
    assert [statement["Action"] for statement in rights] == [["elasticfilesystem:ClientMount"]]
    assert {"OrdersToModels2049Ingress", "OrdersToModels2049Egress"} <= set(found["OrdersService"]["DependsOn"])
