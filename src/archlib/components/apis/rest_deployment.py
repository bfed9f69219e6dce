"""Deployments of REST APIs: frozen copies, since API Gateway never shows a change by itself."""

from __future__ import annotations

from collections.abc import Callable

from troposphere import AWSObject, apigateway

from archlib.core.component import Component
from archlib.core.stack import R
from archlib.core.values import Deferred


class Deployment:
    """The copy of a REST API that its stage shows, made anew whenever what it holds changes.

    Args:
        api: the API.
        describe: makes its description once everything is wired.
        content: what it holds already; more comes with :meth:`hold`.
    """

    # Only two properties replace a deployment: RestApiId, and DeploymentCanarySettings, which API Gateway refuses
    # without a stage that it deploys to at once; then the stage could not be a resource of its own. So the logical id
    # has to change. Earlier deployments are kept like data, so that the stage can go back to one and a canary can leave
    # traffic on it; they go with the API.

    def __init__(self, api: Component, describe: Callable[[], str], *content: AWSObject) -> None:
        self._api = api
        self._held = [str(resource.title) for resource in content]
        self._awaited: list[str] = []
        deployment = apigateway.Deployment(api.id("Deployment"), Description=Deferred(describe), RestApiId=api.ref())
        # The list itself, since it grows.
        deployment.resource["DependsOn"] = self._awaited
        api.add(deployment, stateful=True)
        api.stack.renew(api.id("Deployment"), self._held)

    def hold(self, resource: R) -> R:
        """Add a resource of the API to its stack; when it changes, there is a new deployment."""
        self._held.append(str(resource.title))
        return self._api.add(resource)

    def wait_for(self, resource: R) -> R:
        """Add one that must also exist before the deployment, which does not refer to it."""
        self._awaited.append(str(resource.title))
        return self.hold(resource)
