from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.data.database import Database, Serverless
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError, WiringError
from archlib.wiring.watch import Watch

INLINE = Code(inline="def handler(event, context): pass")
NETWORK = Vpc.lookup(
    vpc_id="vpc-01234567",
    private_subnets=["subnet-01234567"],
    isolated_subnets=["subnet-01234567", "subnet-89abcdef"],
)


def rendered(app: App) -> dict[str, Any]:
    return {name: resource for artifact in app.assemble() for name, resource in artifact.template["Resources"].items()}


def properties(app: App) -> dict[str, Any]:
    return {name: resource.get("Properties", {}) for name, resource in rendered(app).items()}


def watched(watches: Sequence[Watch]) -> dict[str, Watch]:
    return {watch.name: watch for watch in watches}


def test_postgres_is_safe_by_default(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK)

    found = rendered(app)["OrdersDatabase"]
    instance = found["Properties"]

    assert found["DeletionPolicy"] == found["UpdateReplacePolicy"] == "Snapshot"
    assert instance["StorageEncrypted"] is instance["DeletionProtection"] is instance["MultiAZ"] is True
    assert instance["EnableIAMDatabaseAuthentication"] is instance["CopyTagsToSnapshot"] is True
    assert instance["AutoMinorVersionUpgrade"] is instance["EnablePerformanceInsights"] is True
    assert instance["PubliclyAccessible"] is False
    assert (instance["Engine"], instance["EngineVersion"], instance["Port"]) == ("postgres", "18", "5433")
    assert (instance["AllocatedStorage"], instance["MaxAllocatedStorage"]) == ("20", 100)
    assert instance["BackupRetentionPeriod"] == 7
    assert instance["MonitoringInterval"] == 60
    assert instance["EnableCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    assert instance["KmsKeyId"] == instance["PerformanceInsightsKMSKeyId"] == instance["MasterUserSecret"]["KmsKeyId"]
    assert instance["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in instance


def test_takes_only_tls_and_sits_in_isolated_subnets(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, version="17.9", parameters={"log_min_duration_statement": "500"})

    found = properties(app)

    assert found["OrdersDatabaseParameters"]["Family"] == "postgres17"
    assert found["OrdersDatabaseParameters"]["Parameters"] == {
        "rds.force_ssl": "1",
        "log_min_duration_statement": "500",
    }
    assert found["OrdersDatabase"]["DBParameterGroupName"] == {"Ref": "OrdersDatabaseParameters"}
    assert found["OrdersDatabaseSubnets"]["SubnetIds"] == NETWORK.isolated_subnets
    assert found["OrdersDatabase"]["DBSubnetGroupName"] == {"Ref": "OrdersDatabaseSubnets"}
    assert "SecurityGroupIngress" not in found["OrdersDatabaseSecurityGroup"]


def test_replicas_follow_the_primary_and_are_not_kept(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, read_replicas=2)

    found = rendered(app)
    replica = found["OrdersDatabaseReplica2"]

    assert replica["DeletionPolicy"] == replica["UpdateReplacePolicy"] == "Delete"
    assert replica["Properties"]["SourceDBInstanceIdentifier"] == {"Ref": "OrdersDatabase"}
    assert replica["Properties"]["DeletionProtection"] is True
    taken_over = {"AllocatedStorage", "DBName", "EngineVersion", "KmsKeyId", "MasterUsername", "StorageEncrypted"}
    assert taken_over.isdisjoint(replica["Properties"])


def test_with_replicas_a_generated_secret_keeps_the_password(app: App, stack: Stack) -> None:
    database = Database(stack, "orders", network=NETWORK, read_replicas=1, user_name="keeper")

    found = properties(app)

    assert "ManageMasterUserPassword" not in found["OrdersDatabase"]
    assert found["OrdersDatabase"]["MasterUserPassword"] == {
        "Fn::Sub": "{{resolve:secretsmanager:${OrdersDatabaseSecret}:SecretString:password}}"
    }
    generated = found["OrdersDatabaseSecret"]["GenerateSecretString"]
    assert json.loads(generated["SecretStringTemplate"]) == {"username": "keeper"}
    assert found["OrdersDatabaseSecretAttachment"]["TargetType"] == "AWS::RDS::DBInstance"
    assert database.secret is not None
    assert database.secret_arn == database.secret.arn


def test_aurora_is_serverless_with_a_reader_to_fail_over_to(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, engine="aurora-postgres", serverless=Serverless(0, 200))

    found = rendered(app)
    cluster = found["OrdersDatabase"]

    assert cluster["Type"] == "AWS::RDS::DBCluster"
    assert cluster["DeletionPolicy"] == cluster["UpdateReplacePolicy"] == "Snapshot"
    assert cluster["Properties"]["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 0, "MaxCapacity": 200}
    for setting in (
        "CopyTagsToSnapshot", "DeletionProtection", "EnableIAMDatabaseAuthentication", "ManageMasterUserPassword",
        "StorageEncrypted",
    ):  # fmt: skip
        assert cluster["Properties"][setting] is True
    assert found["OrdersDatabaseParameters"]["Properties"]["Family"] == "aurora-postgresql18"
    assert found["OrdersDatabaseParameters"]["Properties"]["Parameters"] == {"rds.force_ssl": "1"}
    members = [name for name in found if name.startswith("OrdersDatabaseMember")]
    assert sorted(members) == ["OrdersDatabaseMember1", "OrdersDatabaseMember2"]
    for name in members:
        assert found[name]["Properties"]["DBInstanceClass"] == "db.serverless"
        assert found[name]["Properties"]["PubliclyAccessible"] is False
        assert found[name]["DeletionPolicy"] == "Delete"


@pytest.mark.parametrize(
    ("settings", "members"),
    [
        ({"multi_az": False}, 1),
        ({"multi_az": True}, 2),
        ({"multi_az": True, "read_replicas": 1}, 2),
        ({"multi_az": False, "read_replicas": 3}, 4),
    ],
)
def test_aurora_counts_its_readers(stack: Stack, settings: dict[str, Any], members: int) -> None:
    database = Database(
        stack, "orders", network=NETWORK, engine="aurora-postgres", instance_class="db.r7g.large", **settings
    )

    assert len(database.instances) == members
    assert database.serverless is None


def test_a_throw_away_environment_keeps_nothing() -> None:
    app = App("shop", removal="Delete")
    Database(Stack(app, "data"), "orders", network=NETWORK, read_replicas=1)

    for name, resource in rendered(app).items():
        assert resource.get("DeletionPolicy", "Delete") == "Delete", name
        assert resource["Properties"].get("DeletionProtection", False) is False, name


@pytest.mark.parametrize("layout", ["layered", "single"])
@pytest.mark.parametrize("settings", [{}, {"read_replicas": 2}, {"engine": "aurora-postgres"}])
def test_one_connect_is_all_a_function_of_another_stack_needs(layout: Any, settings: dict[str, Any]) -> None:
    app = App("shop", layout=layout)
    network = Vpc(Stack(app, "network"), "main", endpoints=("secretsmanager",))
    database = Database(Stack(app, "data"), "orders", network=network, **settings)
    function = Function(Stack(app, "code"), "api", code=INLINE, network=network)
    function.connect(database.for_connecting())

    stacks = {artifact.name: artifact for artifact in app.assemble()}
    home = stacks["shop-dev-code" if layout == "layered" else "shop-dev"].template["Resources"]
    statements = home["ApiFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    actions = {action for statement in statements for action in statement["Action"]}
    variables = home["ApiFunction"]["Properties"]["Environment"]["Variables"]

    assert {"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "kms:Decrypt"} <= actions
    assert home["ApiToOrders5433Ingress"]["Properties"]["FromPort"] == 5433
    assert home["ApiToOrders5433Egress"]["Properties"]["ToPort"] == 5433
    assert sorted(variables) == [
        "ORDERS_DATABASE", "ORDERS_HOST", "ORDERS_PORT", "ORDERS_READ_HOST", "ORDERS_SECRET_ARN",
    ]  # fmt: skip
    assert (variables["ORDERS_PORT"], variables["ORDERS_DATABASE"]) == ("5433", "app")
    if layout == "layered":
        assert stacks["shop-dev-data"].depends_on == {"shop-dev-network", "shop-dev-foundation"}
        assert not any("password" in name.lower() for name in stacks["shop-dev-code"].template["Parameters"])


def test_reads_go_to_the_replicas_where_there_are_some(app: App, stack: Stack) -> None:
    settings: dict[str, dict[str, Any]] = {
        "alone": {},
        "two": {"read_replicas": 2},
        "aurora": {"engine": "aurora-postgres"},
    }
    for name, chosen in settings.items():
        database = Database(stack, name, network=NETWORK, **chosen)
        stack.output(name, database.for_connecting().environment["READ_HOST"], "where to read")

    outputs = {a.name: a for a in app.assemble()}["shop-test-main"].template["Outputs"]

    assert outputs["Alone"]["Value"] == {"Fn::GetAtt": ["AloneDatabase", "Endpoint.Address"]}
    assert outputs["Aurora"]["Value"] == {"Fn::GetAtt": ["AuroraDatabase", "ReadEndpoint.Address"]}
    assert outputs["Two"]["Value"] == {
        "Fn::Join": [
            ",",
            [{"Fn::GetAtt": [f"TwoDatabaseReplica{number}", "Endpoint.Address"]} for number in (1, 2)],
        ]
    }


def test_a_function_outside_the_network_is_refused(stack: Stack) -> None:
    database = Database(stack, "orders", network=NETWORK)

    with pytest.raises(WiringError, match="put 'api' into one"):
        Function(stack, "api", code=INLINE).connect(database.for_connecting())


@pytest.mark.parametrize(
    ("settings", "kind", "sources"),
    [
        ({"read_replicas": 1}, "db-instance", ["OrdersDatabase", "OrdersDatabaseReplica1"]),
        ({"engine": "aurora-postgres"}, "db-cluster", ["OrdersDatabase"]),
    ],
)
def test_tells_a_topic_what_happens(app: App, settings: dict[str, Any], kind: str, sources: list[str]) -> None:
    topic = Topic(Stack(app, "alerts"), "people")
    Database(Stack(app, "data"), "orders", network=NETWORK, events=topic, **settings)

    found = properties(app)

    events = found["OrdersDatabaseEvents"]
    assert (events["Enabled"], events["SourceType"]) == (True, kind)
    assert events["SourceIds"] == [{"Ref": source} for source in sources]
    assert {"maintenance", "failure", "configuration change"} <= set(events["EventCategories"])
    assert "events.rds.amazonaws.com" in json.dumps(found["PeopleTopicPolicy"])
    assert "events.rds.amazonaws.com" in json.dumps(found["AppKey"])


def test_watches_an_rds_database(stack: Stack) -> None:
    database = Database(stack, "orders", network=NETWORK, instance_class="db.r7g.2xlarge", read_replicas=2)

    watches = watched(database.watches())

    assert list(watches) == ["cpu", "connections", "storage", "lag1", "lag2"]
    assert watches["connections"].threshold == 4000
    assert (watches["storage"].threshold, watches["storage"].comparison) == (2**30, "<")
    assert watches["lag2"].dimensions["DBInstanceIdentifier"].data == {"Ref": "OrdersDatabaseReplica2"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("instance_class", "connections"),
    [("db.t4g.micro", 112), ("db.t4g.medium", 450), ("db.m7g.large", 901), ("db.x2g.16xlarge", 5000)],
)
def test_knows_how_many_connections_a_class_takes(stack: Stack, instance_class: str, connections: int) -> None:
    database = Database(stack, "orders", network=NETWORK, instance_class=instance_class)

    assert watched(database.watches())["connections"].threshold == connections * 8 // 10


@pytest.mark.parametrize(
    ("serverless", "connections"), [(Serverless(), 901), (Serverless(0.5, 64), 2000), (Serverless(1, 64), 5000)]
)
def test_watches_a_serverless_database(stack: Stack, serverless: Serverless, connections: int) -> None:
    database = Database(stack, "orders", network=NETWORK, engine="aurora-postgres", serverless=serverless)

    watches = watched(database.watches())

    assert list(watches) == ["cpu", "connections", "capacity", "lag"]
    assert watches["connections"].threshold == connections * 8 // 10
    assert list(watches["lag"].dimensions) == ["DBClusterIdentifier"]


def test_aurora_without_a_reader_has_no_lag(stack: Stack) -> None:
    database = Database(stack, "orders", network=NETWORK, engine="aurora-postgres", multi_az=False)

    assert list(watched(database.watches())) == ["cpu", "connections", "capacity"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "oracle"}, "engine must be one of postgres, mysql, aurora-postgres, aurora-mysql, got 'oracle'"),
        ({"version": "latest"}, "version must be like '18' or '18.4', got 'latest'"),
        ({"version": ""}, "version must be like '18' or '18.4', got ''"),
        ({"engine": "mysql", "version": "8.4"}, "version must be like '8.4.9', got '8.4'"),
        ({"engine": "aurora-mysql", "version": "8.4.9"}, "version must be like '8.4' or '8.4.mysql_aurora.8.4.7'"),
        ({"instance_class": "m7g.large"}, "instance_class must be like .*; did you mean 'db.m7g.large'"),
        (
            {"instance_class": "db.t9.huge"},
            "instance_class must be like 'db.r7g.large', of a family m5, .*, got 'db.t9.huge'",
        ),
        ({"serverless": Serverless()}, "serverless must be left out unless"),
        ({"engine": "aurora-postgres", "serverless": Serverless(0.3, 4)}, "steps of 0.5"),
        ({"engine": "aurora-postgres", "serverless": Serverless(8, 4)}, "serverless must be 0 to 256"),
        ({"engine": "aurora-postgres", "serverless": Serverless(0, 0.5)}, "the maximum 1 or more"),
        ({"engine": "aurora-postgres", "serverless": Serverless(1, 300)}, "serverless must be 0 to 256"),
        ({"read_replicas": 16}, "read_replicas must be 0 to 15"),
        ({"storage_gib": 5}, "storage_gib must be 20 to 65536"),
        ({"storage_gib": 100, "max_storage_gib": 105}, "max_storage_gib must be storage_gib, or from a tenth more"),
        ({"backup_days": 1}, "backup_days must be 7 to 35"),
        ({"port": 80}, "port must be 1150 to 65535"),
        ({"port": 0}, "port must be 1150 to 65535"),
        ({"database_name": "my-db"}, "database_name must be a-z"),
        ({"database_name": "d" * 64}, "at most 63 characters"),
        ({"user_name": "Admin"}, "user_name must be a-z"),
        ({"user_name": "u" * 33}, "at most 32 characters"),
        ({"user_name": "postgres"}, "user_name must be a less obvious name"),
        ({"parameters": {"rds.force_ssl": "0"}}, "parameters must be without rds.force_ssl"),
        ({"engine": "mysql", "parameters": {"require_secure_transport": "0"}}, "without require_secure_transport"),
        ({"proxy": True, "read_replicas": 1}, "proxy must be off for RDS with read_replicas, got true; use Aurora"),
        (
            {"engine": "aurora-mysql", "proxy": True, "serverless": Serverless(0, 4)},
            "proxy must be off for serverless with minimum 0, got true; a proxy stays connected",
        ),
        ({"data_api": True}, "data_api must be off unless engine is 'aurora-postgres' or 'aurora-mysql'"),
        ({"readers_max": 3}, "readers_max must be for Aurora with a reader or more"),
        ({"engine": "aurora-postgres", "multi_az": False, "readers_max": 3}, "readers_max must be for Aurora"),
        ({"engine": "aurora-postgres", "read_replicas": 4, "readers_max": 3}, "from their number to 15, got 3"),
        ({"engine": "aurora-postgres", "readers_max": 16}, "from their number to 15, got 16"),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Database(stack, "orders", network=NETWORK, **settings)
    assert stack.template.resources == {}


def test_refuses_a_network_without_two_isolated_subnets(stack: Stack) -> None:
    network = Vpc.lookup(vpc_id="vpc-01234567", private_subnets=["subnet-01234567"])

    with pytest.raises(SettingsError, match="network must be one with isolated subnets in two zones or more, got 0"):
        Database(stack, "orders", network=network)


def test_storage_that_must_not_grow_stays(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, storage_gib=50, max_storage_gib=50)

    assert "MaxAllocatedStorage" not in properties(app)["OrdersDatabase"]


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_the_data_api_needs_no_network(layout: Any) -> None:
    app = App("shop", layout=layout)
    database = Database(Stack(app, "data"), "orders", network=NETWORK, engine="aurora-postgres", data_api=True)
    Function(Stack(app, "code"), "api", code=INLINE).connect(database.for_data_api())

    found = properties(app)

    assert found["OrdersDatabase"]["EnableHttpEndpoint"] is True
    variables = found["ApiFunction"]["Environment"]["Variables"]
    assert sorted(variables) == ["ORDERS_CLUSTER_ARN", "ORDERS_DATABASE", "ORDERS_SECRET_ARN"]
    granted = {
        tuple(statement["Action"]): json.dumps(statement["Resource"])
        for statement in found["ApiFunctionPolicy"]["PolicyDocument"]["Statement"]
    }
    sending = tuple(
        f"rds-data:{action}"
        for action in (
            "BatchExecuteStatement", "BeginTransaction", "CommitTransaction", "ExecuteStatement", "RollbackTransaction",
        )
    )  # fmt: skip
    assert "DBClusterArn" in granted[sending]
    assert ("secretsmanager:GetSecretValue",) in granted
    assert ("kms:Decrypt",) in granted


@pytest.mark.parametrize("settings", [{}, {"engine": "aurora-postgres"}])
def test_there_is_no_data_api_unless_asked_for(app: App, stack: Stack, settings: dict[str, Any]) -> None:
    database = Database(stack, "orders", network=NETWORK, **settings)

    with pytest.raises(
        WiringError,
        match="database 'orders': data_api must be true to send SQL over HTTPS, got",
    ):
        database.for_data_api()
    assert "EnableHttpEndpoint" not in properties(app)["OrdersDatabase"]


def test_readers_of_aurora_follow_the_load(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, engine="aurora-postgres", read_replicas=2, readers_max=6)

    found = rendered(app)
    target = found["OrdersDatabaseScalableTarget"]
    policy = found["OrdersDatabaseScalingPolicy"]["Properties"]

    assert (target["Properties"]["MinCapacity"], target["Properties"]["MaxCapacity"]) == (2, 6)
    assert target["Properties"]["ResourceId"] == {"Fn::Sub": "cluster:${OrdersDatabase}"}
    assert target["Properties"]["ScalableDimension"] == "rds:cluster:ReadReplicaCount"
    assert "AWSServiceRoleForApplicationAutoScaling_RDSCluster" in json.dumps(target["Properties"]["RoleARN"])
    assert target["DependsOn"] == [f"OrdersDatabaseMember{number}" for number in (1, 2, 3)]
    assert policy["ScalingTargetId"] == {"Ref": "OrdersDatabaseScalableTarget"}
    assert policy["TargetTrackingScalingPolicyConfiguration"] == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "RDSReaderAverageCPUUtilization"},
        "TargetValue": 70,
    }
