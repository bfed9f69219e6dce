"""E9203: user data, commands and entry points hold no secret."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, Place, branches, find, resources, walk
from archlib.checks.rules.security._secrets import SCRIPTS, hidden_parameters, revealed
from archlib.checks.rules.security._values import composition, is_function, text
from archlib.core.credentials import credentials, secrets_in_script

_INIT = "AWS::CloudFormation::Init"
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{16,}={0,2}\s*")


class SecretInScript(Rule):
    """A start script or a command contains a password, or what CloudFormation replaces by one."""

    id = "E9203"
    shortdesc = "No secret in user data and commands"
    description = "Let the program read the secret from Secrets Manager with its role; containers take Secrets."
    source_url = "https://docs.aws.amazon.com/secretsmanager/latest/userguide/best-practices.html"

    def find(self, cfn: Template) -> Found:
        """Yield each script that holds one."""
        hidden = hidden_parameters(cfn)
        for resource in resources(cfn).values():
            root = ("Resources", resource.name)
            metadata = find(cfn.template["Resources"][resource.name], root, "Metadata", _INIT)
            for path, value in (*_scripts(resource.properties, (*root, "Properties")), *_files(metadata)):
                names = _written_out(text(value))
                what = names[0] if names else revealed(value, hidden)
                if what:
                    message = (
                        f"{_title(path)} of {resource.name} holds {what}, for everyone who can look at it; "
                        "let the program read the secret with its role when it is needed"
                    )
                    yield path, message


def _scripts(properties: dict[str, Any], path: Path) -> Iterator[Place]:
    """Yield what is run, each branch of its conditions; lists of arguments as one."""
    for at, node in walk(properties, path):
        for key in SCRIPTS & node.keys() if isinstance(node, dict) else ():
            for place, value in branches(node[key], (*at, key)):
                if isinstance(value, str | list) or is_function(value):
                    yield place, value


def _files(places: Iterator[Place]) -> Iterator[Place]:
    """Yield the texts of the files and commands that an instance makes of its metadata."""
    for path, node in places:
        stack = [(path, node)]
        while stack:
            at, current = stack.pop()
            if isinstance(current, str) or composition(current):
                yield at, current
            elif isinstance(current, dict):
                stack.extend(((*at, key), child) for key, child in current.items())
            elif isinstance(current, list):
                stack.extend(((*at, index), child) for index, child in enumerate(current))


def _written_out(script: str) -> list[str]:
    """Return the secrets in ``script``; in one that is encoded, nobody else sees those of known forms."""
    if not _BASE64.fullmatch(script):
        return secrets_in_script(script)
    try:
        decoded = b64decode(script).decode()
    except ValueError:
        return []
    return [*secrets_in_script(decoded), *credentials(decoded)]


def _title(path: Path) -> str:
    """Return the name of the property a path leads to in words, such as user data."""
    name = next(key for key in reversed(path) if key in SCRIPTS or key == _INIT)
    return "metadata" if name == _INIT else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name)).lower()
