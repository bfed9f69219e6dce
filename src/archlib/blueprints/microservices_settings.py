"""What can be chosen about microservices: services and their routes, beside all that serverless has."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from archlib.blueprints.derive import settings_of
from archlib.blueprints.entry_settings import EntrySettings, Route
from archlib.blueprints.serverless_settings import Names, ServerlessSettings, Uses
from archlib.components.containers.cluster import Cluster
from archlib.components.containers.kubernetes import KubernetesCluster
from archlib.components.containers.kubernetes_workload import Workload
from archlib.components.containers.repository import Repository
from archlib.components.containers.service import FargateService


class RepositorySettings(settings_of(Repository)):
    """A repository of container images."""


class ClusterSettings(settings_of(Cluster, without=("instances",))):
    """The cluster of the services."""


class ProgramUses(Uses):
    """What code uses that runs for long and is no function."""

    connects_to: Names = ()
    """Databases and caches it connects to."""

    consumes: Names = ()
    """Queues it takes messages from, and streams it reads."""


class ContainersSettings(
    settings_of(FargateService, without=("cluster", "network", "image", "file_systems")), ProgramUses
):
    """A service of containers on Fargate."""

    image: str
    """Image of the main container: ``orders:1.4`` of one of ``repositories``, or the full name of one in ECR."""

    injects: Mapping[str, str] = Field(default_factory=dict)
    """Environment variable -> the secret whose value ECS puts there when a task starts: ``signing``, or one key of a
    secret that is JSON, such as the password of a database: ``orders:password``."""

    mounts: str | None = None
    """File system it sees as the folder ``/mnt/data``, or one access point of it: ``files/images``."""


class ServiceSettings(ContainersSettings):
    """A service, what it uses, and which requests it gets."""

    routes: tuple[Route, ...] = ()
    """Requests of the public entry that come here: paths such as ``/orders/*``, or more; none for an internal one."""

    calls: Names = ()
    """Services it calls by their names."""


class KubernetesSettings(settings_of(KubernetesCluster, without=("network",))):
    """An EKS cluster."""


class WorkloadSettings(settings_of(Workload, without=("cluster",)), ProgramUses):
    """What the pods of one service account use."""


class MicroservicesSettings(EntrySettings, ServerlessSettings):
    """Everything that can be chosen about microservices, and about the serverless parts beside them."""

    services: Mapping[str, ServiceSettings] = Field(default_factory=dict)
    """Services by name."""

    repositories: Mapping[str, RepositorySettings] = Field(default_factory=dict)
    """Repositories of container images by name."""

    cluster: ClusterSettings = ClusterSettings()
    """The cluster of the services."""

    kubernetes: KubernetesSettings | None = None
    """An EKS cluster, for ``workloads``, instead of services or beside them."""

    workloads: Mapping[str, WorkloadSettings] = Field(default_factory=dict)
    """What runs in the EKS cluster, by name: rights, addresses and open ports; the pods are yours to apply."""
