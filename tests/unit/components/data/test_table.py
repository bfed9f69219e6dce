from __future__ import annotations

from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.data.capacity import Provisioned
from archlib.components.data.indexes import Attribute, GlobalIndex, LocalIndex
from archlib.components.data.table import Replica, Table
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError
from archlib.wiring.binding import Binding
from archlib.wiring.permissions import action_name

KEY_ARN = {"Fn::GetAtt": ["AppKey", "Arn"]}
TABLE_ARN = {"Fn::GetAtt": ["OrdersTable", "Arn"]}
INDEXES = {"Fn::Sub": "${OrdersTable.Arn}/index/*"}
CAPACITY = Provisioned(read_min=5, read_max=50, write_min=2, write_max=20, utilization_percent=60)
BY_STATE = GlobalIndex("by-state", "state", Attribute("total", "N"), projection=("customer",))

READ = {f"dynamodb:{name}" for name in ("BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "Scan")}
WRITE = {f"dynamodb:{name}" for name in ("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem")}


@pytest.fixture
def app() -> App:
    return App("shop", "test", layout="single")


def resources(app: App) -> dict[str, Any]:
    return {name: resource for stack in app.assemble() for name, resource in stack.template["Resources"].items()}


def granted(binding: Binding) -> dict[str, Any]:
    return {action_name(action): encode(grant.resources) for grant in binding.grants for action in grant.actions}


def test_is_encrypted_restorable_protected_and_paid_by_request(app: App, stack: Stack) -> None:
    Table(stack, "orders", partition_key="customer", sort_key=Attribute("placed-at", "N"))

    found = resources(app)["OrdersTable"]

    assert found["Type"] == "AWS::DynamoDB::Table"
    assert found["DeletionPolicy"] == found["UpdateReplacePolicy"] == "Retain"
    assert {name: value for name, value in found["Properties"].items() if name != "Tags"} == {
        "AttributeDefinitions": [
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "placed-at", "AttributeType": "N"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
        "KeySchema": [
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "placed-at", "KeyType": "RANGE"},
        ],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
        "SSESpecification": {"KMSMasterKeyId": KEY_ARN, "SSEEnabled": True, "SSEType": "KMS"},
    }
    assert "NIST.800.53.R5-DynamoDBInBackupPlan" in str(found["Metadata"])


def test_a_throw_away_app_can_delete_it() -> None:
    app = App("shop", "test", removal="Delete", layout="single")
    Table(Stack(app, "main"), "orders", partition_key="customer")

    found = resources(app)["OrdersTable"]

    assert found["DeletionPolicy"] == "Delete"
    assert found["Properties"]["DeletionProtectionEnabled"] is False


def test_settings_reach_the_table(app: App, stack: Stack) -> None:
    Table(
        stack,
        "orders",
        partition_key="customer",
        sort_key="placed-at",
        global_indexes=[BY_STATE, GlobalIndex("by-day", "day", projection="KEYS_ONLY")],
        local_indexes=[LocalIndex("by-total", Attribute("total", "N"))],
        expires_by="gone-at",
        stream="KEYS_ONLY",
        restore_days=7,
        insights=True,
    )

    properties = resources(app)["OrdersTable"]["Properties"]

    assert [row["AttributeName"] for row in properties["AttributeDefinitions"]] == [
        "customer", "day", "placed-at", "state", "total",
    ]  # fmt: skip
    assert properties["ContributorInsightsSpecification"] == {"Enabled": True}
    assert properties["GlobalSecondaryIndexes"] == [
        {
            "ContributorInsightsSpecification": {"Enabled": True},
            "IndexName": "by-state",
            "KeySchema": [
                {"AttributeName": "state", "KeyType": "HASH"},
                {"AttributeName": "total", "KeyType": "RANGE"},
            ],
            "Projection": {"NonKeyAttributes": ["customer"], "ProjectionType": "INCLUDE"},
        },
        {
            "ContributorInsightsSpecification": {"Enabled": True},
            "IndexName": "by-day",
            "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
    ]
    assert properties["LocalSecondaryIndexes"] == [
        {
            "IndexName": "by-total",
            "KeySchema": [
                {"AttributeName": "customer", "KeyType": "HASH"},
                {"AttributeName": "total", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ]
    assert properties["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"] == 7
    assert properties["StreamSpecification"] == {"StreamViewType": "KEYS_ONLY"}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "gone-at", "Enabled": True}


def test_provisioned_capacity_follows_the_load_in_both_dimensions_and_every_index(app: App, stack: Stack) -> None:
    small = Provisioned(read_min=1, read_max=2, write_min=3, write_max=4)
    Table(
        stack,
        "orders",
        partition_key="customer",
        capacity=CAPACITY,
        global_indexes=[BY_STATE, GlobalIndex("by-day", "day", capacity=small)],
    )

    found = resources(app)

    table = found["OrdersTable"]["Properties"]
    assert table["BillingMode"] == "PROVISIONED"
    assert table["ProvisionedThroughput"] == {"ReadCapacityUnits": 5, "WriteCapacityUnits": 2}
    assert [index["ProvisionedThroughput"] for index in table["GlobalSecondaryIndexes"]] == [
        {"ReadCapacityUnits": 5, "WriteCapacityUnits": 2},
        {"ReadCapacityUnits": 1, "WriteCapacityUnits": 3},
    ]
    limits = {
        name: (
            row["Properties"]["ScalableDimension"],
            row["Properties"]["MinCapacity"],
            row["Properties"]["MaxCapacity"],
        )
        for name, row in found.items()
        if row["Type"] == "AWS::ApplicationAutoScaling::ScalableTarget"
    }
    assert limits == {
        "OrdersTableReadScalableTarget": ("dynamodb:table:ReadCapacityUnits", 5, 50),
        "OrdersTableWriteScalableTarget": ("dynamodb:table:WriteCapacityUnits", 2, 20),
        "OrdersTableByStateReadScalableTarget": ("dynamodb:index:ReadCapacityUnits", 5, 50),
        "OrdersTableByStateWriteScalableTarget": ("dynamodb:index:WriteCapacityUnits", 2, 20),
        "OrdersTableByDayReadScalableTarget": ("dynamodb:index:ReadCapacityUnits", 1, 2),
        "OrdersTableByDayWriteScalableTarget": ("dynamodb:index:WriteCapacityUnits", 3, 4),
    }
    assert found["OrdersTableReadScalableTarget"]["Properties"]["ResourceId"] == {"Fn::Sub": "table/${OrdersTable}"}
    assert found["OrdersTableByDayWriteScalableTarget"]["Properties"]["ResourceId"] == {
        "Fn::Sub": "table/${OrdersTable}/index/by-day"
    }
    policy = found["OrdersTableByDayWriteScalingPolicy"]["Properties"]
    assert policy["ScalingTargetId"] == {"Ref": "OrdersTableByDayWriteScalableTarget"}
    assert policy["TargetTrackingScalingPolicyConfiguration"] == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
        "TargetValue": 70,
    }


def test_replicas_make_it_a_global_table_that_is_as_safe_in_every_region(app: App, stack: Stack) -> None:
    table = Table(
        stack, "orders", partition_key="customer", global_indexes=[BY_STATE], replicas=[Replica("eu-west-1", "arn:key")]
    )

    found = resources(app)["OrdersTable"]

    assert found["Type"] == "AWS::DynamoDB::GlobalTable"
    assert found["DeletionPolicy"] == "Retain"
    properties = found["Properties"]
    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    shared = {
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 35},
        "Tags": [{"Key": "app", "Value": "shop"}, {"Key": "environment", "Value": "test"}],
    }
    assert properties["Replicas"] == [
        {**shared, "Region": {"Ref": "AWS::Region"}, "SSESpecification": {"KMSMasterKeyId": KEY_ARN}},
        {**shared, "Region": "eu-west-1", "SSESpecification": {"KMSMasterKeyId": "arn:key"}},
    ]
    assert table.as_source().stream


def test_a_global_table_scales_writes_once_and_reads_in_every_region(app: App, stack: Stack) -> None:
    Table(
        stack, "orders", partition_key="customer", global_indexes=[BY_STATE], capacity=CAPACITY, insights=True,
        replicas=[Replica("eu-west-1", "arn:key")],
    )  # fmt: skip

    found = resources(app)

    assert not [name for name in found if name.endswith("ScalableTarget")]
    properties = found["OrdersTable"]["Properties"]
    writes = {
        "WriteCapacityAutoScalingSettings": {
            "MaxCapacity": 20,
            "MinCapacity": 2,
            "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 60},
        }
    }
    assert properties["BillingMode"] == "PROVISIONED"
    assert properties["WriteProvisionedThroughputSettings"] == writes
    assert properties["GlobalSecondaryIndexes"][0]["WriteProvisionedThroughputSettings"] == writes
    for replica in properties["Replicas"]:
        reads = replica["ReadProvisionedThroughputSettings"]["ReadCapacityAutoScalingSettings"]
        assert (reads["MinCapacity"], reads["MaxCapacity"]) == (5, 50)
        assert replica["ContributorInsightsSpecification"] == {"Enabled": True}
        assert replica["GlobalSecondaryIndexes"] == [
            {
                "ContributorInsightsSpecification": {"Enabled": True},
                "IndexName": "by-state",
                "ReadProvisionedThroughputSettings": replica["ReadProvisionedThroughputSettings"],
            }
        ]


def test_readers_read_the_table_and_only_indexes_it_has(stack: Stack) -> None:
    indexed = granted(Table(stack, "orders", partition_key="customer", global_indexes=[BY_STATE]).for_reading())
    plain = granted(Table(stack, "carts", partition_key="id").for_reading())

    assert set(indexed) == READ | {"dynamodb:DescribeTable", "kms:Decrypt"}
    assert indexed["kms:Decrypt"] == [KEY_ARN]
    assert all(indexed[action] == [TABLE_ARN, INDEXES] for action in READ)
    assert all(plain[action] == [{"Fn::GetAtt": ["CartsTable", "Arn"]}] for action in READ)


def test_writing_does_not_imply_reading(stack: Stack) -> None:
    found = granted(Table(stack, "orders", partition_key="customer", global_indexes=[BY_STATE]).for_writing())

    assert set(found) == WRITE | {"dynamodb:DescribeTable", "kms:Decrypt", "kms:GenerateDataKey"}
    assert all(found[action] == [TABLE_ARN] for action in WRITE)


def test_reading_and_writing_is_both(stack: Stack) -> None:
    found = granted(Table(stack, "orders", partition_key="customer").for_reading_and_writing())

    assert set(found) == READ | WRITE | {"dynamodb:DescribeTable", "kms:Decrypt", "kms:GenerateDataKey"}


def test_it_can_be_exported(stack: Stack) -> None:
    found = granted(Table(stack, "orders", partition_key="customer").for_exporting())

    assert found == {
        "dynamodb:DescribeExport": [{"Fn::Sub": "${OrdersTable.Arn}/export/*"}],
        "dynamodb:ExportTableToPointInTime": [TABLE_ARN],
    }


def test_callers_in_another_stack_get_rights_and_name() -> None:
    app = App("shop", "test")
    table = Table(Stack(app, "data"), "orders", partition_key="customer", global_indexes=[BY_STATE])
    function = Function(Stack(app, "code"), "worker", code=Code(inline="def handler(event, context): pass"))
    function.connect(table.for_reading())

    found = {stack.name: stack for stack in app.assemble()}
    worker = found["shop-test-code"].template["Resources"]

    assert worker["WorkerFunction"]["Properties"]["Environment"]["Variables"] == {
        "ORDERS_TABLE": {"Ref": "OrdersTable"}
    }
    statements = worker["WorkerFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert [{"Ref": "OrdersTableArn"}, {"Fn::Sub": "${OrdersTableArn}/index/*"}] in [
        statement["Resource"] for statement in statements
    ]
    assert found["shop-test-data"].depends_on == {"shop-test-foundation"}


def test_functions_consume_its_changes(app: App, stack: Stack) -> None:
    table = Table(stack, "orders", partition_key="customer", stream="NEW_IMAGE")
    function = Function(stack, "worker", code=Code(inline="def handler(event, context): pass"))

    function.consume(table)

    stream = {"Fn::GetAtt": ["OrdersTable", "StreamArn"]}
    assert resources(app)["WorkerFromOrders"]["Properties"]["EventSourceArn"] == stream
    source = granted(table.as_source().binding)
    assert source["dynamodb:GetRecords"] == source["dynamodb:GetShardIterator"] == [stream]
    assert source["kms:Decrypt"] == [KEY_ARN]


def test_changes_need_a_stream(stack: Stack) -> None:
    with pytest.raises(WiringError, match=r"table 'orders': stream must be set .* set stream to NEW_AND_OLD_IMAGES"):
        Table(stack, "orders", partition_key="customer").as_source()


def test_watches_throttles_of_table_and_indexes_and_system_errors(stack: Stack) -> None:
    watches = Table(stack, "orders", partition_key="customer", global_indexes=[BY_STATE]).watches()

    by_name = {watch.name: watch for watch in watches}
    assert list(by_name) == [
        *("read-throttles", "write-throttles", "by-state-read-throttles", "by-state-write-throttles"),
        *("system-errors-getitem", "system-errors-putitem", "system-errors-query", "system-errors-updateitem"),
    ]
    assert by_name["write-throttles"].metric == "WriteThrottleEvents"
    assert set(by_name["write-throttles"].dimensions) == {"TableName"}
    assert by_name["by-state-read-throttles"].dimensions["GlobalSecondaryIndexName"] == "by-state"
    assert by_name["system-errors-query"].dimensions["Operation"] == "Query"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"restore_days": 36}, "table 'orders': restore_days must be 1 to 35, got 36"),
        ({"stream": "ALL"}, "stream must be one of None, KEYS_ONLY"),
        ({"expires_by": ""}, "expires_by must be the name of an attribute"),
        ({"sort_key": Attribute("at", "D")}, "type of key attribute 'at' must be one of S, N, B, got 'D'"),  # type: ignore[arg-type]
        (
            {"global_indexes": [GlobalIndex("by-customer", Attribute("customer", "N"))]},
            "type of key attribute 'customer' must be the same everywhere, got 'N and S'",
        ),
        ({"global_indexes": [GlobalIndex("ix", "a")]}, "index name must be 3 characters or more, got 'ix'"),
        ({"global_indexes": [GlobalIndex("ByDay", "a")]}, "index 'ByDay': name must be kebab-case"),
        ({"global_indexes": [GlobalIndex("day", "a"), GlobalIndex("day", "b")]}, "index names must be all different"),
        (
            {"global_indexes": [GlobalIndex(f"i{n}-x", "a") for n in range(21)]},
            "global_indexes must be at most 20, got 21",
        ),
        (
            {"sort_key": "at", "local_indexes": [LocalIndex(f"i{n}-x", "a") for n in range(6)]},
            "local_indexes must be at most 5, got 6",
        ),
        ({"local_indexes": [LocalIndex("by-day", "day")]}, "sort_key must be set for a table with local_indexes"),
        (
            {"global_indexes": [GlobalIndex("by-day", "day", projection=[f"a{n}" for n in range(101)])]},
            "projected attributes must be at most 100 in all, got 101",
        ),
        (
            {"global_indexes": [GlobalIndex("by-day", "day", capacity=CAPACITY)]},
            "capacity of index 'by-day' must be left out for a table without capacity",
        ),
        ({"replicas": [Replica("Ireland", "arn:key")]}, "replicas must be in regions such as eu-west-1, got 'Ireland'"),
        ({"replicas": [Replica("eu-west-1", "k"), Replica("eu-west-1", "k")]}, "replicas must be in different regions"),
        (
            {"replicas": [Replica("eu-west-1", "k")], "stream": "KEYS_ONLY"},
            "stream must be NEW_AND_OLD_IMAGES, or left out, for a table with replicas, got 'KEYS_ONLY'",
        ),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Table(stack, "orders", partition_key="customer", **settings)

    assert message in str(caught.value)
    assert not stack.template.resources
