"""E9109: the rules of a listener have different priorities."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import number, resources


class RulePriority(Rule):
    """Two rules of a listener have the same priority."""

    id = "E9109"
    shortdesc = "Priorities are unique within a listener"
    description = "Give each rule of the listener a priority of its own, 1 to 50000."
    source_url = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html"

    def find(self, cfn: Template) -> Found:
        """Yield each rule whose priority is taken."""
        taken: dict[tuple[str, int, str], str] = {}
        for rule in resources(cfn, "AWS::ElasticLoadBalancingV2::ListenerRule").values():
            priority = number(rule.get("Priority"))
            if priority is None:
                continue
            listener = str(rule.get("ListenerArn"))
            # two rules with different conditions may never exist at the same time
            other = taken.setdefault((listener, priority, str(rule.condition)), rule.name)
            if other != rule.name:
                message = f"{other} has priority {priority} on the same listener; choose another one"
                yield rule.path("Priority"), message
