from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.delivery import Delivery
from archlib.components.messaging.stream import Stream
from archlib.components.storage.bucket import Bucket
from archlib.errors import SettingsError, WiringError


@pytest.fixture
def app() -> App:
    return App("shop", "test", layout="single")


@pytest.fixture
def lake(stack: Stack) -> Bucket:
    return Bucket(stack, "lake")


def resources(app: App) -> dict[str, Any]:
    return {name: resource for stack in app.assemble() for name, resource in stack.template["Resources"].items()}


def rights(app: App, policy: str) -> dict[str, Any]:
    return {
        action: statement["Resource"]
        for statement in resources(app)[policy]["Properties"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }


def test_writes_encrypted_compressed_objects_and_logs_errors(app: App, stack: Stack, lake: Bucket) -> None:
    Delivery(stack, "clicks", bucket=lake)

    found = resources(app)["ClicksDelivery"]

    role = {"Fn::GetAtt": ["ClicksDeliveryRole", "Arn"]}
    assert found["DependsOn"] == "ClicksDeliveryPolicy"
    assert found["Properties"]["DeliveryStreamType"] == "DirectPut"
    assert found["Properties"]["DeliveryStreamEncryptionConfigurationInput"] == {
        "KeyARN": {"Fn::GetAtt": ["AppKey", "Arn"]},
        "KeyType": "CUSTOMER_MANAGED_CMK",
    }
    assert found["Properties"]["ExtendedS3DestinationConfiguration"] == {
        "BucketARN": {"Fn::GetAtt": ["LakeBucket", "Arn"]},
        "BufferingHints": {"IntervalInSeconds": 300, "SizeInMBs": 5},
        "CloudWatchLoggingOptions": {
            "Enabled": True,
            "LogGroupName": {"Ref": "ClicksDeliveryLogGroup"},
            "LogStreamName": {"Ref": "ClicksDeliveryLogStream"},
        },
        "CompressionFormat": "GZIP",
        "EncryptionConfiguration": {
            "KMSEncryptionConfig": {"AWSKMSKeyARN": {"Fn::GetAtt": ["AppKey", "Arn"]}},
        },
        "ErrorOutputPrefix": "clicks-errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/",
        "Prefix": "clicks/",
        "RoleARN": role,
    }


def test_its_role_has_what_firehose_documents_and_no_more(app: App, stack: Stack, lake: Bucket) -> None:
    Delivery(stack, "clicks", bucket=lake)

    bucket, objects = {"Fn::GetAtt": ["LakeBucket", "Arn"]}, {"Fn::Sub": "${LakeBucket.Arn}/*"}
    log = {"Fn::GetAtt": ["ClicksDeliveryLogGroup", "Arn"]}
    key = {"Fn::GetAtt": ["AppKey", "Arn"]}
    assert rights(app, "ClicksDeliveryPolicy") == {
        "kms:Decrypt": [key],
        "kms:GenerateDataKey": [key],
        "logs:CreateLogStream": [log],
        "logs:PutLogEvents": [log],
        "s3:AbortMultipartUpload": [objects],
        "s3:GetBucketLocation": [bucket],
        "s3:GetObject": [objects],
        "s3:ListBucket": [bucket],
        "s3:ListBucketMultipartUploads": [bucket],
        "s3:ListMultipartUploadParts": [objects],
        "s3:PutObject": [objects],
    }
    trust = resources(app)["ClicksDeliveryRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": {"Ref": "AWS::AccountId"}}}


def test_reads_a_stream_that_encrypts_already(app: App, stack: Stack, lake: Bucket) -> None:
    delivery = Delivery(stack, "clicks", bucket=lake, source=Stream(stack, "events"))

    found = resources(app)["ClicksDelivery"]

    stream = {"Fn::GetAtt": ["EventsStream", "Arn"]}
    assert found["Properties"]["DeliveryStreamType"] == "KinesisStreamAsSource"
    assert found["Properties"]["KinesisStreamSourceConfiguration"] == {
        "KinesisStreamARN": stream,
        "RoleARN": {"Fn::GetAtt": ["ClicksDeliveryRole", "Arn"]},
    }
    assert "DeliveryStreamEncryptionConfigurationInput" not in found["Properties"]
    assert found["Metadata"]["cdk_nag"]["rules_to_suppress"][0]["id"] == "AwsSolutions-KDF1"
    assert rights(app, "ClicksDeliveryPolicy")["kinesis:GetRecords"] == [stream]
    with pytest.raises(WiringError, match=r"delivery 'clicks': source must be left out .* write to 'events' instead"):
        delivery.for_writing()


def test_callers_put_records(app: App, stack: Stack, lake: Bucket) -> None:
    delivery = Delivery(stack, "clicks", bucket=lake)
    function = Function(stack, "worker", code=Code(inline="def handler(event, context): pass"))

    function.connect(delivery.for_writing())

    arn = {"Fn::GetAtt": ["ClicksDelivery", "Arn"]}
    granted = rights(app, "WorkerFunctionPolicy")
    assert granted["firehose:PutRecord"] == granted["firehose:PutRecordBatch"] == [arn]
    environment = resources(app)["WorkerFunction"]["Properties"]["Environment"]["Variables"]
    assert environment["CLICKS_DELIVERY_STREAM"] == {"Ref": "ClicksDelivery"}


def test_is_a_target_that_needs_a_role_and_keeps_failures(app: App, stack: Stack, lake: Bucket) -> None:
    delivery = Delivery(stack, "clicks", bucket=lake)
    before = len(delivery.watches())

    assert delivery.admit("events", "arn:aws:events:::rule/x", label="X") is False
    first = delivery.dead_letters_for("events", "arn:aws:events:::rule/x")
    second = delivery.dead_letters_for("events", "arn:aws:events:::rule/y")

    assert first.to_dict() == second.to_dict() == {"Fn::GetAtt": ["ClicksDeliveryDeadLetterQueue", "Arn"]}  # type: ignore[union-attr]
    assert "ClicksDeliveryDeadLetterQueue" in resources(app)
    assert len(delivery.watches()) == before + 1


def test_watches_what_fits_its_source(stack: Stack, lake: Bucket) -> None:
    direct = Delivery(stack, "clicks", bucket=lake, buffer_interval=timedelta(minutes=1))
    reading = Delivery(stack, "orders", bucket=lake, source=Stream(stack, "events"))

    assert [watch.name for watch in direct.watches()] == ["freshness", "success", "throttles"]
    assert [watch.name for watch in reading.watches()] == ["freshness", "success", "behind"]
    assert direct.watches()[0].threshold == 16 * 60


def test_settings_reach_the_destination(app: App, stack: Stack, lake: Bucket) -> None:
    Delivery(
        stack,
        "clicks",
        bucket=lake,
        prefix="day=!{timestamp:yyyy-MM-dd}/",
        error_prefix="bad/",
        buffer_interval=timedelta(0),
        buffer_mib=128,
        compression="Snappy",
        log_retention_days=30,
    )

    found = resources(app)

    destination = found["ClicksDelivery"]["Properties"]["ExtendedS3DestinationConfiguration"]
    assert destination["Prefix"] == "day=!{timestamp:yyyy-MM-dd}/"
    assert destination["ErrorOutputPrefix"] == "bad/"
    assert destination["BufferingHints"] == {"IntervalInSeconds": 0, "SizeInMBs": 128}
    assert destination["CompressionFormat"] == "Snappy"
    assert found["ClicksDeliveryLogGroup"]["Properties"]["RetentionInDays"] == 30


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"buffer_interval": timedelta(minutes=16)}, "delivery 'clicks': buffer_interval must be 0s to 15m, got 16m"),
        ({"buffer_mib": 0}, "buffer_mib must be 1 to 128, got 0"),
        ({"compression": "LZ4"}, "compression must be one of UNCOMPRESSED, GZIP"),
        ({"prefix": "x" * 1025}, "prefix must be at most 1024 characters, got 1025"),
        ({"prefix": "!{firehose:error-output-type}/"}, "prefix must be without !{firehose:error-output-type}"),
        ({"prefix": "!{partitionKeyFromQuery:id}/"}, "prefix must be without expressions but timestamp and firehose"),
        ({"error_prefix": "!{timestamp:yyyy}/"}, "error_prefix must be text with !{firehose:error-output-type}"),
        ({"log_retention_days": 2}, "retention_days must be one of 1, 3"),
    ],
)
def test_refuses(stack: Stack, lake: Bucket, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Delivery(stack, "clicks", bucket=lake, **settings)

    assert message in str(caught.value)
