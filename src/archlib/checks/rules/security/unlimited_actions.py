"""E9211: nobody may do everything."""

from __future__ import annotations

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.security._policies import actions, identity_statements, on_everything


class UnlimitedActions(Rule):
    """A policy allows all actions of all services."""

    id = "E9211"
    shortdesc = "No policy allows all actions"
    description = "Name the actions that the code calls."
    source_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege"

    def find(self, cfn: Template) -> Found:
        """Yield each statement that allows everything, or everything but something on all resources."""
        for path, statement in identity_statements(cfn):
            if {"*", "*:*"} & set(actions(statement)):
                yield path, f"{path[1]} allows every action of every service; name the actions that are needed"
            elif "NotAction" in statement and on_everything(statement) and "Condition" not in statement:
                yield path, f"{path[1]} allows everything but a few actions; name the actions that are needed instead"
