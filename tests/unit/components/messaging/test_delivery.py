from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.data.search import Search
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.delivery import Delivery
from archlib.components.messaging.search_index import SearchIndex
from archlib.components.messaging.stream import Stream
from archlib.components.network.vpc import Vpc
from archlib.components.storage.bucket import Bucket
from archlib.errors import SettingsError, WiringError

SUBNETS = ["subnet-11111111", "subnet-22222222", "subnet-33333333"]
NETWORK = Vpc.lookup(vpc_id="vpc-01234567", private_subnets=["subnet-01234567"], isolated_subnets=SUBNETS)
EC2 = "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}"
IN_SUBNETS = [{"Fn::Sub": f"{EC2}:subnet/{subnet}"} for subnet in SUBNETS]


@pytest.fixture
def app() -> App:
    return App("shop", "test", layout="single")


@pytest.fixture
def lake(stack: Stack) -> Bucket:
    return Bucket(stack, "lake")


@pytest.fixture
def catalogue(stack: Stack) -> Search:
    return Search(stack, "catalogue", network=NETWORK)


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


def test_writes_documents_to_a_search_domain_and_those_that_failed_to_the_bucket(
    app: App, stack: Stack, lake: Bucket, catalogue: Search
) -> None:
    Delivery(stack, "clicks", bucket=lake, search=catalogue)

    found = resources(app)["ClicksDelivery"]["Properties"]

    role = {"Fn::GetAtt": ["ClicksDeliveryRole", "Arn"]}
    hints = {"IntervalInSeconds": 300, "SizeInMBs": 5}
    log = {
        "Enabled": True,
        "LogGroupName": {"Ref": "ClicksDeliveryLogGroup"},
        "LogStreamName": {"Ref": "ClicksDeliveryLogStream"},
    }
    assert "ExtendedS3DestinationConfiguration" not in found
    assert found["DeliveryStreamEncryptionConfigurationInput"]["KeyType"] == "CUSTOMER_MANAGED_CMK"
    assert found["AmazonopensearchserviceDestinationConfiguration"] == {
        "BufferingHints": hints,
        "CloudWatchLoggingOptions": log,
        "DomainARN": {"Fn::GetAtt": ["CatalogueSearchDomain", "Arn"]},
        "IndexName": "clicks",
        "IndexRotationPeriod": "OneDay",
        "RetryOptions": {"DurationInSeconds": 300},
        "RoleARN": role,
        "S3BackupMode": "FailedDocumentsOnly",
        "S3Configuration": {
            "BucketARN": {"Fn::GetAtt": ["LakeBucket", "Arn"]},
            "BufferingHints": hints,
            "CloudWatchLoggingOptions": log,
            "CompressionFormat": "GZIP",
            "EncryptionConfiguration": {
                "KMSEncryptionConfig": {"AWSKMSKeyARN": {"Fn::GetAtt": ["AppKey", "Arn"]}},
            },
            "ErrorOutputPrefix": "clicks-errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/",
            "Prefix": "clicks/",
            "RoleARN": role,
        },
        "VpcConfiguration": {
            "RoleARN": role,
            "SecurityGroupIds": [{"Fn::GetAtt": ["ClicksDeliverySecurityGroup", "GroupId"]}],
            "SubnetIds": SUBNETS,
        },
    }


def test_the_way_to_the_domain_is_open_before_it_starts(
    app: App, stack: Stack, lake: Bucket, catalogue: Search
) -> None:
    Delivery(stack, "clicks", bucket=lake, search=catalogue)

    found = resources(app)

    own = {"Fn::GetAtt": ["ClicksDeliverySecurityGroup", "GroupId"]}
    domain = {"Fn::GetAtt": ["CatalogueSearchDomainSecurityGroup", "GroupId"]}
    way = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    ingress, egress = (found[f"ClicksToCatalogue443{side}"]["Properties"] for side in ("Ingress", "Egress"))
    assert found["ClicksDeliverySecurityGroup"]["Properties"]["VpcId"] == "vpc-01234567"
    assert ingress.items() >= (way | {"GroupId": domain, "SourceSecurityGroupId": own}).items()
    assert egress.items() >= (way | {"GroupId": own, "DestinationSecurityGroupId": domain}).items()
    assert found["ClicksDelivery"]["DependsOn"] == [
        "ClicksDeliveryPolicy",
        "ClicksToCatalogue443Egress",
        "ClicksToCatalogue443Ingress",
    ]


def test_its_role_reaches_the_domain_by_interfaces_in_these_subnets_only(
    app: App, stack: Stack, lake: Bucket, catalogue: Search
) -> None:
    Delivery(stack, "clicks", bucket=lake, search=catalogue)

    granted = rights(app, "ClicksDeliveryPolicy")
    everywhere = {action for action, where in granted.items() if where == ["*"]}
    interfaces = {"Fn::Sub": f"{EC2}:network-interface/*"}
    group = {"Fn::Sub": f"{EC2}:security-group/${{ClicksDeliverySecurityGroup.GroupId}}"}
    conditions = [
        statement["Condition"]
        for statement in resources(app)["ClicksDeliveryPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if {"ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"} & {*statement["Action"]}
    ]

    assert granted["s3:PutObject"] == [{"Fn::Sub": "${LakeBucket.Arn}/*"}]
    assert granted["es:ESHttpPost"] == granted["es:ESHttpPut"] == [{"Fn::Sub": "${CatalogueSearchDomain.Arn}/*"}]
    assert {"Fn::Sub": "${CatalogueSearchDomain.Arn}/clicks*/_stats*"} in granted["es:ESHttpGet"]
    assert everywhere == {
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    }
    assert granted["ec2:DescribeVpcAttribute"] == [{"Fn::Sub": f"{EC2}:vpc/vpc-01234567"}]
    assert sorted(granted["ec2:CreateNetworkInterface"], key=str) == sorted([interfaces, group, *IN_SUBNETS], key=str)
    assert granted["ec2:CreateNetworkInterfacePermission"] == granted["ec2:DeleteNetworkInterface"] == [interfaces]
    assert conditions == [{"ArnEquals": {"ec2:Subnet": IN_SUBNETS}}]


def test_reaches_a_domain_of_another_stack() -> None:
    app = App("shop", "test")
    network = Vpc(Stack(app, "network"), "main")
    search = Search(Stack(app, "data"), "catalogue", network=network)
    stack = Stack(app, "flow")

    Delivery(stack, "clicks", bucket=Bucket(stack, "lake"), search=search, source=Stream(stack, "events"))

    flow = next(each for each in app.assemble() if each.name == "shop-test-flow").template["Resources"]
    assert {"ClicksToCatalogue443Ingress", "ClicksToCatalogue443Egress"} <= flow.keys()
    assert flow["ClicksDelivery"]["Properties"]["DeliveryStreamType"] == "KinesisStreamAsSource"


def test_settings_reach_the_index(app: App, stack: Stack, lake: Bucket, catalogue: Search) -> None:
    Delivery(
        stack,
        "clicks",
        bucket=lake,
        search=catalogue,
        index=SearchIndex("web", rotation="NoRotation", retry=timedelta(0), backup="AllDocuments"),
        buffer_interval=timedelta(0),
        buffer_mib=100,
        compression="UNCOMPRESSED",
    )

    found = resources(app)["ClicksDelivery"]["Properties"]["AmazonopensearchserviceDestinationConfiguration"]

    assert (found["IndexName"], found["IndexRotationPeriod"]) == ("web", "NoRotation")
    assert (found["RetryOptions"], found["S3BackupMode"]) == ({"DurationInSeconds": 0}, "AllDocuments")
    assert found["BufferingHints"] == {"IntervalInSeconds": 0, "SizeInMBs": 100}
    assert found["S3Configuration"]["CompressionFormat"] == "UNCOMPRESSED"
    assert {"Fn::Sub": "${CatalogueSearchDomain.Arn}/web*/_stats*"} in rights(app, "ClicksDeliveryPolicy")[
        "es:ESHttpGet"
    ]


def test_watches_the_domain_and_the_bucket(stack: Stack, lake: Bucket, catalogue: Search) -> None:
    watches = {watch.name: watch for watch in Delivery(stack, "clicks", bucket=lake, search=catalogue).watches()}

    assert {
        name: watch.metric.removeprefix("DeliveryToAmazonOpenSearchService.") for name, watch in watches.items()
    } == {
        "freshness": "DataFreshness",
        "success": "Success",
        "auth": "AuthFailure",
        "rejected": "DeliveryRejected",
        "backup": "DeliveryToS3.Success",
        "throttles": "ThrottledRecords",
    }
    assert watches["auth"].title == "'catalogue' does not let delivery 'clicks' in"
    assert (watches["auth"].statistic, watches["auth"].comparison, watches["auth"].threshold) == ("Maximum", ">=", 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"buffer_mib": 101}, "buffer_mib must be 1 to 100, got 101"),
        ({"buffer_interval": timedelta(minutes=16)}, "buffer_interval must be 0s to 15m, got 16m"),
        ({"index": SearchIndex("Clicks")}, "index.name must be a-z, 0-9, ., _ and -, a letter or digit first"),
        ({"index": SearchIndex("_clicks")}, "1 to 80 characters, got '_clicks'"),
        ({"index": SearchIndex("x" * 81)}, "index.name must be"),
        ({"index": SearchIndex("")}, "index.name must be"),
        ({"index": SearchIndex(rotation="OneYear")}, "index.rotation must be one of NoRotation, OneHour, OneDay"),  # type: ignore[arg-type]
        ({"index": SearchIndex(retry=timedelta(hours=3))}, "index.retry must be 0s to 2h, got 3h"),
        ({"index": SearchIndex(backup="Nothing")}, "index.backup must be one of FailedDocumentsOnly, AllDocuments"),  # type: ignore[arg-type]
    ],
)
def test_refuses_for_an_index(
    stack: Stack, lake: Bucket, catalogue: Search, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Delivery(stack, "clicks", bucket=lake, search=catalogue, **settings)

    assert message in str(caught.value)


def test_an_index_needs_a_domain(stack: Stack, lake: Bucket) -> None:
    with pytest.raises(SettingsError) as caught:
        Delivery(stack, "clicks", bucket=lake, index=SearchIndex(retry=timedelta(hours=3)))

    assert [str(problem.message) for problem in caught.value.problems] == [
        "delivery 'clicks': index must be left out without a search domain, got 'clicks'; choose the domain, too",
        "delivery 'clicks': index.retry must be 0s to 2h, got 3h",
    ]
