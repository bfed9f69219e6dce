"""Production-grade AWS CloudFormation from a few lines of Python, or one YAML file."""

from archlib.core.app import App
from archlib.core.artifact import StackArtifact
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.errors import ArchlibError

__all__ = ["App", "ArchlibError", "Component", "Stack", "StackArtifact"]
