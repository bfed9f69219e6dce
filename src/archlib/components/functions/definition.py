"""Definitions of state machines: read, checked, and made to work in every partition of AWS."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from archlib.core.assembly import nearest
from archlib.core.values import Value, arn
from archlib.errors import SourceError

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_INTEGRATION = re.compile(r"arn:aws:states:::(.+)")
_NAME_MAX = 80
_STOPPING = ("Succeed", "Fail")
_GOING_ON = ("Task", "Pass", "Wait", "Parallel", "Map")
_NOT_IN_EXPRESS = (".sync", ".sync:2", ".waitForTaskToken")

State = Mapping[str, Any]


def load(path: Path) -> dict[str, Any]:
    """Return the definition in the JSON or YAML file at ``path``.

    Raises:
        SourceError: the file cannot be read, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        definition = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        json.dumps(definition)
    except OSError as error:
        raise SourceError(f"definition {str(path)!r}: must be a file, got {error.strerror}; correct the path") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = f"definition {str(path)!r}: must be JSON or YAML: {error.problem} in line {line}; correct it"
        raise SourceError(message) from None
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise SourceError(f"definition {str(path)!r}: must be JSON or YAML with times in quotes, got {error}") from None
    if not isinstance(definition, dict):
        raise SourceError(f"definition {str(path)!r}: must be a mapping, got {type(definition).__name__}")
    return definition


def placeholders(text: str) -> set[str]:
    """Return the names of the ``${name}`` in ``text``."""
    return set(_PLACEHOLDER.findall(text))


def portable(definition: State) -> tuple[dict[str, Any], dict[str, Value]]:
    """Return ``definition`` with the ARNs of service integrations as placeholders, and what these stand for.

    A language chosen for the whole definition is also noted in each state but ``Succeed``: cfn-lint reads it only
    there.
    """
    made: dict[str, Any] = json.loads(json.dumps(definition))
    substitutions: dict[str, Value] = {}
    for scope in _scopes(made):
        for state in _states(scope).values():
            if not isinstance(state, dict):
                continue
            if "QueryLanguage" in made and state.get("Type") != "Succeed":
                state.setdefault("QueryLanguage", made["QueryLanguage"])
            if match := _INTEGRATION.fullmatch(str(state.get("Resource"))):
                name = "".join(word[:1].upper() + word[1:] for word in re.split(r"\W+", match[1]))
                substitutions[name] = arn("states", match[1], region="", account="")
                state["Resource"] = f"${{{name}}}"
    return made, substitutions


def problems(definition: State, *, express: bool) -> Iterator[str]:
    """Yield what is wrong with ``definition``, in the words of its author."""
    names = Counter(name for scope in _scopes(definition) for name in _states(scope))
    yield from (f"state {name!r} must have a name of its own, got it {n} times" for name, n in names.items() if n > 1)
    for scope in _scopes(definition):
        yield from _scope_problems(scope, express=express)


def _scopes(scope: Any) -> Iterator[State]:
    """Yield ``scope`` and the scopes inside its states."""
    if not isinstance(scope, Mapping):
        return
    yield scope
    for state in _states(scope).values():
        if isinstance(state, Mapping):
            for inner in (*(state.get("Branches") or ()), state.get("ItemProcessor"), state.get("Iterator")):
                yield from _scopes(inner)


def _states(scope: State) -> State:
    states = scope.get("States")
    return states if isinstance(states, Mapping) else {}


def _scope_problems(scope: State, *, express: bool) -> Iterator[str]:
    states = _states(scope)
    start = scope.get("StartAt")
    if not states:
        yield "States must have at least one state, got none"
        return
    if start not in states:
        yield f"StartAt must be one of its states, got {start!r}{nearest(str(start), states)}"
    for name, state in states.items():
        if isinstance(state, Mapping):
            yield from (f"state {name!r}: {problem}" for problem in _state_problems(name, state, states, express))
        else:
            yield f"state {name!r} must be a mapping, got {state!r}"
    reached = _reached(start, states)
    if start in states:
        for name in states:
            if name not in reached:
                yield f"state {name!r} must be reached from {start!r}, got no way there; lead to it or remove it"
        if not any(_ends(states[name]) for name in reached):
            yield f"what starts at {start!r} must come to an end, got none; add End, Succeed or Fail"


def _reached(start: Any, states: State) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in states and name not in reached:
            reached.add(name)
            waiting += [target for _, target in _goals(states[name])]
    return reached


def _ends(state: Any) -> bool:
    return isinstance(state, Mapping) and (state.get("End") is True or state.get("Type") in _STOPPING)


def _goals(state: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(state, Mapping):
        return
    for key in ("Next", "Default"):
        if key in state:
            yield key, state[key]
    for key in ("Choices", "Catch"):
        for rule in state.get(key) or ():
            if isinstance(rule, Mapping):
                yield f"Next in {key}", rule.get("Next")


def _state_problems(name: str, state: State, states: State, express: bool) -> Iterator[str]:  # noqa: FBT001  (private)
    kind = state.get("Type")
    if kind not in (*_GOING_ON, *_STOPPING, "Choice"):
        yield f"Type must be one of {', '.join((*_GOING_ON, 'Choice', *_STOPPING))}, got {kind!r}"
    if len(name) > _NAME_MAX:
        yield f"name must be at most {_NAME_MAX} characters, got {len(name)}"
    for key, target in _goals(state):
        if target not in states:
            yield f"{key} must be a state beside it, got {target!r}{nearest(str(target), states)}"
    if kind in _GOING_ON and ("Next" in state) == (state.get("End") is True):
        yield "must have either Next or End: true, got " + ("both" if "Next" in state else "neither")
    if kind == "Choice" and not state.get("Choices"):
        yield "Choices must have at least one rule, got none"
    if kind == "Parallel" and not state.get("Branches"):
        yield "Branches must have at least one branch, got none"
    if kind == "Map" and ("ItemProcessor" in state) == ("Iterator" in state):
        yield "must have an ItemProcessor, got none" if "Iterator" not in state else "must have one processor, got two"
    yield from _handler_problems(state)
    yield from _time_problems(state)
    if express:
        yield from _express_problems(state)


def _handler_problems(state: State) -> Iterator[str]:
    for key in ("Retry", "Catch"):
        handlers = state.get(key) or ()
        for index, handler in enumerate(handlers):
            errors = handler.get("ErrorEquals") if isinstance(handler, Mapping) else None
            if not errors:
                yield f"{key} must have ErrorEquals, got {handler!r}"
            elif "States.ALL" in errors and (len(errors) > 1 or index < len(handlers) - 1):
                yield f"States.ALL must stand alone and last in {key}, got it before other errors"


def _time_problems(state: State) -> Iterator[str]:
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    for key, value in (("TimeoutSeconds", timeout), ("HeartbeatSeconds", heartbeat)):
        if isinstance(value, int) and value < 1:
            yield f"{key} must be 1 or more, got {value}"
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        yield f"HeartbeatSeconds must be less than TimeoutSeconds of {timeout}, got {heartbeat}"


def _express_problems(state: State) -> Iterator[str]:
    resource = str(state.get("Resource", ""))
    if resource.endswith(_NOT_IN_EXPRESS):
        yield f"Resource must not wait in an express state machine, got {resource!r}; make it a standard one"
    processor = state.get("ItemProcessor")
    config = processor.get("ProcessorConfig") if isinstance(processor, Mapping) else None
    if isinstance(config, Mapping) and config.get("Mode") == "DISTRIBUTED":
        yield "Mode must be INLINE in an express state machine, got 'DISTRIBUTED'; make it a standard one"
