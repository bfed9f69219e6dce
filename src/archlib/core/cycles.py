"""Resources that need each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from archlib.core.origin import Origin
from archlib.errors import Problem


def find_cycle(uses: Mapping[str, Collection[str]], origins: Mapping[str, Origin]) -> Problem | None:
    """Return what is wrong if resources refer to each other in a circle: CloudFormation can make none of them first.

    Args:
        uses: logical id -> the logical ids in the same template that it refers to.
        origins: logical id -> the user's line.
    """
    # Without what needs nothing that is left, as often as it goes, most templates are empty.
    left = dict(uses)
    while free := [name for name, used in left.items() if left.keys().isdisjoint(used)]:
        for name in free:
            del left[name]
    try:
        TopologicalSorter(left).prepare()
    except CycleError as error:
        # graphlib lists each node behind the one it is needed by.
        cycle = list(reversed(error.args[1]))
        steps = [f"{user} needs {used}" + (f" ({origins[user]})" if user in origins else "")
                 for user, used in pairwise(cycle)]  # fmt: skip
        message = "resources need each other in a cycle; take one of these references out:\n  " + "\n  ".join(steps)
        return Problem(message, origins.get(cycle[0]))
    return None
