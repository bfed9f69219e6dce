"""IAM roles with exactly the rights their wiring needs."""

from __future__ import annotations

from troposphere import iam

from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.permissions import Permissions
from archlib.wiring.policies import trust_service


class Role(Component):
    """An IAM role that one AWS service assumes, on behalf of this account only.

    Creates ``<Name>Role`` and, with the first right it is given, ``<Name>Policy``: one managed policy whose
    statements are merged and sorted.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        service: the service that assumes the role, such as ``lambda``.
        description: one sentence for the console.
        source: ARN of the one resource the service assumes it for; by default any of this account.

    Attributes:
        resource: the ``AWS::IAM::Role``.
    """

    kind = "Role"

    def __init__(
        self, stack: Stack, name: str, *, service: str, description: str = "", source: Value | None = None
    ) -> None:
        super().__init__(stack, name)
        self.resource = iam.Role(
            self.id(),
            AssumeRolePolicyDocument=trust_service(service, source),
            Description=description or f"Role of {name}",
        )
        self.add(self.resource)
        self._permissions: Permissions | None = None

    @property
    def arn(self) -> Value:
        """ARN of the role."""
        return self.attribute("Arn")

    @property
    def policy(self) -> str:
        """Logical id of the policy, for resources that must wait until the rights exist."""
        return self.id("Policy")

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right; ``why`` is shown to people who ask why the role has it.

        Raises:
            WiringError: the grant is broader than AWS allows it to be.
        """
        if self._permissions is None:
            policy = iam.ManagedPolicy(self.policy, Description=f"Rights of {self.name}", Roles=[self.ref()])
            self._permissions = Permissions(policy, self.stack.permissions.setdefault(self.policy, []))
            self.add(policy)
        self._permissions.allow(grant, why=why)

    def connect(self, *bindings: Binding) -> None:
        """Add the rights of ``bindings``; a role has no environment and no network."""
        for binding in bindings:
            for grant in binding.grants:
                self.allow(grant, why=binding.access)
