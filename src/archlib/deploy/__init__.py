"""Carry stacks into AWS: plan, deploy, watch, explain, recover, destroy."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archlib.core.target import Target
    from archlib.deploy.deployer import Deployer, Deployment
    from archlib.deploy.plan import Plan, StackPlan
    from archlib.deploy.reporter import LineReporter, Reporter, SilentReporter
    from archlib.deploy.run import Options

__all__ = [
    "Deployer",
    "Deployment",
    "LineReporter",
    "Options",
    "Plan",
    "Reporter",
    "SilentReporter",
    "StackPlan",
    "Target",
]

# Imported on first use: boto3 is slow to import.
_HOMES = {
    "Deployer": "archlib.deploy.deployer",
    "Deployment": "archlib.deploy.deployer",
    "LineReporter": "archlib.deploy.reporter",
    "Options": "archlib.deploy.run",
    "Plan": "archlib.deploy.plan",
    "Reporter": "archlib.deploy.reporter",
    "SilentReporter": "archlib.deploy.reporter",
    "StackPlan": "archlib.deploy.plan",
    "Target": "archlib.core.target",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
