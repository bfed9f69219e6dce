"""E9103: no value is null."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import walk


class NullValue(Rule):
    """Something in the template is null."""

    id = "E9103"
    shortdesc = "No value is null"
    description = (
        "CloudFormation refuses templates with null values. Leave the key out; a property can be {Ref: AWS::NoValue}."
    )
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html"

    def find(self, cfn: Template) -> Found:
        """Yield each null."""
        for path, node in walk(cfn.template, ()):
            if node is None and path:
                yield path, f"{'.'.join(map(str, path))} is null; leave it out"
