"""E9127: somebody may change the policy of a KMS key."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.policies import covers, items, understood
from archlib.checks.rules.read import resources


class KeyLockout(Rule):
    """The policy of a key lets no account or role change it, and KMS refuses such a key."""

    id = "E9127"
    shortdesc = "Key policies let an account or role change them"
    description = "Allow kms:* to the account's root, so that IAM policies can decide who manages the key."
    source_url = "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html"

    def find(self, cfn: Template) -> Found:
        """Yield each key that nobody could ever manage."""
        for key in resources(cfn, "AWS::KMS::Key", "AWS::KMS::ReplicaKey").values():
            policy = key.get("KeyPolicy")
            if not understood(policy) or "BypassPolicyLockoutSafetyCheck" in key.properties:
                continue
            if not any(map(_manages, items(policy["Statement"]))):
                yield key.path("KeyPolicy"), "nobody may change this policy; allow kms:* to the account's root"


def _manages(statement: dict[str, Any]) -> bool:
    """Return whether the statement may let an account or role change the policy."""
    if statement["Effect"] != "Allow" or not covers(statement, "kms:PutKeyPolicy"):
        return False
    principal = statement.get("Principal", "*")  # NotPrincipal, "*" and functions may be anybody
    return not isinstance(principal, dict) or not set(principal) <= {"Service", "Federated", "CanonicalUser"}
