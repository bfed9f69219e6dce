"""Runs one rule over a few resources."""

from collections.abc import Callable
from typing import Any

import pytest

Places = Callable[..., list[str]]


@pytest.fixture
def places(findings: Callable[..., Any]) -> Places:
    """Return ``places(rule_class, resources, **sections)``: where the findings are, below ``Resources``."""

    def run(rule: type, resources: dict[str, Any], **sections: Any) -> list[str]:
        found = findings(rule, {**sections, "Resources": resources})
        return sorted("/".join(map(str, path[1:])) for path, _ in found)

    return run
