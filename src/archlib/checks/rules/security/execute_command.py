"""W9206: shells into containers are encrypted and logged."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Resource, named, resources
from archlib.checks.rules.security._values import is_true


class ExecuteCommand(Rule):
    """ECS Exec is on for a service in a cluster that neither encrypts nor records the sessions."""

    id = "W9206"
    shortdesc = "ECS Exec is encrypted and logged"
    description = (
        "Set EnableExecuteCommand to false, or set KmsKeyId, Logging: OVERRIDE and LogConfiguration in the cluster's "
        "ExecuteCommandConfiguration."
    )
    source_url = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html"

    def find(self, cfn: Template) -> Found:
        """Yield each such service whose cluster is in the template."""
        clusters = resources(cfn, "AWS::ECS::Cluster")
        for service in resources(cfn, "AWS::ECS::Service").values():
            cluster = named(service.get("Cluster"), clusters)
            for path, value in service.find("EnableExecuteCommand"):
                if is_true(value) and cluster and not _records(cluster):
                    message = (
                        f"shells into {service.name} leave no trace; switch them off, or set KmsKeyId and "
                        f"LogConfiguration in ExecuteCommandConfiguration of {cluster.name}"
                    )
                    yield path, message


def _records(cluster: Resource) -> bool:
    """Whether its sessions are encrypted and logged, under some condition at least."""
    return any(
        not isinstance(settings, dict)
        or ("KmsKeyId" in settings and "LogConfiguration" in settings and settings.get("Logging") != "NONE")
        for _, settings in cluster.find("Configuration", "ExecuteCommandConfiguration")
    )
