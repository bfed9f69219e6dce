"""The role with which API Gateway writes the logs of a whole account and region."""

from __future__ import annotations

from troposphere import apigateway

from archlib.components.identity.role import Role
from archlib.core.app import App
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import arn
from archlib.wiring.binding import Grant

_WRITE = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogStreams",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:PutLogEvents",
)


class ApiLogging(Component):
    """The account's setting that lets REST and WebSocket APIs write logs.

    Creates ``<Name>ApiGatewayAccount``, ``<Name>Role`` and ``<Name>Policy``. The setting holds for every API of the
    account in the region, so all three stay when the stack goes, whatever the app's removal policy, and the role may
    write to any log group.

    See https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html

    Args:
        stack: where the resources go.
        name: kebab-case.

    Attributes:
        resource: the ``AWS::ApiGateway::Account``.
        role: the :class:`Role` API Gateway writes with.
    """

    kind = "ApiGatewayAccount"

    def __init__(self, stack: Stack, name: str) -> None:
        super().__init__(stack, name)
        self.role = Role(stack, name, service="apigateway", description="API Gateway writes logs with it")
        self.role.allow(Grant(("logs:DescribeLogGroups",), ("*",)), why="logs of every API")
        self.role.allow(Grant(_WRITE, (arn("logs", "log-group:*"),)), why="logs of every API")
        self.resource = apigateway.Account(self.id(), CloudWatchRoleArn=self.role.arn, DependsOn=self.role.policy)
        self.add(self.resource)
        for resource in (self.resource, self.role.resource, stack.template.resources[self.role.policy]):
            resource.DeletionPolicy = resource.UpdateReplacePolicy = "Retain"

    @classmethod
    def of(cls, app: App) -> ApiLogging:
        """Return the app's one setting, made the first time in the stack ``foundation``."""
        return app.once(
            "api-logging",
            lambda: cls(app.stack("foundation", description="Encryption key and access logs"), "api-logging"),
        )
