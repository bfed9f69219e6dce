"""Tells where templates keep what may be secret, and reads it."""

from __future__ import annotations

from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.security._values import composition, is_true, mentions, text, variables, without_variables
from archlib.core.credentials import RESOLVED_SECRET, is_password_name, is_plain_secret

ENVIRONMENTS = frozenset({"Environment", "EnvironmentVariables", "RuntimeEnvironmentVariables", "Env"})
"""Properties that hold environment variables."""

SCRIPTS = frozenset(
    {
        "BuildCommand",
        "BuildSpec",
        "Command",
        "EntryPoint",
        "RunCommand",
        "StartCommand",
        "UserData",
        "runCommand",
    }
)
"""Properties that hold commands."""


def is_secret(name: str, value: Any) -> bool:
    """Whether ``name`` promises a secret and ``value`` is one, written out."""
    return is_plain_secret(name, written_out(name, value))


def written_out(name: str, value: Any) -> str:
    """Return what is written out in ``value``; nothing if that is not all there is to it."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    composed = composition(value)
    # Anyone knows the name of the stack; a password made from it and a text is as good as written out, while names of
    # secrets are made that way too.
    known = all(part.startswith("AWS::") for part in variables(composed)) if is_password_name(name) else False
    return without_variables(composed) if known or not variables(composed) else ""


def hidden_parameters(cfn: Template) -> set[str]:
    """Return the parameters that hold secrets: those with ``NoEcho``."""
    parameters = cfn.template.get("Parameters")
    if not isinstance(parameters, dict):
        return set()
    return {name for name, body in parameters.items() if isinstance(body, dict) and is_true(body.get("NoEcho"))}


def revealed(value: Any, hidden: set[str]) -> str | None:
    """Return what secret CloudFormation would write out in place of ``value``, or None."""
    if RESOLVED_SECRET.search(text(value)):
        return "a dynamic reference to a secret"
    names = sorted(mentions(value) & hidden)
    return f"the NoEcho parameter {names[0]}" if names else None
