"""E9132: only resources that can wait for signals have a CreationPolicy."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources

_SUPPORTED = {
    "AWS::AppStream::Fleet",
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::CloudFormation::WaitCondition",
    "AWS::EC2::Instance",
}


class CreationPolicy(Rule):
    """A resource has a CreationPolicy that CloudFormation does not support for its type."""

    id = "E9132"
    shortdesc = "CreationPolicy is for instances, groups, wait conditions and fleets"
    description = "Remove CreationPolicy; to wait for something else, use AWS::CloudFormation::WaitCondition."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-creationpolicy.html"

    def find(self, cfn: Template) -> Found:
        """Yield each policy where none is supported."""
        for name, resource in resources(cfn).items():
            if resource.type not in _SUPPORTED and "CreationPolicy" in cfn.template["Resources"][name]:
                message = f"{resource.type} has no support for CreationPolicy; remove it"
                yield ("Resources", name, "CreationPolicy"), message
