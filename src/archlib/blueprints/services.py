"""What blueprints with containers share: repositories, a cluster, and how a service is made of its settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from archlib.blueprints.entry import numbered, shards
from archlib.blueprints.serverless import SERVICES, Serverless
from archlib.blueprints.serverless_settings import FunctionSettings
from archlib.components.containers.cluster import Cluster
from archlib.components.containers.container import NEEDS_ENDPOINTS
from archlib.components.containers.deployment import Deployment
from archlib.components.containers.image import Image
from archlib.components.containers.repository import Repository
from archlib.components.containers.service import FargateService
from archlib.core.stack import Stack
from archlib.errors import WiringError

CONSUMED = {"queues": "for_consuming", "streams": "for_reading"}
"""How code that is no function takes from each kind of source: the method that returns the binding."""

_INJECTED = {"secrets": "for_reading", "databases": "for_connecting", "caches": "for_connecting"}
# Each has two outputs, and a stack has at most 200.
_REPOSITORIES_MOST = 75


class Services(Serverless):
    """Base of blueprints with containers, beside all that serverless has."""

    cluster: Cluster

    def make_cluster(self, chosen: Any) -> None:
        """Make the repositories and the cluster of the settings ``chosen``."""
        where = f"{self.app.name} ({self.app.environment})"
        self.repositories: dict[str, Repository] = {}
        placed = shards(dict.fromkeys(chosen.repositories, 1), _REPOSITORIES_MOST)
        for name, repository in chosen.repositories.items():
            with self.at("repositories", name):
                images = self.app.stack(numbered("images", placed[name]), description=f"Container images of {where}")
                made = self.repositories[name] = Repository(images, name, **repository.arguments())
                # Ready for the first service that runs an image, so that it does not change this stack.
                images.publish(made.uri, made.arn)
        with self.at("cluster"):
            self.alone("cluster")
            stack = self.app.stack("cluster", description=f"Cluster of {where}")
            self.cluster = Cluster(stack, self.app.name, **chosen.cluster.arguments())
        self.settle()

    def endpoints_of(self, chosen: Any) -> set[str]:
        """Return what the containers of these settings reach by interface endpoints, beside what their code uses."""
        ways = {"xray": chosen.tracing, "ssmmessages": chosen.allow_exec}
        return {*NEEDS_ENDPOINTS, *(service for service, wanted in ways.items() if wanted)}

    def make_service(self, stack: Stack, name: str, chosen: Any) -> FargateService:
        """Return the service ``name`` as its settings say."""
        given = chosen.arguments()
        deployment = replace(given["deployment"] or Deployment(), notify=self.alarm_topic)
        return FargateService(
            stack,
            name,
            cluster=self.cluster,
            network=self.network,
            **{
                **given,
                "image": self._image(chosen, "image"),
                "collector": self._image(chosen, "collector"),
                "deployment": deployment,
                "file_systems": [self.mount(chosen.mounts)] if chosen.mounts else [],
            },
        )

    def _called(self, chosen: Any) -> Iterator[str]:
        yield from super()._called(chosen)
        # To a function, messages are brought; all other code fetches them.
        if not isinstance(chosen, FunctionSettings):
            if getattr(chosen, "injects", None):
                yield "secretsmanager"
            named = {reference.rpartition("/")[2] for reference in chosen.consumes}
            yield from (SERVICES[kind] for kind in CONSUMED if named & getattr(self.settings, kind).keys())

    def take(self, place: tuple[str, str], chosen: Any) -> None:
        """Connect the code whose settings ``chosen`` are at ``place`` to the queues and streams that it takes from."""
        for number, reference in enumerate(chosen.consumes):
            with self.at(*place, "consumes", number):
                kind, component = self.find(reference, *CONSUMED)
                self.caller(*place).connect(getattr(component, CONSUMED[kind])())

    def inject(self, place: tuple[str, str], chosen: Any) -> None:
        """Put the values of the secrets that the settings ``chosen`` at ``place`` name into the environment there."""
        for variable, reference in chosen.injects.items():
            with self.at(*place, "injects", variable):
                name, _, json_key = reference.partition(":")
                kind, component = self.find(name, *_INJECTED)
                secret = getattr(component, _INJECTED[kind])()
                self.caller(*place).inject(secret, variable, json_key=json_key or None)

    def alone(self, part: str) -> None:
        """Refuse a second blueprint with ``part`` in the same app: it would be called like the first one's."""
        other: Services = self.app.once(part, lambda: self)
        if other is not self:
            raise WiringError(
                f"{part}: must be one in an app, and its blueprint {other.name!r} has one already; put both into one "
                "blueprint, or this one into an app of its own"
            )

    def _image(self, chosen: Any, field: str) -> Image | str:
        """Return the image of a repository of this app, or the full name as it is."""
        image: Image | str = getattr(chosen, field)
        repository, _, tag = image.partition(":") if isinstance(image, str) else ("/", "", "")
        if "/" in repository:
            return image
        with self.about(field):
            found: Repository = self.find(repository, "repositories")[1]
            if not tag:
                raise WiringError(f"image {image!r}: must have a tag, got none; write '{repository}:<tag>'")
            return found.image(tag)
