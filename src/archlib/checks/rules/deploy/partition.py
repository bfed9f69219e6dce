"""E9129: ARNs are of the partition they are used in."""

from __future__ import annotations

import re

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources, walk

_PARTITIONS = {
    "cn-": "aws-cn",
    "eu-isoe-": "aws-iso-e",
    "eusc-": "aws-eusc",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "us-isof-": "aws-iso-f",
}
_ARN = re.compile(r"arn:(aws(?:-[a-z]+)*):")


class Partition(Rule):
    """An ARN names a partition that a target region is not part of."""

    id = "E9129"
    shortdesc = "ARNs are of the partition of every target region"
    description = "Write ${AWS::Partition} in place of the partition."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"

    def find(self, cfn: Template) -> Found:
        """Yield each ARN that cannot exist in some target region."""
        regions = {_partition(region): region for region in cfn.regions}
        for resource in resources(cfn).values():
            if resource.condition is not None:  # it may be made for one partition only, and so may a branch
                continue
            for path, node in walk(resource.properties, ("Resources", resource.name, "Properties")):
                arn = _ARN.match(node) if isinstance(node, str) and "Fn::If" not in path else None
                other = sorted(set(regions) - {arn[1]}) if arn else []
                if arn and other:
                    message = f"{arn[0]}... does not exist in {regions[other[0]]} ({other[0]}); use ${{AWS::Partition}}"
                    yield path, message


def _partition(region: str) -> str:
    return next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")
