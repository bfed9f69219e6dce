"""Namespaces in which services find each other by name."""

from __future__ import annotations

from troposphere import servicediscovery

from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value


class Namespace(Component):
    """A Cloud Map namespace in which the services of a cluster find each other by name, through ECS Service Connect.

    Creates ``<Name>Namespace``, called ``<app>-<environment>-<name>`` in AWS.

    See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-connect-concepts.html

    Args:
        stack: where the resources go.
        name: kebab-case.

    Attributes:
        resource: the ``AWS::ServiceDiscovery::HttpNamespace``.
    """

    kind = "Namespace"

    def __init__(self, stack: Stack, name: str) -> None:
        super().__init__(stack, name)
        app = stack.app
        self.resource = servicediscovery.HttpNamespace(
            self.id(),
            Description=f"Services of {app.name} ({app.environment})",
            Name=f"{app.name}-{app.environment}-{name}",
        )
        self.add(self.resource)

    @property
    def arn(self) -> Value:
        """ARN of the namespace."""
        return self.attribute("Arn")
