"""E9116: a role can be assumed by the service it is given to."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.policies import items, understood
from archlib.checks.rules.read import Resource, named, resources

# type: the property with the role, and the service that assumes it
_USERS = {
    "AWS::CodeBuild::Project": (("ServiceRole",), "codebuild"),
    "AWS::ECS::TaskDefinition": (("ExecutionRoleArn",), "ecs-tasks"),
    "AWS::Lambda::Function": (("Role",), "lambda"),
    "AWS::Pipes::Pipe": (("RoleArn",), "pipes"),
    "AWS::Scheduler::Schedule": (("Target", "RoleArn"), "scheduler"),
    "AWS::StepFunctions::StateMachine": (("RoleArn",), "states"),
}


class RoleTrust(Rule):
    """The trust policy of a role does not admit the service that must assume it."""

    id = "E9116"
    shortdesc = "Roles trust the service they are given to"
    description = "Allow sts:AssumeRole to the service in AssumeRolePolicyDocument."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-service.html"

    def find(self, cfn: Template) -> Found:
        """Yield each role that its service cannot assume."""
        roles = resources(cfn, "AWS::IAM::Role")
        for user in resources(cfn, *_USERS).values():
            keys, service = _USERS[user.type]
            for path, value in user.find(*keys):
                role = named(value, roles)
                trusted = _trusted(role) if role else None
                if role and trusted is not None and not any(name.startswith(f"{service}.") for name in trusted):
                    message = f"{role.name} trusts {', '.join(sorted(trusted)) or 'no service'}"
                    advice = f"allow sts:AssumeRole to {service}.amazonaws.com"
                    yield path, f"{message}, not {service}.amazonaws.com; {advice}"


def _trusted(role: Resource) -> set[str] | None:
    """Return the services the role trusts; None if that cannot be told."""
    document: Any = role.get("AssumeRolePolicyDocument")
    if not understood(document):
        return None
    services: set[str] = set()
    for statement in items(document["Statement"]):
        principal = statement.get("Principal")
        if not isinstance(principal, dict) or any(str(key).startswith("Fn::") for key in principal):
            return None  # missing, everybody, or a function
        names = items(principal.get("Service", []))
        if not all(isinstance(name, str) for name in names) or "*" in items(principal.get("AWS")):
            return None
        if statement["Effect"] == "Allow":
            services.update(names)
    return services
