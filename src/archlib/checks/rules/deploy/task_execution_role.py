"""E9113: tasks that need ECS to act for them have an execution role."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Resource, literal, resources


class TaskExecutionRole(Rule):
    """A task definition without execution role uses what only that role can fetch or write."""

    id = "E9113"
    shortdesc = "Secrets, Fargate logs and private images need an execution role"
    description = "Set ExecutionRoleArn to a role that ecs-tasks.amazonaws.com may assume."
    source_url = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html"

    def find(self, cfn: Template) -> Found:
        """Yield each container that needs the missing role."""
        for task in resources(cfn, "AWS::ECS::TaskDefinition").values():
            if "ExecutionRoleArn" in task.properties:
                continue
            for path, container in task.find("ContainerDefinitions", "*"):
                need = _need(task, container) if isinstance(container, dict) else None
                if need:
                    what, key = need
                    yield (*path, key), f"{what} needs an execution role; set ExecutionRoleArn"


def _need(task: Resource, container: dict[str, Any]) -> tuple[str, str] | None:
    """Return what needs the role, and its key."""
    if isinstance(container.get("Secrets"), list) and container["Secrets"]:
        return "a secret", "Secrets"
    if isinstance(container.get("RepositoryCredentials"), dict):
        return "a private registry", "RepositoryCredentials"
    compatible = task.get("RequiresCompatibilities")
    if not isinstance(compatible, list) or "FARGATE" not in compatible:
        return None
    logs = container.get("LogConfiguration")
    if isinstance(logs, dict) and logs.get("LogDriver") == "awslogs":
        return "awslogs on Fargate", "LogConfiguration"
    if ".dkr.ecr." in (literal(container.get("Image")) or ""):
        return "an ECR image on Fargate", "Image"
    return None
