"""E9212: nobody may hand every role of the account to a service."""

from __future__ import annotations

import re
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.security._policies import actions, identity_statements
from archlib.checks.rules.security._values import entries, text, without_variables

_PASSES = frozenset({"iam:passrole", "iam:pass*"})
_EVERY_ROLE = re.compile(r"[*?]+|arn:[^:]*:[^:]*:[^:]*:[^:]*:(?:role/)?[*?/]+")


class UnlimitedPassRole(Rule):
    """A policy allows ``iam:PassRole`` on all roles, and with it the rights of the strongest role."""

    id = "E9212"
    shortdesc = "iam:PassRole names its roles"
    description = "Name the ARNs of the roles that may be passed."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"

    def find(self, cfn: Template) -> Found:
        """Yield each statement that does; saying to which service is not enough."""
        for path, statement in identity_statements(cfn):
            passes = any(action.lower() in _PASSES for action in actions(statement))
            if passes and _on_every_role(statement) and not _narrows(statement):
                yield path, f"{path[1]} may pass every role of the account, also an administrator's; name the role ARNs"


def _on_every_role(statement: dict[str, Any]) -> bool:
    arns = (without_variables(text(arn), "x") for _, arn in entries(statement.get("Resource")))
    return any(_EVERY_ROLE.fullmatch(arn) for arn in arns)


def _narrows(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict) or not all(isinstance(test, dict) for test in condition.values()):
        return True  # unknown
    return bool({key for test in condition.values() for key in test} - {"iam:PassedToService"})
