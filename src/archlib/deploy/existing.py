"""Stacks that exist, found and put in order without the files they were made from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

from archlib.core.artifact import StackArtifact
from archlib.deploy.deployer import Deployer
from archlib.deploy.models import StackState

Graph = dict[str, frozenset[str]]
_STACK_OUTPUT = "Fn::GetStackOutput"


class Named(Protocol):
    """A stack that is addressed: one of a file, or a :class:`StackName`."""

    @property
    def name(self) -> str:
        """Return its name."""
        ...

    @property
    def region(self) -> str | None:
        """Return where it is; None: in the region of the deployment."""
        ...


@dataclass(frozen=True, slots=True)
class StackName:
    """A stack without its file.

    Attributes:
        name: its name.
        region: where; None: in the region of the deployment.
    """

    name: str
    region: str | None = None


def find(deployer: Deployer, app: str, environment: str, *, regions: Sequence[str] = ()) -> tuple[StackName, ...]:
    """Return the stacks that are tagged with ``app`` and ``environment``; nested ones belong to theirs.

    Args:
        deployer: of the account.
        app: name of the app.
        environment: its environment.
        regions: where to look, besides the deployer's region.
    """
    wanted = {"app": app, "environment": environment}
    found = []
    for region in dict.fromkeys((deployer.aws.region, *regions)):
        for state in deployer.run(region).cloudformation.stacks():
            if state.parent is None and state.tags.items() >= wanted.items():
                found.append(StackName(state.name, region))  # noqa: PERF401  (two loops read better than one line)
    return tuple(found)


def dependencies(
    deployer: Deployer, stacks: Sequence[Named], states: Mapping[str, StackState], templates: Mapping[str, Any]
) -> Graph:
    """Return which of ``stacks`` each of them needs.

    A file says it. Without one, a stack needs those whose exports it imports, whose outputs its template names, and
    whose outputs its parameters repeat, name and value.

    Args:
        deployer: of the account.
        stacks: the stacks.
        states: of those that exist.
        templates: of those that exist.
    """
    files = {stack.name: stack for stack in stacks if isinstance(stack, StackArtifact)}
    graph: dict[str, set[str]] = {
        stack.name: set(files[stack.name].depends_on if stack.name in files else _named_in(templates.get(stack.name)))
        for stack in stacks
    }
    unknown = states.keys() - files.keys()
    for stack in stacks if unknown else ():
        if stack.name in states:
            used = importers(deployer, stack, states[stack.name], templates[stack.name])
            for user in unknown & {user for users in used.values() for user in users}:
                graph[user].add(stack.name)
    certain = _frozen(graph)
    for name in unknown:
        values = states[name].parameters.items()
        graph[name] |= {other for other, state in states.items() if values & state.outputs.items()}
    complete = _frozen(graph)
    try:
        TopologicalSorter(complete).prepare()
    except CycleError:  # values that are equal by chance
        return certain
    return complete


def importers(deployer: Deployer, stack: Named, state: StackState, template: Any) -> dict[str, tuple[str, ...]]:
    """Return the exports of a stack that others import, each with the names of those stacks."""
    if not _exports(template):
        return {}
    cloudformation = deployer.run(stack.region).cloudformation
    used = {name: cloudformation.importers(name) for name in cloudformation.exports(state.id)}
    return {name: users for name, users in used.items() if users}


def _exports(template: Any) -> bool:
    return any("Export" in output for output in template.get("Outputs", {}).values())


def _named_in(template: Any) -> set[str]:
    """Return the names of the stacks whose outputs ``template`` reads."""
    text = json.dumps(template)
    if _STACK_OUTPUT not in text:
        return set()
    return set(re.findall(r'"StackName": "([^"]+)"', text))


def _frozen(graph: Mapping[str, set[str]]) -> Graph:
    return {name: frozenset(needs & graph.keys() - {name}) for name, needs in graph.items()}
