"""E9204: environment variables hold no secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, Resource, branches, find, resources, walk
from archlib.checks.rules.security._secrets import ENVIRONMENTS, hidden_parameters, is_secret, revealed
from archlib.checks.rules.security._values import composition, is_function
from archlib.core.credentials import secrets_in_script

_NAMES = ("Name", "Variable", "Key")


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
        for resource in resources(cfn).values():
            for path, name, value in _variables(resource):
                what = "a plain secret" if _is_written_out(name, value) else revealed(value, hidden)
                if what:
                    message = (
                        f"environment variable {name} of {resource.name} holds {what}, shown by the console and the "
                        "API; pass the secret's ARN and read it at run time"
                    )
                    yield path, message


def _is_written_out(name: str, value: Any) -> bool:
    written = value if isinstance(value, str) else composition(value)
    return is_secret(name, value) or bool(secrets_in_script(written))


def _variables(resource: Resource) -> Iterator[tuple[Path, str, Any]]:
    """Yield path, name and each value of every variable, however they are listed."""
    for path, node in walk(resource.properties, ("Resources", resource.name, "Properties")):
        for key in ENVIRONMENTS & node.keys() if isinstance(node, dict) else ():
            for at, name, value in _listed(node[key], (*path, key)):
                yield from (
                    (place, name, branch)
                    for place, branch in branches(value, at)
                    if isinstance(branch, str | int) or is_function(branch)
                )


def _listed(environment: Any, path: Path) -> Iterator[tuple[Path, str, Any]]:
    for at, variables in (*find(environment, path), *find(environment, path, "Variables")):
        if isinstance(variables, str) or is_function(variables):
            yield at, str(path[-1]), variables
        elif isinstance(variables, dict):
            yield from (((*at, name), str(name), value) for name, value in variables.items())
    for at, variable in find(environment, path, "*"):
        if isinstance(variable, dict) and variable.get("Type", "PLAINTEXT") == "PLAINTEXT" and "Value" in variable:
            name = next((variable[key] for key in _NAMES if key in variable), None)
            yield (*at, "Value"), str(name), variable["Value"]
