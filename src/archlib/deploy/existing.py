"""Stacks that exist, found and put in order without the files they were made from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

from archlib.core.artifact import StackArtifact
from archlib.core.regions import GLOBAL_REGION
from archlib.deploy.calls import DeniedError
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


def find(deployer: Deployer, app: str, environment: str) -> tuple[StackName, ...]:
    """Return the stacks that are tagged with ``app`` and ``environment``; nested ones belong to theirs.

    What an app has in the deployer's region may come with stacks in the region of CloudFront. One there that has the
    name of one here belongs to another deployment of the app.

    Args:
        deployer: of the account.
        app: name of the app.
        environment: its environment.
    """
    here = deployer.aws.region
    found = {name: StackName(name, here) for name in _tagged(deployer, here, app, environment)}
    if found and here != GLOBAL_REGION and deployer.identity.partition == "aws":
        try:
            others = _tagged(deployer, GLOBAL_REGION, app, environment)
        except DeniedError as error:
            deployer.run().note("", f"stacks in {GLOBAL_REGION} could not be looked for: {error}")
            others = ()
        found |= {name: StackName(name, GLOBAL_REGION) for name in others if name not in found}
    return tuple(found.values())


def _tagged(deployer: Deployer, region: str, app: str, environment: str) -> tuple[str, ...]:
    wanted = {"app": app, "environment": environment}
    return tuple(
        state.name
        for state in deployer.run(region).cloudformation.stacks()
        if state.parent is None and state.tags.items() >= wanted.items()
    )


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
