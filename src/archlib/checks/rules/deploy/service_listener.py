"""E9114: an ECS service waits for the listener of its target group."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import dependencies, named, resources, walk


class ServiceListener(Rule):
    """A service may be created before its target group has a load balancer, and ECS refuses that."""

    id = "E9114"
    shortdesc = "Services depend on the listener or rule that uses their target group"
    description = "Add the listener, or the listener rule, to the DependsOn of the service."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-dependson.html"

    def find(self, cfn: Template) -> Found:
        """Yield each target group whose listener may come too late."""
        groups = resources(cfn, "AWS::ElasticLoadBalancingV2::TargetGroup")
        kinds = ("AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule")
        users: dict[str, set[str]] = {}
        for listener in resources(cfn, *kinds).values():
            for _, node in walk(listener.properties, ()):
                if group := named(node, groups):
                    users.setdefault(group.name, set()).add(listener.name)
        for service in resources(cfn, "AWS::ECS::Service").values():
            before = dependencies(cfn, service.name)
            for path, value in service.find("LoadBalancers", "*", "TargetGroupArn"):
                group = named(value, groups)
                wanted = users.get(group.name, set()) if group else set()
                if group and wanted and before is not None and not wanted & before:
                    name = min(wanted)
                    late = f"{service.name} may be created before {name} gives {group.name} a load balancer"
                    yield path, f"{late}; add DependsOn: {name}"
