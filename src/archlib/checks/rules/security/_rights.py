"""What the roles of a template may do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.policies import attached, covers, inline, understood
from archlib.checks.rules.read import Resource, complete, resources
from archlib.checks.rules.security._keys import Keys
from archlib.checks.rules.security._policies import allowed, principals, to_everyone
from archlib.checks.rules.security._values import entries, mentions, reference, text

# AWS-managed policies that functions commonly have and that give no right on anything of ours; others may.
_UNRELATED = re.compile(
    r".*:policy/(?:service-role/AWSLambda(?:BasicExecution|VPCAccessExecution)Role|AWSXRayDaemonWriteAccess"
    r"|AWSXrayWriteOnlyAccess|CloudWatchLambdaInsightsExecutionRolePolicy)"
)
_SERVICE = re.compile(r"arn:(?:\$\{AWS::Partition\}|[^:]+):([a-z0-9-]+):")
_NAME = re.compile(r"\$\{(\w+)")

Statement = dict[str, Any]


class Rights:
    """The rights of the roles that the template shows completely."""

    def __init__(self, cfn: Template) -> None:
        self._complete = complete(cfn)
        self._resources = resources(cfn)
        self._keys = Keys(cfn)
        self._policies = attached(cfn)
        # A role that other templates know may have rights from there.
        self._exported = mentions(cfn.template.get("Outputs"))

    def missing(self, role: Any, actions: Iterable[str], target: Resource) -> list[str]:
        """Return those of ``actions`` that ``role`` certainly may not perform on ``target``.

        Args:
            role: as a property names it.
            actions: those of KMS are about the key of ``target``, and not needed if it has none of the template.
            target: a resource of the template.
        """
        name = reference(role) or ""
        statements = self._statements(name)
        if statements is None:
            return []
        missing = []
        for action in actions:
            on = self._keys.of(target) if action.startswith("kms:") else target
            if on is None or (on is not target and _key_admits(on, name, action)):
                continue
            if not any(covers(statement, action) and self._is_on(statement, on, action) for statement in statements):
                missing.append(action)
        return missing

    def _statements(self, name: str) -> list[Statement] | None:
        """Return everything the role ``name`` is allowed; None if something about it is unknown."""
        role = self._resources.get(name)
        if role is None or not self._complete or name in self._exported or "RoleName" in role.properties:
            return None
        if "" in self._policies:  # attached to a role that cannot be told, perhaps to this one
            return None
        policies = [*self._policies.get(name, ())]
        for _, arn in entries(role.get("ManagedPolicyArns")):
            policy = self._resources.get(reference(arn) or "")
            if policy is not None:
                policies.append(policy)
            elif not _UNRELATED.fullmatch(text(arn)):
                return None
        documents = [policy.get("PolicyDocument") for policy in policies] + [document for _, document in inline(role)]
        if not all(map(understood, documents)) or not isinstance(role.properties.get("Policies", []), list):
            return None
        return [statement for document in documents for _, statement in allowed(document, ())]

    def _is_on(self, statement: Statement, target: Resource, action: str) -> bool:
        """Whether the statement is, or may turn out to be, about ``target``."""
        if "NotResource" in statement:
            return True
        return any(
            self._may_be(text(value), target.name, action.partition(":")[0])
            for _, value in entries(statement.get("Resource"))
        )

    def _may_be(self, arn: str, name: str, service: str) -> bool:
        named = {known for known in _NAME.findall(arn) if known in self._resources}
        if named:
            return name in named
        # Of an ARN without a name of the template, only a written-out service tells that it is something else.
        written = _SERVICE.match(arn)
        return written is None or written[1] == service


def _key_admits(key: Resource, role: str, action: str) -> bool:
    """Whether the policy of ``key`` itself may allow ``action`` to ``role``."""
    document = key.get("KeyPolicy")
    if document is not None and not understood(document):
        return True
    return any(
        (to_everyone(statement) or any(role in mentions(value) for value in principals(statement, "AWS")))
        and covers(statement, action)
        for _, statement in allowed(document, ())
    )
