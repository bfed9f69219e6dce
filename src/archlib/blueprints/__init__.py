"""Blueprints: typed settings become components placed into stacks."""

from archlib.blueprints.base import Blueprint, Settings
from archlib.blueprints.load import load

__all__ = ["Blueprint", "Settings", "load"]
