"""AWS on this machine: MiniStack as a child process, completed so that every template of archlib deploys unmodified."""

from archlib.local.engine import EngineStatus, LocalEngine
from archlib.local.types import recorded_types

__all__ = ["EngineStatus", "LocalEngine", "recorded_types"]
