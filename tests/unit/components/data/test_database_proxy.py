from __future__ import annotations

import json
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.data.database import Database
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError

INLINE = Code(inline="def handler(event, context): pass")
NETWORK = Vpc.lookup(
    vpc_id="vpc-01234567",
    private_subnets=["subnet-01234567"],
    isolated_subnets=["subnet-01234567", "subnet-89abcdef"],
)


def rendered(app: App) -> dict[str, Any]:
    return {name: resource for artifact in app.assemble() for name, resource in artifact.template["Resources"].items()}


def test_there_is_none_unless_asked_for(app: App, stack: Stack) -> None:
    database = Database(stack, "orders", network=NETWORK)

    assert database.proxy is None
    assert not [name for name in rendered(app) if "Proxy" in name]


def test_takes_only_tls_and_logs_in_with_the_managed_secret(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, proxy=True)

    found = rendered(app)
    proxy = found["OrdersDatabaseProxy"]["Properties"]

    assert proxy["RequireTLS"] is True
    assert proxy["DebugLogging"] is False
    assert (proxy["EngineFamily"], proxy["IdleClientTimeout"]) == ("POSTGRESQL", 1800)
    assert proxy["DBProxyName"] == "shop-test-orders"
    assert proxy["Auth"] == [
        {
            "AuthScheme": "SECRETS",
            "IAMAuth": "DISABLED",
            "SecretArn": {"Fn::GetAtt": ["OrdersDatabase", "MasterUserSecret.SecretArn"]},
        }
    ]
    assert proxy["VpcSubnetIds"] == NETWORK.isolated_subnets
    assert proxy["VpcSecurityGroupIds"] == [{"Fn::GetAtt": ["OrdersDatabaseProxySecurityGroup", "GroupId"]}]
    assert proxy["RoleArn"] == {"Fn::GetAtt": ["OrdersDatabaseProxyRole", "Arn"]}
    targets = found["OrdersDatabaseProxyTargets"]["Properties"]
    assert (targets["TargetGroupName"], targets["DBProxyName"]) == ("default", {"Ref": "OrdersDatabaseProxy"})
    assert targets["DBInstanceIdentifiers"] == [{"Ref": "OrdersDatabase"}]
    assert targets["ConnectionPoolConfigurationInfo"] == {"MaxConnectionsPercent": 90}
    assert "OrdersDatabaseProxyReader" not in found


def test_may_read_its_secret_and_reach_its_database_and_nothing_else(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, proxy=True)

    found = rendered(app)
    trust = found["OrdersDatabaseProxyRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    statements = found["OrdersDatabaseProxyPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    way_in = found["OrdersProxyToOrders5433Ingress"]["Properties"]
    way_out = found["OrdersProxyToOrders5433Egress"]["Properties"]

    assert [statement["Principal"] for statement in trust] == [{"Service": "rds.amazonaws.com"}]
    granted = sorted((statement["Action"], json.dumps(statement["Resource"])) for statement in statements)
    assert [actions for actions, _ in granted] == [["kms:Decrypt"], ["secretsmanager:GetSecretValue"]]
    assert "MasterUserSecret.SecretArn" in granted[1][1]
    own = {"Fn::GetAtt": ["OrdersDatabaseProxySecurityGroup", "GroupId"]}
    other = {"Fn::GetAtt": ["OrdersDatabaseSecurityGroup", "GroupId"]}
    assert (way_in["GroupId"], way_in["SourceSecurityGroupId"]) == (other, own)
    assert (way_out["GroupId"], way_out["DestinationSecurityGroupId"]) == (own, other)
    assert found["OrdersDatabaseProxy"]["DependsOn"] == [
        "OrdersDatabaseProxyPolicy", "OrdersProxyToOrders5433Egress", "OrdersProxyToOrders5433Ingress",
    ]  # fmt: skip


@pytest.mark.parametrize("layout", ["layered", "single"])
@pytest.mark.parametrize(
    ("settings", "port", "read_host"),
    [
        ({}, 5432, "OrdersDatabaseProxy"),
        ({"engine": "mysql"}, 3306, "OrdersDatabaseProxy"),
        ({"engine": "aurora-postgres"}, 5432, "OrdersDatabaseProxyReader"),
        ({"engine": "aurora-postgres", "multi_az": False}, 5432, "OrdersDatabaseProxy"),
        ({"engine": "aurora-mysql"}, 3306, "OrdersDatabaseProxyReader"),
    ],
)
def test_callers_connect_through_it(layout: Any, settings: dict[str, Any], port: int, read_host: str) -> None:
    app = App("shop", layout=layout)
    network = Vpc(Stack(app, "network"), "main", endpoints=("secretsmanager",))
    database = Database(Stack(app, "data"), "orders", network=network, proxy=True, **settings)
    Function(Stack(app, "code"), "api", code=INLINE, network=network).connect(database.for_connecting())

    found = {name: resource["Properties"] for name, resource in rendered(app).items() if "Properties" in resource}

    variables = found["ApiFunction"]["Environment"]["Variables"]
    assert variables["ORDERS_PORT"] == str(port)
    assert "OrdersDatabaseProxyEndpoint" in json.dumps(variables["ORDERS_HOST"]).replace('", "', "")
    assert f"{read_host}Endpoint" in json.dumps(variables["ORDERS_READ_HOST"]).replace('", "', "")
    assert found[f"ApiToOrders{port}Ingress"]["FromPort"] == port
    assert "OrdersDatabaseProxySecurityGroup" in json.dumps(found[f"ApiToOrders{port}Ingress"]["GroupId"])
    assert f"ApiToOrders{database.port}Ingress" not in found


@pytest.mark.parametrize(
    ("engine", "family"), [("aurora-postgres", "POSTGRESQL"), ("aurora-mysql", "MYSQL"), ("mysql", "MYSQL")]
)
def test_speaks_the_protocol_of_the_engine(app: App, stack: Stack, engine: Any, family: str) -> None:
    Database(stack, "orders", network=NETWORK, engine=engine, proxy=True)

    assert rendered(app)["OrdersDatabaseProxy"]["Properties"]["EngineFamily"] == family


def test_waits_for_the_members_of_aurora_and_reads_from_the_readers(app: App, stack: Stack) -> None:
    Database(stack, "orders", network=NETWORK, engine="aurora-postgres", proxy=True)

    found = rendered(app)

    targets = found["OrdersDatabaseProxyTargets"]
    assert targets["DependsOn"] == ["OrdersDatabaseMember1", "OrdersDatabaseMember2"]
    assert targets["Properties"]["DBClusterIdentifiers"] == [{"Ref": "OrdersDatabase"}]
    assert "DBInstanceIdentifiers" not in targets["Properties"]
    reader = found["OrdersDatabaseProxyReader"]["Properties"]
    assert (reader["TargetRole"], reader["DBProxyEndpointName"]) == ("READ_ONLY", "shop-test-orders-reader")
    assert reader["DBProxyName"] == {"Ref": "OrdersDatabaseProxy"}
    assert reader["VpcSecurityGroupIds"] == [{"Fn::GetAtt": ["OrdersDatabaseProxySecurityGroup", "GroupId"]}]


def test_names_that_aws_would_refuse_are_refused(stack: Stack) -> None:
    with pytest.raises(SettingsError, match="proxy must be off unless its name is at most 63 characters"):
        Database(stack, "o" * 47, network=NETWORK, proxy=True)
    Database(stack, "o" * 46, network=NETWORK, proxy=True)


def test_is_watched_with_the_database(stack: Stack) -> None:
    plain, behind = (
        [watch.name for watch in Database(stack, name, network=NETWORK, proxy=proxy).watches()]
        for name, proxy in (("plain", False), ("behind", True))
    )

    assert set(behind) - set(plain) == {"proxy-failed", "proxy-wait"}


def test_is_watched_for_failed_logins_and_for_waiting_callers(stack: Stack) -> None:
    database = Database(stack, "orders", network=NETWORK, proxy=True)
    assert database.proxy is not None

    failed, wait = database.proxy.watches()

    assert (failed.metric, failed.statistic, failed.threshold) == ("DatabaseConnectionsSetupFailed", "Sum", 1)
    assert (wait.metric, wait.statistic, wait.threshold) == ("DatabaseConnectionsBorrowLatency", "Average", 1_000_000)
    for watch in (failed, wait):
        assert watch.namespace == "AWS/RDS"
        assert watch.dimensions["ProxyName"].data == {"Ref": "OrdersDatabaseProxy"}  # type: ignore[union-attr]
