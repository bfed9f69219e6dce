"""Doubles of AWS for tests: services that behave, in virtual time, behind real boto3 clients."""

from fakes.clock import ScaledClock, VirtualClock
from fakes.cloudformation import FakeCloudFormation
from fakes.errors import ServiceError, Unmodelled
from fakes.proxy import FaultProxy
from fakes.scheduler import Actor, Killed, Scheduler, Stuck
from fakes.server import serve
from fakes.services import Buckets, ScriptedServices
from fakes.transport import attach

__all__ = [
    "Actor",
    "Buckets",
    "FakeCloudFormation",
    "FaultProxy",
    "Killed",
    "ScaledClock",
    "Scheduler",
    "ScriptedServices",
    "ServiceError",
    "Stuck",
    "Unmodelled",
    "VirtualClock",
    "attach",
    "serve",
]
