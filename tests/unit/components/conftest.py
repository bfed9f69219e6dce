from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import App


@pytest.fixture
def rendered(app: App) -> Callable[[], dict[str, Any]]:
    """Return the resources of all stacks, by logical id, as they are at the time of the call."""
    return lambda: {name: node for stack in app.assemble() for name, node in stack.template["Resources"].items()}
