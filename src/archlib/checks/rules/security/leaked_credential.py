"""E9202: no credential that anyone recognises stands anywhere in the template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, walk
from archlib.checks.rules.security._values import composition, strings

# What stands for a password, such as ${Password}, $PASSWORD, <password>, {password}, %s or xxx, is none.
_WRITTEN_OUT = r"(?![$<{\[*.]|%[s(]|x+@)[^\s/@?#\"'`<>{}]{1,128}"
_CREDENTIALS = {
    # AWS's documentation uses ids that end so.
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)(?!\w{9}EXAMPLE\b)[A-Z0-9]{16}\b"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a URL with a password": re.compile(
        rf"""[a-z]://[^\s:/@?#"'`<>]{{0,64}}:{_WRITTEN_OUT}@[\w$\[{{.-]"""
        r"""|[a-z]://[^\s"'`<>]{1,512}?[?&;](?:password|pwd)=(?![$<{\[*%]|x+(?:[&;]|$))[^\s&;"'`<>{}]+""",
        re.IGNORECASE,
    ),
}


class LeakedCredential(Rule):
    """An access key, private key or token of a known form."""

    id = "E9202"
    shortdesc = "No credentials in the template"
    description = "Revoke the credential, then store a new one in Secrets Manager; for AWS itself use an IAM role."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/securing_access-keys.html"

    def find(self, cfn: Template) -> Found:
        """Yield each text that contains one."""
        for path, texts in _texts(cfn.template):
            for what, pattern in _CREDENTIALS.items():
                if pattern.search(texts[0]) and not any(map(pattern.search, texts[1:])):
                    yield path, f"this contains {what}; revoke it and store a new one in Secrets Manager, or use a role"


def _texts(template: Any) -> Iterator[tuple[Path, list[str]]]:
    """Yield every text alone, and those that are put together, followed by their parts."""
    for path, node in walk(template, ()):
        composed = node if isinstance(node, str) else composition(node)
        if composed:
            yield path, [composed, *(part for at, part in strings(node, path) if at != path)]
