"""What can be chosen about a multi-tier architecture, beside all that serverless has."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from archlib.blueprints.base import Settings
from archlib.blueprints.derive import settings_of
from archlib.blueprints.entry_settings import EntrySettings, Route
from archlib.blueprints.microservices_settings import (
    ClusterSettings,
    ContainersSettings,
    ProgramUses,
    RepositorySettings,
)
from archlib.blueprints.serverless_settings import FunctionSettings, ServerlessSettings
from archlib.components.compute.instances import Instances
from archlib.components.edge.distribution import Distribution
from archlib.components.storage.bucket import Bucket

_BLUEPRINT_DECIDES = ("origin", "behaviors", "domains", "certificate", "firewall")


class FilesSettings(settings_of(Bucket)):
    """The bucket that holds the files."""


class PresentationSettings(settings_of(Distribution, without=_BLUEPRINT_DECIDES)):
    """The presentation tier: files in a bucket, delivered by CloudFront, which is then the entry."""

    files: FilesSettings = FilesSettings()
    """The bucket that holds the files."""


class InstancesSettings(settings_of(Instances, without=("network", "file_systems", "notify")), ProgramUses):
    """A group of EC2 instances."""

    mounts: str | None = None
    """File system it sees as the folder ``/mnt/data``, or one access point of it: ``files/images``."""


class ApplicationSettings(Settings):
    """The application tier: exactly one of the first three, behind a load balancer."""

    instances: InstancesSettings | None = None
    """A group of EC2 instances."""

    service: ContainersSettings | None = None
    """A service of containers on Fargate."""

    function: FunctionSettings | None = None
    """A Lambda function."""

    routes: tuple[Route, ...] = ()
    """Requests it gets; by default all, or those to ``/api/*`` beside a presentation tier."""


class MultiTierSettings(EntrySettings, ServerlessSettings):
    """Everything that can be chosen about a multi-tier architecture, and about the serverless parts beside it."""

    presentation: PresentationSettings | None = None
    """The presentation tier; without one, the application answers everything."""

    application: ApplicationSettings
    """The application tier."""

    repositories: Mapping[str, RepositorySettings] = Field(default_factory=dict)
    """Repositories of container images by name."""

    cluster: ClusterSettings = ClusterSettings()
    """The cluster, for a service of containers."""
