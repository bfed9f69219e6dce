"""Values of template parameters: from other stacks, from the deployer itself, from the user."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from archlib.core.artifact import StackArtifact
from archlib.errors import Problem, SettingsError


def secrets(stack: StackArtifact) -> frozenset[str]:
    """Return the names of the parameters of ``stack`` that must not be shown."""
    definitions = stack.template.get("Parameters", {})
    return frozenset(name for name, each in definitions.items() if str(each.get("NoEcho", "")).lower() == "true")


def secret_defaults(stack: StackArtifact) -> frozenset[str]:
    """Return the defaults of these parameters."""
    definitions = stack.template.get("Parameters", {})
    return frozenset(str(definitions[name].get("Default", "")) for name in secrets(stack))


def secret_outputs(template: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the outputs of ``template`` that show a parameter with NoEcho."""
    definitions: Mapping[str, Any] = template.get("Parameters", {})
    hidden = [name for name, each in definitions.items() if str(each.get("NoEcho", "")).lower() == "true"]
    texts = {name: json.dumps(output.get("Value")) for name, output in template.get("Outputs", {}).items()}
    return frozenset(
        name
        for name, text in texts.items()
        if any(f'"Ref": "{secret}"' in text or f"${{{secret}}}" in text for secret in hidden)
    )


def given(stack: StackArtifact, name: str, values: Mapping[str, str]) -> str | None:
    """Return what the user gave for the parameter ``name``: as ``Stack.Name``, or ``Name`` for all stacks."""
    return values.get(f"{stack.name}.{name}", values.get(name))


def resolve(
    stack: StackArtifact,
    *,
    outputs: Callable[[str], Mapping[str, str] | None],
    bucket: Callable[[], str],
    prefix_list: Callable[[str], str],
    values: Mapping[str, str],
) -> tuple[dict[str, str | None], frozenset[str]]:
    """Return the values of the parameters of ``stack``, and the names of those that nobody knows yet.

    A value of None keeps what the stack has.

    Args:
        stack: the stack.
        outputs: of another stack, by its name; None if it does not exist yet.
        bucket: name of the bucket for assets.
        prefix_list: id of a list that AWS manages, by the service: ``s3``, ``dynamodb``, ``cloudfront``.
        values: what the user gave, see :func:`given`.
    """
    known: dict[str, str | None] = {}
    unknown: set[str] = set()
    for name in stack.template.get("Parameters", {}):
        source = stack.parameters.get(name)
        kind = source.kind if source else "user"
        if source and kind == "output":
            value = (outputs(source.stack) or {}).get(source.output)
            if value is None:
                unknown.add(name)
            else:
                known[name] = value
        elif kind == "asset-bucket":
            known[name] = bucket()
        elif source and kind == "prefix-list":
            known[name] = prefix_list(source.output)
        elif (value := given(stack, name, values)) is not None:
            known[name] = value
        else:
            known[name] = None  # like CloudFormation itself: what was given once stays
    return known, frozenset(unknown)


def check_given(stacks: Iterable[StackArtifact], values: Mapping[str, str], existing: Mapping[str, bool]) -> None:
    """Refuse parameters that no stack has, and stacks that miss one.

    Args:
        stacks: all stacks.
        values: what the user gave.
        existing: for each stack, whether it exists: then a value that is not given stays as it is.

    Raises:
        SettingsError: a value is missing, or is for nothing.
    """
    stacks = tuple(stacks)
    known: set[str] = set()
    problems = []
    for stack in stacks:
        for name, definition in stack.template.get("Parameters", {}).items():
            source = stack.parameters.get(name)
            if source is not None and source.kind != "user":
                continue
            known |= {name, f"{stack.name}.{name}"}
            if given(stack, name, values) is None and "Default" not in definition and not existing[stack.name]:
                message = f"stack {stack.name!r}: parameter {name!r} must be given; add --parameter {name}=..."
                problems.append(Problem(f"{message}, or parameters in the file's targets", stack.origins.get(name)))
    for name in values:
        if name not in known:
            near = get_close_matches(name, sorted(known), n=1)
            advice = f"did you mean {near[0]!r}?" if near else "remove it"
            problems.append(Problem(f"parameter {name!r}: no stack has it; {advice}"))
    if problems:
        raise SettingsError(problems)
