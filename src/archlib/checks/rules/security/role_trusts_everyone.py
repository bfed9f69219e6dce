"""E9205: no role trusts everyone."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import resources
from archlib.checks.rules.security._policies import allowed, is_narrowed, to_everyone


class RoleTrustsEveryone(Rule):
    """Anyone with an AWS account may assume the role."""

    id = "E9205"
    shortdesc = "No role trusts every AWS account"
    description = "Name the service, role or account that assumes the role."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"

    def find(self, cfn: Template) -> Found:
        """Yield each statement that lets everyone in, without a condition that narrows it."""
        for role in resources(cfn, "AWS::IAM::Role").values():
            for path, statement in allowed(
                role.get("AssumeRolePolicyDocument"), tuple(role.path("AssumeRolePolicyDocument"))
            ):
                if to_everyone(statement) and not is_narrowed(statement):
                    yield path, f"role {role.name} can be assumed from every AWS account; name who may"
