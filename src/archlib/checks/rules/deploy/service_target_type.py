"""E9112: tasks with their own network address are registered by that address."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import named, resources


class ServiceTargetType(Rule):
    """Tasks in network mode awsvpc are sent to a target group of instances."""

    id = "E9112"
    shortdesc = "Tasks in awsvpc mode need a target group of type ip"
    description = "Set TargetType: ip on the target group; its default is instance."
    source_url = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/alb.html"

    def find(self, cfn: Template) -> Found:
        """Yield each use of a target group of the wrong type."""
        tasks = resources(cfn, "AWS::ECS::TaskDefinition")
        groups = resources(cfn, "AWS::ElasticLoadBalancingV2::TargetGroup")
        for service in resources(cfn, "AWS::ECS::Service").values():
            task = named(service.get("TaskDefinition"), tasks)
            if task is None or task.get("NetworkMode") != "awsvpc":
                continue
            for path, value in service.find("LoadBalancers", "*", "TargetGroupArn"):
                group = named(value, groups)
                if group and group.properties.get("TargetType", "instance") == "instance":
                    message = (
                        f"{task.name} uses awsvpc, {group.name} has target type instance; set TargetType: ip there"
                    )
                    yield path, message
