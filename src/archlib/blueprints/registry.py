"""The blueprints by name; each is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from archlib.blueprints.base import Blueprint
from archlib.core.assembly import nearest
from archlib.errors import SettingsError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "archlib.blueprints"
"""Entry-point group by which other packages add blueprints."""

BUILT_IN = {
    "multi-tier": (
        "archlib.blueprints.multi_tier:MultiTier",
        "presentation, application and data tiers, and all that serverless has",
    ),
    "microservices": (
        "archlib.blueprints.microservices:Microservices",
        "services in containers behind one entry, and all that serverless has",
    ),
    "static-site": ("archlib.blueprints.static_site:StaticSite", "a website of files, delivered by CloudFront"),
    "serverless": ("archlib.blueprints.serverless:Serverless", "APIs, functions, data, messaging and their monitoring"),
}


def names() -> dict[str, str]:
    """Return the known blueprints and what each is for."""
    added = {entry.name: f"from {entry.module}" for entry in _added()}
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
    for entry in _added():
        if entry.name == name:
            loaded: type[Blueprint] = entry.load()
            return loaded
    known = ", ".join(sorted(names()))
    raise SettingsError(f"blueprint must be one of {known}, got {name!r}{nearest(name, names())}")


def _added() -> Iterable[EntryPoint]:
    """Return the blueprints of other packages."""
    from importlib.metadata import entry_points  # noqa: PLC0415  (slow, and not needed for our own)

    return entry_points(group=GROUP)
