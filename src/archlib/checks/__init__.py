"""What is wrong with the templates, before AWS says so."""

from archlib.checks.finding import Finding, Severity
from archlib.checks.run import REGIONS, check

__all__ = ["REGIONS", "Finding", "Severity", "check"]
