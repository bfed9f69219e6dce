"""What our rules have in common: they yield places and messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cfnlint.rules import CloudFormationLintRule, RuleMatch
from cfnlint.template import Template

Found = Iterator[tuple[Sequence[str | int], str]]


class Rule(CloudFormationLintRule):
    """A cfn-lint rule that says in :meth:`find` what is wrong where."""

    def __init__(self) -> None:
        super().__init__()
        self.tags = ["archlib"]

    def match(self, cfn: Template) -> list[RuleMatch]:
        """Return what :meth:`find` yields, as cfn-lint wants it."""
        return [RuleMatch(list(path), message) for path, message in self.find(cfn)]

    def find(self, cfn: Template) -> Found:
        """Yield the path from the template's root, and the message, of each finding."""
        raise NotImplementedError
