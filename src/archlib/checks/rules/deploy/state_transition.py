"""E9126: the states of a state machine lead to states it has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.read import Place, resources, walk


class StateTransition(Rule):
    """A state machine goes to a state it does not have."""

    id = "E9126"
    shortdesc = "Next and Default name existing states"
    description = "Correct the name, or add the state at the same level."
    source_url = "https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html"

    def find(self, cfn: Template) -> Found:
        """Yield each transition to nowhere."""
        for machine in resources(cfn, "AWS::StepFunctions::StateMachine").values():
            for path, definition in machine.find("Definition"):
                for at, message in _wrong(definition):
                    yield (*path, *at), message
            for path, text in machine.find("DefinitionString"):
                for _, message in _wrong(_parse(text)):
                    yield path, message


def _parse(text: Any) -> Any:
    """Return the definition in ``text``, with its substitutions as they are written, or nothing."""
    match text:
        case {"Fn::Sub": str(inner) | [str(inner), *_]}:
            text = inner
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _wrong(definition: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield path and message of each transition to nowhere, at any level."""
    for path, level in walk(definition, ()):
        inside = path[-1:] in (("Iterator",), ("ItemProcessor",)) or path[-2:-1] == ("Branches",)
        if not isinstance(level, dict) or (path and not inside):
            continue
        states = level.get("States")
        if not isinstance(states, dict) or any("${" in str(name) or str(name).startswith("Fn::") for name in states):
            continue
        for at, goal in _goals(states):
            if isinstance(goal, str) and goal not in states and "${" not in goal:
                message = f"{at[-1]} names {goal}, there is no such state; correct it, or add the state"
                yield (*path, *at), message


def _goals(states: dict[str, Any]) -> Iterator[Place]:
    """Yield where each state goes, with its path."""
    for name, state in states.items():
        if not isinstance(state, dict):
            continue
        at = ("States", name)
        for key in ("Next", "Default"):
            yield (*at, key), state.get(key)
        for key in ("Choices", "Catch"):
            for index, way in enumerate(state[key] if isinstance(state.get(key), list) else ()):
                yield (*at, key, index, "Next"), way.get("Next") if isinstance(way, dict) else None
