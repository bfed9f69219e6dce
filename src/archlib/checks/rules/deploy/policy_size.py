"""E9119: IAM policies are not larger than IAM accepts."""

from __future__ import annotations

import json
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.policies import attached
from archlib.checks.rules.read import literal, resources

_MANAGED, _INLINE = 6144, 10_240


class PolicySize(Rule):
    """A managed policy, or all inline policies of a role together, are too large."""

    id = "E9119"
    shortdesc = "Managed policies have at most 6144, inline policies of a role 10240 characters"
    description = "Split the policy, or join statements and shorten Sids; white space does not count."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"

    def find(self, cfn: Template) -> Found:
        """Yield each managed policy and each role over its limit."""
        for policy in resources(cfn, "AWS::IAM::ManagedPolicy").values():
            size = _size(policy.get("PolicyDocument"))
            if size > _MANAGED:
                message = f"policy has at least {size:,} characters, IAM accepts {_MANAGED:,}; split it"
                yield policy.path("PolicyDocument"), message
        policies = attached(cfn, "AWS::IAM::Policy", "AWS::IAM::RolePolicy")
        for role in resources(cfn, "AWS::IAM::Role").values():
            own = [item.get("PolicyDocument") for item in role.plain("Policies") or () if isinstance(item, dict)]
            others = [item.get("PolicyDocument") for item in policies.get(role.name, ()) if item.condition is None]
            size = sum(map(_size, own + others))
            if size > _INLINE:
                message = f"the inline policies of the role have at least {size:,} characters, IAM accepts {_INLINE:,}"
                yield role.path("Policies"), f"{message}; move some to managed policies"


def _size(document: Any) -> int:
    """Return how many characters ``document`` has at least, whatever its functions return."""
    text = json.dumps(_least(document), separators=(",", ":"), ensure_ascii=False, default=str)
    return len("".join(text.split()))


def _least(node: Any) -> Any:
    """Return ``node`` with functions as short, and conditions as empty, as they can become."""
    match node:
        case list():
            return [_least(item) for item in node if not _is_condition(item)]
        case {"Ref": _} | {"Fn::Sub": _} | {"Fn::Join": _} | {"Fn::GetAtt": _} | {"Fn::ImportValue": _}:
            return literal(node) or ""
        case dict():
            return {key: _least(value) for key, value in node.items() if not _is_condition(value)}
    return node


def _is_condition(node: Any) -> bool:
    return isinstance(node, dict) and "Fn::If" in node
