"""E9102: an availability zone is picked that the region has."""

from __future__ import annotations

from cfnlint.helpers import AVAILABILITY_ZONES
from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import number, resources, walk


class ZoneIndex(Rule):
    """``Fn::Select`` on ``Fn::GetAZs`` goes beyond the zones of a region."""

    id = "E9102"
    shortdesc = "Fn::Select picks a zone that every target region has"
    description = "Pick a lower index, or deploy only to regions with more availability zones."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-getavailabilityzones.html"

    def find(self, cfn: Template) -> Found:
        """Yield each index that some target region does not have."""
        for resource in resources(cfn).values():
            if resource.condition is not None:  # it may be made only where there are enough, and so may a branch
                continue
            for path, node in walk(resource.properties, ("Resources", resource.name, "Properties")):
                match node:
                    case {"Fn::Select": [index, {"Fn::GetAZs": "" | {"Ref": "AWS::Region"}}]}:
                        regions = cfn.regions
                    case {"Fn::Select": [index, {"Fn::GetAZs": str(region)}]}:
                        regions = [region]
                    case _:
                        continue
                picked = None if "Fn::If" in path else number(index)
                zones = {region: len(AVAILABILITY_ZONES.get(region, ())) for region in regions}
                short = [
                    f"{region} has {count}"
                    for region, count in zones.items()
                    if picked is not None and 0 < count <= picked
                ]
                if short:
                    message = (
                        f"index {picked} (from 0) is too high, {', '.join(short)} availability zones; pick a lower one"
                    )
                    yield (*path, "Fn::Select", 0), message
