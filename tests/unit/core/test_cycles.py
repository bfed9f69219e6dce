from __future__ import annotations

import pytest

from archlib.core.cycles import find_cycle
from archlib.core.origin import Origin

ORIGINS = {name: Origin(f"/x/{name}.py", 3) for name in "AB"}


@pytest.mark.parametrize("uses", [{}, {"A": set()}, {"A": {"B", "C"}, "B": {"C"}}, {"A": {"Parameter", "AWS::Region"}}])
def test_what_can_be_made_in_some_order_is_fine(uses: dict[str, set[str]]) -> None:
    assert find_cycle(uses, ORIGINS) is None


def test_every_step_is_named_with_its_line() -> None:
    problem = find_cycle({"X": {"A"}, "A": {"B", "C"}, "B": {"A"}}, ORIGINS)

    assert problem is not None
    first, *steps = problem.message.splitlines()
    assert first == "resources need each other in a cycle; take one of these references out:"
    assert sorted(steps) == ["  A needs B (/x/A.py:3)", "  B needs A (/x/B.py:3)"]
    assert problem.origin in ORIGINS.values()


def test_a_resource_that_needs_itself_is_a_cycle() -> None:
    problem = find_cycle({"C": {"C"}}, ORIGINS)

    assert problem is not None
    assert problem.message.splitlines()[1:] == ["  C needs C"]
    assert problem.origin is None
