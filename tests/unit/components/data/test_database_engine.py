from __future__ import annotations

import json
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.data.database import Database, Serverless
from archlib.components.data.database_engine import ENGINES
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.vpc import Vpc

NETWORK = Vpc.lookup(
    vpc_id="vpc-01234567",
    private_subnets=["subnet-01234567"],
    isolated_subnets=["subnet-01234567", "subnet-89abcdef"],
)


def properties(app: App) -> dict[str, Any]:
    return {
        name: resource.get("Properties", {})
        for artifact in app.assemble()
        for name, resource in artifact.template["Resources"].items()
    }


def test_mysql_takes_only_tls_and_sends_its_logs_away(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, engine="mysql", parameters={"long_query_time": "1"})

    found = properties(app)
    instance = found["OrdersDatabase"]

    assert (instance["Engine"], instance["EngineVersion"], instance["Port"]) == ("mysql", "8.4.9", "3307")
    assert instance["EnableCloudwatchLogsExports"] == ["audit", "error", "general", "slowquery"]
    assert instance["AutoMinorVersionUpgrade"] is instance["ManageMasterUserPassword"] is True
    assert found["OrdersDatabaseParameters"]["Family"] == "mysql8.4"
    assert found["OrdersDatabaseParameters"]["Parameters"] == {
        "log_output": "FILE",
        "long_query_time": "1",
        "require_secure_transport": "1",
        "slow_query_log": "1",
    }


def test_mysql_keeps_its_audit_log_with_a_plugin_that_stays_as_long_as_the_snapshots(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, engine="mysql", read_replicas=1)

    found = {name: each for stack in app.assemble() for name, each in stack.template["Resources"].items()}
    options = found["OrdersDatabaseOptions"]

    assert options["DeletionPolicy"] == options["UpdateReplacePolicy"] == "Retain"
    assert (options["Properties"]["EngineName"], options["Properties"]["MajorEngineVersion"]) == ("mysql", "8.4")
    assert options["Properties"]["OptionConfigurations"] == [
        {
            "OptionName": "MARIADB_AUDIT_PLUGIN",
            "OptionSettings": [{"Name": "SERVER_AUDIT_EVENTS", "Value": "CONNECT,QUERY_DCL"}],
        }
    ]
    for name in ("OrdersDatabase", "OrdersDatabaseReplica1"):
        assert found[name]["Properties"]["OptionGroupName"] == {"Ref": "OrdersDatabaseOptions"}


@pytest.mark.parametrize("engine", ["postgres", "aurora-postgres", "aurora-mysql"])
def test_others_need_no_plugin(app: App, stack: Stack, engine: Any) -> None:
    Database(stack, "orders", network=NETWORK, engine=engine)

    assert "OrdersDatabaseOptions" not in properties(app)


def test_aurora_mysql_takes_only_tls_and_keeps_an_audit_log(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, engine="aurora-mysql", data_api=True)

    found = properties(app)
    cluster = found["OrdersDatabase"]

    assert (cluster["Engine"], cluster["EngineVersion"], cluster["Port"]) == ("aurora-mysql", "8.4", 3307)
    assert cluster["EnableCloudwatchLogsExports"] == ["audit", "error", "general", "slowquery"]
    assert cluster["EnableHttpEndpoint"] is True
    assert found["OrdersDatabaseParameters"]["Family"] == "aurora-mysql8.4"
    assert found["OrdersDatabaseParameters"]["Parameters"] == {
        "require_secure_transport": "ON",
        "server_audit_events": "CONNECT,QUERY_DCL",
        "server_audit_logging": "1",
        "slow_query_log": "1",
    }
    assert found["OrdersDatabaseMember2"]["Engine"] == "aurora-mysql"


def test_what_is_set_by_default_can_be_changed(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, engine="mysql", parameters={"slow_query_log": "0"}, port=3399)

    found = properties(app)

    assert found["OrdersDatabaseParameters"]["Parameters"]["slow_query_log"] == "0"
    assert found["OrdersDatabase"]["Port"] == "3399"


@pytest.mark.parametrize(
    ("engine", "version", "family"),
    [
        ("postgres", "17.9", "postgres17"),
        ("aurora-postgres", "17", "aurora-postgresql17"),
        ("mysql", "8.0.46", "mysql8.0"),
        ("aurora-mysql", "8.0", "aurora-mysql8.0"),
        ("aurora-mysql", "8.0.mysql_aurora.3.10.2", "aurora-mysql8.0"),
        ("aurora-mysql", "8.4.mysql_aurora.8.4.7", "aurora-mysql8.4"),
    ],
)
def test_the_parameters_are_of_the_major_version(
    app: App, stack: Stack, engine: Any, version: str, family: str
) -> None:
    Database(stack, "orders", network=NETWORK, engine=engine, version=version)

    found = properties(app)

    assert found["OrdersDatabase"]["EngineVersion"] == version
    assert found["OrdersDatabaseParameters"]["Family"] == family


@pytest.mark.parametrize(
    ("engine", "instance_class", "insights"),
    [
        ("postgres", "db.t4g.micro", True),
        ("mysql", "db.t4g.micro", False),
        ("mysql", "db.t3.small", False),
        ("mysql", "db.t3.medium", True),
        ("aurora-mysql", "db.t3.medium", False),
        ("aurora-mysql", "db.t4g.medium", True),
    ],
)
def test_asks_for_insights_only_where_there_are_some(
    app: App, stack: Stack, engine: Any, instance_class: str, *, insights: bool
) -> None:
    Database(stack, "orders", network=NETWORK, engine=engine, instance_class=instance_class)

    found = properties(app)

    instance = found["OrdersDatabaseMember1" if engine.startswith("aurora") else "OrdersDatabase"]
    asked = {setting for setting in instance if "PerformanceInsights" in setting}
    assert asked == (
        {"EnablePerformanceInsights", "PerformanceInsightsKMSKeyId", "PerformanceInsightsRetentionPeriod"}
        if insights
        else set()
    )


def test_a_function_connects_to_the_port_of_mysql(app: App) -> None:
    network = Vpc(Stack(app, "network"), "main", endpoints=("secretsmanager",))
    database = Database(Stack(app, "data"), "orders", network=network, engine="mysql", read_replicas=1)
    code = Code(inline="def handler(event, context): pass")
    Function(Stack(app, "code"), "api", code=code, network=network).connect(database.for_connecting())

    found = properties(app)

    assert found["ApiFunction"]["Environment"]["Variables"]["ORDERS_PORT"] == "3307"
    assert found["ApiToOrders3307Ingress"]["FromPort"] == 3307
    assert "MasterUserPassword" in found["OrdersDatabase"]
    assert "password" not in json.dumps(found["ApiFunction"]).lower()


@pytest.mark.parametrize(
    ("engine", "instance_class", "connections"),
    [
        ("postgres", "db.t4g.medium", 450),
        ("mysql", "db.t4g.medium", 341),
        ("mysql", "db.r7g.16xlarge", 43_690),
        ("aurora-mysql", "db.t4g.medium", 90),
        ("aurora-mysql", "db.r7g.large", 1000),
        ("aurora-mysql", "db.r7g.4xlarge", 4000),
    ],
)
def test_the_alarm_for_connections_knows_the_engine(
    stack: Stack, engine: Any, instance_class: str, connections: int
) -> None:
    database = Database(stack, "orders", network=NETWORK, engine=engine, instance_class=instance_class)

    watches = {watch.name: watch for watch in database.watches()}

    assert watches["connections"].threshold == connections * 8 // 10


def test_aurora_mysql_that_shrinks_accepts_no_fewer_connections(stack: Stack) -> None:
    small, large = (
        Database(stack, name, network=NETWORK, engine="aurora-mysql", serverless=Serverless(minimum, 64))
        for name, minimum in (("small", 0), ("large", 8))
    )

    assert [watch.threshold for watch in small.watches()] == [watch.threshold for watch in large.watches()]


def test_the_parameter_that_asks_for_tls_is_set_for_every_engine() -> None:
    assert all(engine.parameters[engine.tls] in {"1", "ON"} for engine in ENGINES.values())
