from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.messaging.stream import Stream
from archlib.core.values import encode
from archlib.errors import SettingsError

CODE = Code(inline="def handler(event, context):\n    return event\n")
READ = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator"]


def resources(app: App) -> dict[str, Any]:
    return {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def statements(app: App, policy: str) -> list[tuple[list[str], list[Any]]]:
    document = resources(app)[policy]["Properties"]["PolicyDocument"]
    return [(statement["Action"], statement["Resource"]) for statement in document["Statement"]]


def test_is_encrypted_and_paid_by_use(stack: Stack) -> None:
    Stream(stack, "clicks")

    made = resources(stack.app)
    stream = made["ClicksStream"]

    assert stream["DeletionPolicy"] == stream["UpdateReplacePolicy"] == "Retain"
    assert stream["Properties"]["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    assert stream["Properties"]["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert stream["Properties"]["RetentionPeriodHours"] == 24
    assert "ShardCount" not in stream["Properties"]
    assert set(made) == {"ClicksStream"}


def test_takes_shards_retention_and_a_key(stack: Stack) -> None:
    Stream(stack, "clicks", shards=4, retention=timedelta(days=365), key=Key.of(stack))

    stream = resources(stack.app)["ClicksStream"]["Properties"]

    assert stream["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    assert (stream["ShardCount"], stream["RetentionPeriodHours"]) == (4, 8760)
    assert stream["StreamEncryption"]["KeyId"] == {"Ref": "AppKeyArn"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shards": 0}, "shards must be 1 to 10000, got 0"),
        ({"retention": timedelta(hours=23)}, "retention must be 1d to 365d, got 23h"),
        ({"retention": timedelta(days=366)}, "retention must be 1d to 365d, got 366d"),
        ({"retention": timedelta(hours=24, minutes=30)}, "retention must be whole hours, got 1d30m"),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Stream(stack, "clicks", **settings)

    assert f"stream 'clicks': {message}" in str(caught.value)


def test_gives_the_rights_to_write_and_to_read(stack: Stack) -> None:
    stream = Stream(stack, "clicks")
    Role(stack, "writer", service="ecs-tasks").connect(stream.for_writing())
    Role(stack, "reader", service="ecs-tasks").connect(stream.for_reading())
    arn = {"Fn::GetAtt": ["ClicksStream", "Arn"]}

    assert statements(stack.app, "WriterPolicy") == [(["kinesis:PutRecord", "kinesis:PutRecords"], [arn])]
    assert statements(stack.app, "ReaderPolicy") == [([*READ, "kinesis:ListShards"], [arn])]
    assert encode(stream.for_writing().environment) == {"STREAM_NAME": {"Ref": "ClicksStream"}}


def test_a_key_of_the_account_comes_with_rights(stack: Stack) -> None:
    stream = Stream(stack, "clicks", key=Key.of(stack))
    Role(stack, "writer", service="ecs-tasks").connect(stream.for_writing())
    Role(stack, "reader", service="ecs-tasks").connect(stream.for_reading())
    key = [{"Ref": "AppKeyArn"}]

    assert (["kms:Decrypt", "kms:GenerateDataKey"], key) in statements(stack.app, "WriterPolicy")
    assert (["kms:Decrypt"], key) in statements(stack.app, "ReaderPolicy")


def test_a_function_consumes_it_from_another_stack(app: App) -> None:
    stream = Stream(app.stack("data"), "clicks")
    Function(app.stack("code"), "totals", code=CODE).consume(stream)

    made = resources(app)

    assert made["TotalsFromClicks"]["Properties"]["StartingPosition"] == "LATEST"
    assert made["TotalsFromClicks"]["Properties"]["EventSourceArn"] == {"Ref": "ClicksStreamArn"}


def test_services_need_a_role_and_a_queue_for_what_they_cannot_deliver(stack: Stack) -> None:
    stream = Stream(stack, "clicks")
    before = len(stream.watches())

    assert not stream.admit("events", "arn:aws:x")
    assert stream.start_grants() == stream.for_writing().grants
    for _ in range(2):
        found = stream.dead_letters_for("events", "arn:aws:x")
        assert encode(found) == {"Fn::GetAtt": ["ClicksStreamDeadLetterQueue", "Arn"]}

    assert "ClicksStreamDeadLetterQueue" in resources(stack.app)
    assert len(stream.watches()) == before + 1


def test_watches_consumers_that_fall_behind_and_refused_records(stack: Stack) -> None:
    age, writes, reads = Stream(stack, "clicks").watches()

    assert (age.metric, age.threshold) == ("GetRecords.IteratorAgeMilliseconds", 300_000)
    assert (writes.metric, reads.metric) == ("WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded")
    assert encode(age.dimensions) == {"StreamName": {"Ref": "ClicksStream"}}
