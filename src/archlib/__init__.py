"""Production-grade AWS CloudFormation from a few lines of Python, or one YAML file."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archlib.blueprints.load import load
    from archlib.core.app import App
    from archlib.core.artifact import StackArtifact
    from archlib.core.component import Component
    from archlib.core.stack import Stack
    from archlib.errors import ArchlibError

__all__ = ["App", "ArchlibError", "Component", "Stack", "StackArtifact", "load"]

# Imported on first use: the command line's help must not wait for troposphere and pydantic.
_HOMES = {
    "App": "archlib.core.app",
    "ArchlibError": "archlib.errors",
    "Component": "archlib.core.component",
    "Stack": "archlib.core.stack",
    "StackArtifact": "archlib.core.artifact",
    "load": "archlib.blueprints.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
