"""W9208: a role trusts somebody in particular, not whole accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Place, Resource, resources
from archlib.checks.rules.security._policies import allowed, is_narrowed
from archlib.checks.rules.security._values import entries, text

_ACCOUNT = re.compile(r"\d{12}|arn:.*:iam::.*:root|\$\{AWS::AccountId\}")
_OTHER_ACCOUNT = re.compile(r"arn:.*:(?:iam|sts)::\d{12}:.*")


class RoleTrustsAccount(Rule):
    """A role trusts all identities of an account, or somebody in another account without an external id."""

    id = "W9208"
    shortdesc = "Roles trust single roles or services, other accounts only with a condition"
    description = (
        "Name the role that assumes this one; for another account also require sts:ExternalId or aws:PrincipalOrgID."
    )
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html"

    def find(self, cfn: Template) -> Found:
        """Yield each such principal of a statement without a condition."""
        for role in resources(cfn, "AWS::IAM::Role").values():
            for path, value in _principals(role):
                if _ACCOUNT.fullmatch(text(value)):
                    message = (
                        f"role {role.name} can be assumed by whoever the account allows to; "
                        "name one role, or add a Condition (aws:PrincipalArn, sts:ExternalId)"
                    )
                    yield path, message
                elif _OTHER_ACCOUNT.fullmatch(text(value)):
                    message = (
                        f"role {role.name} can be assumed from another account without a condition; "
                        "require sts:ExternalId or aws:PrincipalOrgID"
                    )
                    yield path, message


def _principals(role: Resource) -> Iterator[Place]:
    for path, document in role.find("AssumeRolePolicyDocument"):
        for at, statement in allowed(document, path):
            principal = statement.get("Principal")
            if not is_narrowed(statement) and isinstance(principal, dict):
                yield from entries(principal.get("AWS"), (*at, "Principal", "AWS"))
