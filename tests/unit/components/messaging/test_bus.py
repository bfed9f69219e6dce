from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.messaging.bus import Bus
from archlib.core.values import encode
from archlib.errors import SettingsError

ARN = {"Fn::GetAtt": ["DomainBus", "Arn"]}


def resources(app: App) -> dict[str, Any]:
    return {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def test_is_encrypted_and_keeps_what_it_cannot_process(stack: Stack) -> None:
    Bus(stack, "domain")

    made = resources(stack.app)
    bus = made["DomainBus"]["Properties"]
    allow = made["DomainBusDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][1]

    assert bus["Name"] == "shop-test-domain"
    assert bus["KmsKeyIdentifier"] == {"Ref": "AppKeyArn"}
    assert bus["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DomainBusDeadLetterQueue", "Arn"]}}
    assert (allow["Principal"], allow["Condition"]["ArnLike"]) == (
        {"Service": "events.amazonaws.com"},
        {"aws:SourceArn": ARN},
    )


def test_eventbridge_may_use_the_key_for_buses_and_archives_of_the_account(stack: Stack) -> None:
    Bus(stack, "domain")

    served = {
        statement["Sid"]: statement
        for statement in resources(stack.app)["AppKey"]["Properties"]["KeyPolicy"]["Statement"]
    }

    assert served["EncryptEvents"]["Condition"] == {
        "StringLike": {
            "kms:EncryptionContext:aws:events:event-bus:arn": {
                "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/*"
            }
        }
    }
    assert "kms:DescribeKey" in served["DeliverEncrypted"]["Action"]


def test_archives_events_for_a_replay(stack: Stack) -> None:
    Bus(stack, "domain", archive=timedelta(days=30))

    archive = resources(stack.app)["DomainBusArchive"]

    assert archive["DeletionPolicy"] == "Retain"
    assert archive["Properties"] == {
        "RetentionDays": 30,
        "SourceArn": ARN,
        "KmsKeyIdentifier": {"Ref": "AppKeyArn"},
    }


def test_discovers_schemas_only_without_a_key_of_the_account(stack: Stack) -> None:
    Bus(stack, "domain", discover_schemas=True, archive=timedelta(days=1))

    made = resources(stack.app)

    assert made["DomainBusDiscoverer"]["Properties"]["SourceArn"] == ARN
    assert "KmsKeyIdentifier" not in made["DomainBus"]["Properties"]
    assert "KmsKeyIdentifier" not in made["DomainBusArchive"]["Properties"]


@pytest.mark.parametrize("archive", [timedelta(0), timedelta(hours=12), timedelta(days=1, hours=1)])
def test_refuses_an_archive_of_part_of_a_day(stack: Stack, archive: timedelta) -> None:
    with pytest.raises(SettingsError, match="bus 'domain': archive must be 1d or more in whole days"):
        Bus(stack, "domain", archive=archive)


def test_refuses_a_key_beside_schemas(stack: Stack) -> None:
    with pytest.raises(SettingsError, match="key must be left out with discover_schemas, got 'own'"):
        Bus(stack, "domain", discover_schemas=True, key=Key(stack, "own"))


def test_gives_the_right_to_send_events(stack: Stack) -> None:
    bus = Bus(stack, "domain")
    Role(stack, "api", service="ecs-tasks").connect(bus.for_publishing())

    (statement,) = resources(stack.app)["ApiPolicy"]["Properties"]["PolicyDocument"]["Statement"]

    assert (statement["Action"], statement["Resource"]) == (["events:PutEvents"], [ARN])
    assert bus.for_publishing().access == "sending events to bus 'domain'"
    assert encode(bus.for_publishing().environment) == {"BUS_NAME": {"Ref": "DomainBus"}}
    assert bus.start_grants() == bus.for_publishing().grants


def test_services_need_a_role_and_a_queue_for_what_they_cannot_deliver(stack: Stack) -> None:
    bus = Bus(stack, "domain")

    assert not bus.admit("events", "arn:aws:x")
    assert encode(bus.dead_letters_for("events", "arn:aws:x")) == {"Fn::GetAtt": ["DomainBusDeadLetterQueue", "Arn"]}
    assert [watch.name for watch in bus.watches()] == ["dead-letters"]

    statements = resources(stack.app)["DomainBusDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statements[2]["Condition"]["ArnLike"] == {"aws:SourceArn": "arn:aws:x"}


def test_the_default_bus_is_one_call_away() -> None:
    assert Bus.default().bus_name == "default"
