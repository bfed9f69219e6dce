"""E9201: no secret is written out in a property."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, resources
from archlib.checks.rules.security._secrets import assigned_secrets, is_plain_secret
from archlib.checks.rules.security._values import composition, entries, text, variables

# Environments have a rule of their own; in the others, keys are somebody else's data and name no property.
_ELSEWHERE = frozenset(
    {
        "Environment",
        "EnvironmentVariables",
        "RuntimeEnvironmentVariables",
        "UserData",
        "Body",
        "Definition",
        "Schema",
        "Tags",
    }
)


class PlaintextSecret(Rule):
    """A password, token or key stands in the template."""

    id = "E9201"
    shortdesc = "No secret in plain text"
    description = "Let Secrets Manager generate it (GenerateSecretString) and use its ARN or a dynamic reference."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/security-best-practices.html"

    def find(self, cfn: Template) -> Found:
        """Yield each secret among the properties."""
        for resource in resources(cfn).values():
            for path, name in _secrets(resource.properties, ("Resources", resource.name, "Properties")):
                message = (
                    f"{name} of {resource.name} is written out for everyone who can read the template; "
                    "use GenerateSecretString, or {{resolve:secretsmanager:...}}"
                )
                yield path, message
            if resource.type == "AWS::SecretsManager::Secret":
                for path, value in resource.find("SecretString"):
                    if _is_written_out(value):
                        message = (
                            f"secret {resource.name} is written out for everyone who can read the template; "
                            "use GenerateSecretString"
                        )
                        yield path, message


def _is_written_out(value: Any) -> bool:
    written = value if isinstance(value, str) else composition(value)
    if "{{resolve:" not in written and not variables(written):
        return written.strip() not in ("", "{}")
    return any(assigned_secrets(text(value)))


def _secrets(node: Any, path: Path) -> Found:
    stack = [(path, node)]
    while stack:
        at, current = stack.pop()
        if isinstance(current, list):
            stack.extend(((*at, index), item) for index, item in enumerate(current))
        elif isinstance(current, dict):
            for key, value in current.items():
                if key in _ELSEWHERE or not isinstance(key, str):
                    continue
                yield from ((place, key) for place, item in entries(value, (*at, key)) if is_plain_secret(key, item))
                stack.append(((*at, key), value))
