"""Runs one rule over one template, the way cfn-lint would."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import reduce
from typing import Any

import pytest
from cfnlint.rules import CloudFormationLintRule
from cfnlint.template import Template

Findings = Callable[..., list[tuple[list[str | int], str]]]


@pytest.fixture
def findings() -> Findings:
    """Return ``findings(rule_class, template, regions=("us-east-1",))``: the path and message of each match."""

    def run(
        rule: type[CloudFormationLintRule], template: dict[str, Any], regions: Sequence[str] = ("us-east-1",)
    ) -> list[tuple[list[str | int], str]]:
        matches = rule().match(Template("template.json", deepcopy(template), list(regions)))
        for match in matches:
            reduce(_step, match.path, template)  # a path must lead somewhere
        return [(list(match.path), match.message) for match in matches]

    return run


def _step(node: Any, key: str | int) -> Any:
    return node[key]
