"""E9202: no credential that anyone recognises stands anywhere in the template."""

from __future__ import annotations

import re

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.security._values import strings

_CREDENTIALS = {
    # AWS's documentation uses ids that end so.
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)(?!\w{9}EXAMPLE\b)[A-Z0-9]{16}\b"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22,})"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
}


class LeakedCredential(Rule):
    """An access key, private key or token of a known form."""

    id = "E9202"
    shortdesc = "No credentials in the template"
    description = "Revoke the credential, then store a new one in Secrets Manager; for AWS itself use an IAM role."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/securing_access-keys.html"

    def find(self, cfn: Template) -> Found:
        """Yield each text that contains one."""
        for path, value in strings(cfn.template, ()):
            for what, pattern in _CREDENTIALS.items():
                if pattern.search(value):
                    yield path, f"this contains {what}; revoke it and store a new one in Secrets Manager, or use a role"
