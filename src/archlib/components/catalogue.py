"""Which components there are, read from the modules themselves."""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import dataclass
from importlib import import_module

import archlib.components
from archlib.core.component import Component


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One component class.

    Attributes:
        group: package it is in, such as ``messaging``.
        name: class name.
        module: where to import it from.
        purpose: first sentence of its docstring.
    """

    group: str
    name: str
    module: str
    purpose: str


def catalogue() -> tuple[Entry, ...]:
    """Return every component, sorted by group and name."""
    found = set()
    for module in pkgutil.walk_packages(archlib.components.__path__, "archlib.components."):
        if module.ispkg or module.name == __name__:
            continue
        for name, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
            if issubclass(kind, Component) and kind is not Component and kind.__module__ == module.name:
                purpose = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
                found.add(Entry(module.name.split(".")[2], name, module.name, purpose))
    return tuple(sorted(found))
