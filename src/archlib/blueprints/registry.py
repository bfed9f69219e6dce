"""The blueprints by name; each is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module

from archlib.blueprints.base import Blueprint
from archlib.core.assembly import nearest
from archlib.errors import SettingsError

GROUP = "archlib.blueprints"
"""Entry-point group by which other packages add blueprints."""

BUILT_IN = {
    "serverless": ("archlib.blueprints.serverless:Serverless", "APIs, functions, data, messaging and their monitoring"),
}


def names() -> dict[str, str]:
    """Return the known blueprints and what each is for."""
    from importlib.metadata import entry_points  # noqa: PLC0415  (slow, and not needed for our own)

    added = {entry.name: f"from {entry.module}" for entry in entry_points(group=GROUP)}
    return {**added, **{name: purpose for name, (_, purpose) in BUILT_IN.items()}}


def blueprint(name: str) -> type[Blueprint]:
    """Return the blueprint class ``name``.

    Raises:
        SettingsError: there is none of that name.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name][0].partition(":")
        found: type[Blueprint] = getattr(import_module(module), attribute)
        return found
    from importlib.metadata import entry_points  # noqa: PLC0415  (slow, and not needed for our own)

    for entry in entry_points(group=GROUP, name=name):
        loaded: type[Blueprint] = entry.load()
        return loaded
    known = ", ".join(sorted(names()))
    raise SettingsError(f"blueprint must be one of {known}, got {name!r}{nearest(name, names())}")
