"""The service models of botocore: what a request and an answer may contain."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from fakes.errors import ModelViolation, Unmodelled

_KINDS: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
}


@cache
def service_model(service: str) -> Any:
    """Return botocore's model of a service, such as ``cloudformation``."""
    return import_module("botocore.session").get_session().get_service_model(service)


def operation_model(service: str, operation: str) -> Any:
    """Return botocore's model of an operation."""
    model = service_model(service)
    if operation not in model.operation_names:
        raise ModelViolation(f"{service} has no operation {operation}")
    return model.operation_model(operation)


def check(value: Any, shape: Any, path: str) -> None:
    """Raise if ``value`` is not what ``shape`` says.

    Raises:
        ModelViolation: an unknown or missing member, a wrong type, a value outside an enumeration.
    """
    if shape is None:
        if value:
            raise ModelViolation(f"{path}: nothing expected, got {value!r}")
        return
    kind = shape.type_name
    if kind in _KINDS:
        _expect(value, _KINDS[kind], path)
    match kind:
        case "structure":
            _check_structure(value, shape, path)
        case "list":
            for index, item in enumerate(value):
                check(item, shape.member, f"{path}[{index}]")
        case "map":
            for key, item in value.items():
                check(item, shape.value, f"{path}[{key!r}]")
        case "string" if shape.enum and value not in shape.enum and not isinstance(value, Unmodelled):
            raise ModelViolation(f"{path}: must be one of {shape.enum}, got {value!r}")


def _check_structure(value: Any, shape: Any, path: str) -> None:
    if unknown := sorted(set(value) - set(shape.members)):
        raise ModelViolation(f"{path}: unknown members {unknown}; known are {sorted(shape.members)}")
    if missing := sorted(set(shape.required_members) - set(value)):
        raise ModelViolation(f"{path}: missing members {missing}")
    for name, item in value.items():
        check(item, shape.members[name], f"{path}.{name}")


def _expect(value: Any, kinds: tuple[type, ...], path: str) -> None:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ModelViolation(f"{path}: must be one of {[kind.__name__ for kind in kinds]}, got {value!r}")
