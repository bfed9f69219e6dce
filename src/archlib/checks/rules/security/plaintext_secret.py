"""E9201: no secret is written out in a property."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, resources
from archlib.checks.rules.security._secrets import ENVIRONMENTS, SCRIPTS, is_secret
from archlib.checks.rules.security._values import composition, entries, is_true, text, variables
from archlib.core.credentials import secrets_in_text

# Environments and scripts have rules of their own, secrets are looked at below; in the others, keys are somebody else's
# data and name no property.
_ELSEWHERE = ENVIRONMENTS | SCRIPTS | {"SecretString", "Body", "Definition", "RequestParameters", "Schema", "Tags"}
_PAIRS = (
    ("Name", "Value"),
    ("Key", "Value"),
    ("OptionName", "Value"),
    ("HeaderName", "HeaderValue"),
    ("ParameterKey", "ParameterValue"),
    ("ParameterName", "ParameterValue"),
)


class PlaintextSecret(Rule):
    """A password, token or key stands in the template."""

    id = "E9201"
    shortdesc = "No secret in plain text"
    description = "Let Secrets Manager generate it (GenerateSecretString) and use its ARN or a dynamic reference."
    source_url = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/security-best-practices.html"

    def find(self, cfn: Template) -> Found:
        """Yield each secret among the properties, in parameters and in mappings."""
        for resource in resources(cfn).values():
            for path, name in _secrets(resource.properties, ("Resources", resource.name, "Properties")):
                yield (
                    path,
                    _message(
                        f"{name} of {resource.name}", "use GenerateSecretString, or {{resolve:secretsmanager:...}}"
                    ),
                )
            if resource.type == "AWS::SecretsManager::Secret":
                for path, value in resource.find("SecretString"):
                    if _is_written_out(value):
                        yield path, _message(f"secret {resource.name}", "use GenerateSecretString")
        for path, name in _secrets(cfn.template.get("Mappings"), ("Mappings",)):
            yield path, _message(f"{name} of a mapping", "use {{resolve:secretsmanager:...}} in its place")
        yield from _defaults(cfn.template.get("Parameters"))


def _defaults(parameters: Any) -> Found:
    for name, body in parameters.items() if isinstance(parameters, dict) else ():
        # Another rule looks at those that are hidden.
        if not isinstance(body, dict) or is_true(body.get("NoEcho")) or str(body.get("Type")).startswith("AWS::SSM"):
            continue
        default = body.get("Default")
        if is_secret(str(name), default) or (isinstance(default, str) and secrets_in_text(default)):
            path = ("Parameters", name, "Default")
            yield path, _message(f"the default of {name}", "remove it, or use {{resolve:secretsmanager:...}}")


def _message(what: str, advice: str) -> str:
    return f"{what} is written out for everyone who can read the template; {advice}"


def _is_written_out(value: Any) -> bool:
    written = value if isinstance(value, str) else composition(value)
    if "{{resolve:" not in written and not variables(written):
        return written.strip() not in ("", "{}")
    return bool(secrets_in_text(text(value)))


def _secrets(node: Any, path: Path) -> Iterator[tuple[Path, str]]:
    stack = [(path, node)]
    while stack:
        at, current = stack.pop()
        written = current if isinstance(current, str) else composition(current)
        if written:
            yield from ((at, f"{name} in {_key(at)}") for name in secrets_in_text(written)[:1])
        elif isinstance(current, list):
            stack.extend(((*at, index), item) for index, item in enumerate(current))
        elif isinstance(current, dict):
            named = [
                (key, key, value) for key, value in current.items() if isinstance(key, str) and key not in _ELSEWHERE
            ]
            for key, name, value in (*named, *_pairs(current)):
                found = [place for place, item in entries(value, (*at, key)) if is_secret(name, item)]
                yield from ((place, name) for place in found)
                if not found and key == name:
                    stack.append(((*at, key), value))


def _pairs(node: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield key, name and value of what is named by a property beside it."""
    for name, value in _PAIRS:
        if name in node and value in node:
            yield value, text(node[name]).rpartition("/")[2], node[value]


def _key(path: Path) -> str:
    return next((key for key in reversed(path) if isinstance(key, str) and not key.startswith("Fn::")), "text")
