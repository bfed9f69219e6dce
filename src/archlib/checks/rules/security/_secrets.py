"""Tells secrets from what only looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.security._values import composition, is_true, mentions, text, variables, without_variables

_PASSWORDS = r"password|passwd|passphrase|pwd|(?<=_)pass"
_WORDS = rf"(?:{_PASSWORDS}|secret|token|api_?key|private_?key|secret_?(?:access_?)?key)"
_SECRET_NAME = re.compile(rf"[-\w]*(?:{_WORDS}|passwords|credentials?)", re.IGNORECASE)
_PASSWORD_NAME = re.compile(rf"[-\w]*(?:{_PASSWORDS})", re.IGNORECASE)
_NO_SECRET_NAME = re.compile(
    r".*(?:client|service|event_?source|billing|version|next|task|request|continuation)_?token|removeprivatekey",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"(?:true|false|yes|no|none|null|enabled|disabled|required|optional|seconds|minutes|hours|days)$"
    r"|arn:|https?://|/[\w.-]*/|\$[{(]?\w+[)}]?$|=|\{%",
    re.IGNORECASE,
)
_PATH_LIKE = re.compile(r"[\w.-]+(?:/[\w.-]+)+")
_RESOLVED = re.compile(r"\{\{resolve:(?:secretsmanager|ssm-secure):")

# Assignments in scripts and configuration files. What is computed, read or called does not count, so the value must
# end where a literal ends, and must be quoted where the languages differ about spaces. Lengths are bounded and spaces
# stay on their line, so that the time grows with the script and no faster.
_NAME = rf"""(?<![\w.-])(?P<name>[\w.-]{{0,64}}{_WORDS})"""
_VALUE = r"""(?P<value>[^\s"'`$<>{}()\[\]|&;,]{4,}+)(?![(\[),.])"""
_ASSIGNMENTS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        rf"""{_NAME}=["']?{_VALUE}""",
        rf"""{_NAME}[ \t]*=[ \t]*(?P<quote>["']){_VALUE}(?P=quote)""",
        rf"""^[ \t]*(?:-[ \t]+)?["']?{_NAME}["']?[ \t]*:[ \t]+["']?{_VALUE}["']?,?[ \t]*$""",
        rf"""["']{_NAME}["'][ \t]*:[ \t]*["']{_VALUE}["']""",
        rf"""--(?P<name>[\w-]{{0,64}}password)[ \t]+["']?{_VALUE}""",
    )
)
_COMMENT = re.compile(r"^[ \t]*#(?!!).*$", re.MULTILINE)


def is_plain_secret(name: str, value: Any) -> bool:
    """Whether ``name`` promises a secret and ``value`` is one, written out."""
    if not _SECRET_NAME.fullmatch(name) or _NO_SECRET_NAME.fullmatch(name):
        return False
    written = _written(name, value).strip()
    if not written or "{{resolve:" in written or _NO_SECRET.match(written):
        return False
    last = name.lower()
    if last.endswith("token") and written.isdigit():
        return False
    # The name of a secret is none.
    return not (last.endswith(("secret", "credential", "credentials")) and _PATH_LIKE.fullmatch(written))


def _written(name: str, value: Any) -> str:
    """Return what is written out in ``value``; nothing if that is not all there is to it."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    composed = composition(value)
    # Anyone knows the name of the stack; a password made from it and a text is as good as written out, while names of
    # secrets are made that way too.
    known = all(part.startswith("AWS::") for part in variables(composed)) if _PASSWORD_NAME.fullmatch(name) else False
    return without_variables(composed) if known or not variables(composed) else ""


def assigned_secrets(script: str) -> Iterator[str]:
    """Yield the names to which ``script`` assigns a secret that is written out in it."""
    code = _COMMENT.sub("", script)
    for pattern in _ASSIGNMENTS:
        for found in pattern.finditer(code):
            if is_plain_secret(found["name"].rpartition(".")[2], found["value"]):
                yield found["name"]


def hidden_parameters(cfn: Template) -> set[str]:
    """Return the parameters that hold secrets: those with ``NoEcho``."""
    parameters = cfn.template.get("Parameters")
    if not isinstance(parameters, dict):
        return set()
    return {name for name, body in parameters.items() if isinstance(body, dict) and is_true(body.get("NoEcho"))}


def revealed(value: Any, hidden: set[str]) -> str | None:
    """Return what secret CloudFormation would write out in place of ``value``, or None."""
    if _RESOLVED.search(text(value)):
        return "a dynamic reference to a secret"
    names = sorted(mentions(value) & hidden)
    return f"the NoEcho parameter {names[0]}" if names else None
