from __future__ import annotations

import pytest

from archlib import App, Stack
from archlib.components.compute.instances import Instances
from archlib.components.messaging.bus import Bus
from archlib.components.messaging.queue import Queue
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError
from unit.components.compute.conftest import Rendered


@pytest.mark.parametrize("kind", [Topic, Queue])
def test_tells_when_instances_cannot_be_started(
    app: App, stack: Stack, vpc: Vpc, rendered: Rendered, kind: type[Topic | Queue]
) -> None:
    target = kind(Stack(app, "monitoring"), "alarms")
    Instances(stack, "app", network=vpc, notify=target)

    rule = rendered()["AppInstancesFailures"]["Properties"]
    assert rule["EventPattern"] == {
        "source": ["aws.autoscaling"],
        "detail-type": ["EC2 Instance Launch Unsuccessful", "EC2 Instance Terminate Unsuccessful"],
        "detail": {"AutoScalingGroupName": [{"Ref": "AppInstances"}]},
    }
    assert [set(each) for each in rule["Targets"]] == [{"Arn", "DeadLetterConfig", "Id"}]


def test_tells_nobody_who_needs_a_role(stack: Stack, vpc: Vpc) -> None:
    with pytest.raises(SettingsError, match="notify must be a topic, a queue or a function, got 'domain'"):
        Instances(stack, "app", network=vpc, notify=Bus(stack, "domain"))
