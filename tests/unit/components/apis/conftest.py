from __future__ import annotations

import pytest

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function


@pytest.fixture
def function(app: App) -> Function:
    """A function in a stack of its own."""
    return Function(Stack(app, "code"), "orders", code=Code(inline="def handler(event, context):\n    return event\n"))
