"""Who is told when instances cannot be started or ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from troposphere import events

from archlib.core.naming import pascal
from archlib.core.values import arn
from archlib.errors import Problem, SettingsError
from archlib.wiring.roles import Target

if TYPE_CHECKING:
    from archlib.components.compute.instances import Instances

_FAILURES = ("EC2 Instance Launch Unsuccessful", "EC2 Instance Terminate Unsuccessful")
_ID_MAX = 64


def tell_failures(instances: Instances, target: Target) -> events.Rule:
    """Tell ``target`` about failures of ``instances``.

    Not by the notifications of Auto Scaling: it sends them in the name of its own role, which an account has only
    after its first group, and which no policy of a topic's key can name before.

    Raises:
        SettingsError: the target needs a role to be reached.
    """
    source = arn("events", "rule/*")
    if not target.admit("events", source, label=f"{pascal(instances.name)}Instances"):
        message = f"{instances}: notify must be a topic, a queue or a function, got {target.name!r}"
        raise SettingsError(Problem(message, instances.origin, "notify"))
    return instances.add(
        events.Rule(
            instances.id("InstancesFailures"),
            Description=f"Instances of {instances.name} that cannot be started or ended",
            EventPattern={
                "source": ["aws.autoscaling"],
                "detail-type": list(_FAILURES),
                "detail": {"AutoScalingGroupName": [instances.ref()]},
            },
            State="ENABLED",
            Targets=[
                events.Target(
                    Arn=target.arn,
                    DeadLetterConfig=events.DeadLetterConfig(Arn=target.dead_letters_for("events", source)),
                    Id=str(target.resource.title)[:_ID_MAX],
                )
            ],
        )
    )
