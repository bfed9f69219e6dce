"""E9202: no credential that anyone recognises stands anywhere in the template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Path, walk
from archlib.checks.rules.security._values import composition, strings
from archlib.core.credentials import credentials


class LeakedCredential(Rule):
    """An access key, private key or token of a known form."""

    id = "E9202"
    shortdesc = "No credentials in the template"
    description = "Revoke the credential, then store a new one in Secrets Manager; for AWS itself use an IAM role."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/securing_access-keys.html"

    def find(self, cfn: Template) -> Found:
        """Yield each text that contains one."""
        for path, texts in _texts(cfn.template):
            for what in credentials(texts[0]):
                if not any(what in credentials(part) for part in texts[1:]):
                    yield path, f"this contains {what}; revoke it and store a new one in Secrets Manager, or use a role"


def _texts(template: Any) -> Iterator[tuple[Path, list[str]]]:
    """Yield every text alone, and those that are put together, followed by their parts."""
    for path, node in walk(template, ()):
        composed = node if isinstance(node, str) else composition(node)
        if composed:
            yield path, [composed, *(part for at, part in strings(node, path) if at != path)]
