"""E9124: the least capacity is not above the most."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import number, resources


class ScalingBounds(Rule):
    """A scalable target has MinCapacity above MaxCapacity."""

    id = "E9124"
    shortdesc = "MinCapacity is not above MaxCapacity"
    description = "Raise MaxCapacity or lower MinCapacity."
    source_url = "https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html"

    def find(self, cfn: Template) -> Found:
        """Yield each target without possible capacity."""
        for scaled in resources(cfn, "AWS::ApplicationAutoScaling::ScalableTarget").values():
            low, high = number(scaled.get("MinCapacity")), number(scaled.get("MaxCapacity"))
            if low is not None and high is not None and low > high:
                message = f"MinCapacity {low} is above MaxCapacity {high}; swap or correct them"
                yield scaled.path("MinCapacity"), message
