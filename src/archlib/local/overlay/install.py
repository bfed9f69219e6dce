# ruff: noqa: SLF001  (MiniStack has no public names for its tables)
"""Add the handlers of the overlay to MiniStack's tables."""

from __future__ import annotations

from archlib.local.overlay import corrections, network, services
from archlib.local.overlay.ministack import Handler, service
from archlib.local.overlay.recorded import Recorded
from archlib.local.types import lacking_types

_PROVISIONERS = service("cloudformation.provisioners")


def install() -> None:
    """Teach MiniStack the types it lacks, and mend what it answers wrongly."""
    real: dict[str, Handler] = {**network.HANDLERS, **services.HANDLERS}
    for name, kind in lacking_types().items():
        handler: Handler = real.get(name) or Recorded(kind)
        _PROVISIONERS._RESOURCE_HANDLERS[name] = {
            "create": handler.create,
            "update": handler.update,
            "delete": handler.delete,
        }
        whole = tuple(path for path in kind.replace if "." not in path)
        partly = {path.partition(".")[0] for path in kind.replace} - set(whole)
        # Both tables are read by change sets, and the first by updates.
        _PROVISIONERS._REPLACING_PROPERTIES[name] = whole
        _PROVISIONERS._CONDITIONALLY_REPLACING_PROPERTIES[name] = tuple(sorted(partly))
    corrections.install()
