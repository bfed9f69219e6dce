"""W9209: policies name actions."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.security._policies import actions, identity_statements


class ServiceActions(Rule):
    """A policy allows all actions of a service, also deleting and changing who else may."""

    id = "W9209"
    shortdesc = "No policy allows all actions of a service"
    description = "Name the actions that the code calls."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege"

    def find(self, cfn: Template) -> Found:
        """Yield each statement with ``service:*``."""
        for path, statement in identity_statements(cfn):
            wide = [action for action in actions(statement) if action.endswith(":*") and action != "*:*"]
            if wide:
                yield path, f"{path[1]} allows {', '.join(sorted(wide))}; name the actions that are needed"
