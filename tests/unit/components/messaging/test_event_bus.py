from typing import Any

import pytest

from archlib import App
from archlib.components.identity.role import Role
from archlib.components.messaging.bus import Bus
from archlib.components.messaging.event_bus import EventBus
from archlib.components.messaging.queue import Queue
from archlib.core.values import encode
from archlib.errors import SettingsError

UPLOADS = {"source": ["aws.s3"], "detail-type": ["Object Created"]}


def test_is_the_bus_every_account_has(app: App) -> None:
    role = Role(app.stack("api"), "api", service="ecs-tasks")
    role.connect(EventBus().for_publishing())

    (stack,) = app.assemble()
    (statement,) = stack.template["Resources"]["ApiPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert statement["Resource"] == [
        {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"}
    ]
    assert EventBus().for_publishing().access == "sending events to event bus 'default'"
    assert encode(EventBus().for_publishing().environment) == {"BUS_NAME": "default"}


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_makes_a_rule_where_the_targets_are(layout: Any) -> None:
    app = App("shop", "test", layout=layout)
    bus = Bus(app.stack("producer"), "domain")
    queue = Queue(app.stack("consumer"), "jobs")

    rule = bus.rule("placed", queue, pattern={"source": ["shop"]}, retries=3, enabled=False)

    assert rule.stack.name == "consumer"
    stacks = {stack.name: stack for stack in app.assemble()}
    consumer = stacks.get("shop-test-consumer") or stacks["shop-test"]
    made = consumer.template["Resources"]["PlacedRule"]["Properties"]
    assert made["EventBusName"] == {"Ref": "DomainBus"}
    assert made["State"] == "DISABLED"
    assert made["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"] == 3
    if layout == "layered":
        assert "shop-test-producer" in consumer.depends_on
        assert "shop-test-consumer" not in stacks["shop-test-producer"].depends_on


def test_a_rule_of_the_default_bus_needs_no_other_stack(app: App) -> None:
    EventBus().rule("uploads", Queue(app.stack("consumer"), "jobs"), pattern=UPLOADS)

    consumer = app.assemble()[-1]

    assert consumer.template["Resources"]["UploadsRule"]["Properties"]["EventBusName"] == "default"
    assert consumer.depends_on == {"shop-test-foundation"}


def test_a_rule_without_targets_is_refused() -> None:
    with pytest.raises(SettingsError, match="rule 'uploads': targets must be 1 to 5, got 0"):
        EventBus().rule("uploads", pattern=UPLOADS)
