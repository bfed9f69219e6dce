"""E9204: environment variables hold no secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, Resource, resources
from archlib.checks.rules.security._secrets import hidden_parameters, is_plain_secret, revealed

_LISTS = {
    "AWS::AppRunner::Service": (
        "SourceConfiguration", "ImageRepository", "ImageConfiguration", "RuntimeEnvironmentVariables", "*",
    ),
    "AWS::Batch::JobDefinition": ("ContainerProperties", "Environment", "*"),
    "AWS::CodeBuild::Project": ("Environment", "EnvironmentVariables", "*"),
    "AWS::ECS::TaskDefinition": ("ContainerDefinitions", "*", "Environment", "*"),
}  # fmt: skip


class SecretInEnvironment(Rule):
    """A variable shows a secret to everyone who may look at the function, task or project."""

    id = "E9204"
    shortdesc = "No secret in environment variables"
    description = (
        "Pass the secret's ARN and read it at run time; containers take Secrets with ValueFrom, CodeBuild takes "
        "Type SECRETS_MANAGER."
    )
    source_url = "https://docs.aws.amazon.com/secretsmanager/latest/userguide/best-practices.html"

    def find(self, cfn: Template) -> Found:
        """Yield each variable that holds one."""
        hidden = hidden_parameters(cfn)
        for resource in resources(cfn, "AWS::Lambda::Function", *_LISTS).values():
            for path, name, value in _variables(resource):
                what = "a plain secret" if is_plain_secret(name.rpartition(".")[2], value) else revealed(value, hidden)
                if what:
                    message = (
                        f"environment variable {name} of {resource.name} holds {what}, shown by the console and the "
                        "API; pass the secret's ARN and read it at run time"
                    )
                    yield path, message


def _variables(resource: Resource) -> Iterator[tuple[Path, str, Any]]:
    if resource.type == "AWS::Lambda::Function":
        for path, variables in resource.find("Environment", "Variables"):
            for name, value in variables.items() if isinstance(variables, dict) else ():
                yield (*path, name), str(name), value
        return
    for path, variable in resource.find(*_LISTS[resource.type]):
        if isinstance(variable, dict) and variable.get("Type", "PLAINTEXT") == "PLAINTEXT" and "Value" in variable:
            yield (*path, "Value"), str(variable.get("Name")), variable["Value"]
