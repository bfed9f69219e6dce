"""W9211: rights are managed policies."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources
from archlib.checks.rules.security._policies import HOLDERS, INLINE


class InlinePolicy(Rule):
    """A policy exists only inside one role, user or group, where it has no versions and is hard to find."""

    id = "W9211"
    shortdesc = "No inline policies"
    description = "Use AWS::IAM::ManagedPolicy with Roles."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html"

    def find(self, cfn: Template) -> Found:
        """Yield each inline policy."""
        for resource in resources(cfn, *HOLDERS, *INLINE).values():
            if resource.type in INLINE or resource.get("Policies"):
                message = f"{resource.name} holds an inline policy; use AWS::IAM::ManagedPolicy with Roles"
                yield resource.path("Policies"), message
