"""Parameters of a template: defaults, previous values, values of SSM, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fakes.errors import ServiceError, validation

HIDDEN = "****"
_SSM = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")


def given_values(
    template: dict[str, Any],
    given: Iterable[Mapping[str, Any]],
    previous: Mapping[str, str],
    *,
    updating: bool,
) -> dict[str, str]:
    """Return the value of every parameter of the template as text.

    Raises:
        ServiceError: a value is missing, unknown, not allowed, or a previous one that does not exist.
    """
    declared: dict[str, dict[str, Any]] = template.get("Parameters", {})
    entries = {entry["ParameterKey"]: entry for entry in given}
    if unknown := sorted(set(entries) - set(declared)):
        raise validation(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    values: dict[str, str] = {}
    missing = []
    for name, declaration in declared.items():
        entry = entries.get(name, {})
        if entry.get("UsePreviousValue"):
            if not updating or name not in previous:
                raise validation(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true "
                    "for a parameter key not in the previous template"
                )
            values[name] = previous[name]
        elif "ParameterValue" in entry:
            values[name] = entry["ParameterValue"]
        elif "Default" in declaration:
            values[name] = _text(declaration["Default"])
        else:
            missing.append(name)
            continue
        _check(name, values[name], declaration)
    if missing:
        raise validation(f"Parameters: [{', '.join(missing)}] must have values")
    return values


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(name: str, value: str, declaration: dict[str, Any]) -> None:
    allowed = [_text(item) for item in declaration.get("AllowedValues", [])]
    if allowed and value not in allowed:
        raise validation(f"Parameter '{name}' must be one of AllowedValues")
    pattern = declaration.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        raise validation(f"Parameter '{name}' must match pattern {pattern}")
    if len(value) < int(declaration.get("MinLength", 0)):
        raise validation(f"Parameter '{name}' must contain at least {declaration['MinLength']} characters")
    if declaration["Type"] == "Number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        raise validation(f"Parameter '{name}' must be a number")


def meanings(template: dict[str, Any], values: Mapping[str, str], ssm: Mapping[str, str]) -> dict[str, Any]:
    """Return what a ``Ref`` to each parameter is.

    Raises:
        ServiceError: a parameter of the parameter store does not exist.
    """
    result: dict[str, Any] = {}
    missing = []
    for name, declaration in template.get("Parameters", {}).items():
        kind, value = declaration["Type"], values[name]
        if match := _SSM.fullmatch(kind):
            kind = match[1]
            if value not in ssm:
                missing.append(value)
                continue
            value = ssm[value]
        result[name] = value.split(",") if kind == "CommaDelimitedList" or kind.startswith("List<") else value
    if missing:
        raise _ssm_error(missing)
    return result


def _ssm_error(names: list[str]) -> ServiceError:
    return validation(f"Unable to fetch parameters [{','.join(names)}] from parameter store for this account.")


def described(template: dict[str, Any], values: Mapping[str, str], ssm: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the parameters as DescribeStacks shows them: secret ones hidden, those of SSM resolved."""
    result = []
    for name, declaration in template.get("Parameters", {}).items():
        if name not in values:
            continue
        hidden = _text(declaration.get("NoEcho", "false")) == "true"
        entry = {"ParameterKey": name, "ParameterValue": HIDDEN if hidden else values[name]}
        if _SSM.fullmatch(declaration["Type"]) and values[name] in ssm:
            entry["ResolvedValue"] = ssm[values[name]]
        result.append(entry)
    return result
