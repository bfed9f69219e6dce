"""E9111: an ECS service sends traffic to a container and port its task definition has."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Resource, named, number, resources


class ServiceContainer(Rule):
    """A service names a container or port that is not in its task definition."""

    id = "E9111"
    shortdesc = "LoadBalancers of a service name an existing container and port"
    description = (
        "ContainerName and ContainerPort must be those of a container and port mapping of the task definition."
    )
    source_url = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LoadBalancer.html"

    def find(self, cfn: Template) -> Found:
        """Yield each container or port that does not exist."""
        tasks = resources(cfn, "AWS::ECS::TaskDefinition")
        for service in resources(cfn, "AWS::ECS::Service").values():
            task = named(service.get("TaskDefinition"), tasks)
            containers = _containers(task) if task else None
            if task is None or containers is None:
                continue
            for path, target in service.find("LoadBalancers", "*"):
                name = target.get("ContainerName") if isinstance(target, dict) else None
                if not isinstance(name, str):
                    continue
                if name not in containers:
                    message = f"{task.name} has no container {name}; use {', '.join(sorted(containers))}"
                    yield (*path, "ContainerName"), message
                    continue
                port, ports = number(target.get("ContainerPort")), containers[name]
                if port is not None and ports is not None and port not in ports:
                    message = f"container {name} of {task.name} has no port {port}; add it to PortMappings"
                    yield (*path, "ContainerPort"), message


def _containers(task: Resource) -> dict[str, set[int] | None] | None:
    """Return the ports of each container, None for what cannot be told."""
    found: dict[str, set[int] | None] = {}
    definitions = task.plain("ContainerDefinitions")
    for definition in definitions or ():
        if not isinstance(definition, dict) or not isinstance(definition.get("Name"), str):
            return None
        found[definition["Name"]] = _ports(definition.get("PortMappings", []))
    return found if definitions else None


def _ports(mappings: Any) -> set[int] | None:
    if not isinstance(mappings, list) or not all(isinstance(mapping, dict) for mapping in mappings):
        return None
    ports = [number(mapping.get("ContainerPort")) for mapping in mappings]
    return None if None in ports else {port for port in ports if port is not None}
