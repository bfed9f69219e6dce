from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from troposphere import Ref

from archlib import App, Stack
from archlib.components.containers.kubernetes import NEEDS_ENDPOINTS, KubernetesCluster
from archlib.components.containers.kubernetes_nodes import NodeGroup
from archlib.components.containers.kubernetes_workload import Workload
from archlib.components.identity.secret import Secret
from archlib.components.messaging.queue import Queue
from archlib.components.network.security_group import SecurityGroup
from archlib.components.network.vpc import Vpc
from archlib.core.values import Value
from archlib.errors import SettingsError, WiringError
from archlib.wiring.binding import Binding, Grant

Rendered = Callable[[], dict[str, Any]]
Properties = Callable[[str], dict[str, Any]]


@pytest.fixture
def cluster(app: App) -> KubernetesCluster:
    network = Vpc(Stack(app, "network"), "main", endpoints=NEEDS_ENDPOINTS)
    return KubernetesCluster(
        Stack(app, "platform"),
        "main",
        network=network,
        admins={"operators": "Operators"},
        nodes={"default": NodeGroup()},
        fargate=["reports"],
    )


def settings(app: App, stack: Stack, name: str = "Orders") -> dict[str, Any]:
    """Return the settings in the output, with what CloudFormation fills in as ``${...}``."""
    (found,) = [each for each in app.assemble() if each.name == stack.physical_name]
    value = found.template["Outputs"][f"{name}Settings"]["Value"]
    result: dict[str, Any] = json.loads(value if isinstance(value, str) else value["Fn::Sub"].replace("${!", "${"))
    return result


def database(app: App) -> Binding:
    stack = app.stack("data")
    group = SecurityGroup(stack, "orders-db", vpc_id="vpc-0123456789abcdef0").group_id
    secret = Secret(stack, "orders-db").arn
    return Binding(
        "orders-db",
        "connecting to database 'orders-db'",
        (Grant(("secretsmanager:GetSecretValue",), (secret,)),),
        {"HOST": "db.example.com"},
        {"SECRET_ARN": secret},
        (5432,),
        group,
    )


def test_pods_of_its_service_account_get_its_role(
    stack: Stack, cluster: KubernetesCluster, properties: Properties
) -> None:
    Workload(stack, "orders", cluster=cluster, namespace="shop", service_account="api")

    assert properties("OrdersWorkload") == {
        "ClusterName": {"Ref": "MainKubernetesCluster"},
        "Namespace": "shop",
        "RoleArn": {"Fn::GetAtt": ["OrdersWorkloadRole", "Arn"]},
        "ServiceAccount": "api",
        "Tags": [{"Key": "app", "Value": "shop"}, {"Key": "environment", "Value": "test"}],
    }
    conditions = properties("OrdersWorkloadRole")["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    assert conditions["StringEquals"]["aws:RequestTag/eks-cluster-name"] == "shop-test-main"


def test_is_called_like_its_service_account(stack: Stack, cluster: KubernetesCluster, properties: Properties) -> None:
    Workload(stack, "orders", cluster=cluster)

    assert properties("OrdersWorkload")["ServiceAccount"] == "orders"
    assert properties("OrdersWorkload")["Namespace"] == "default"


def test_uses_what_it_is_connected_to(
    app: App, stack: Stack, cluster: KubernetesCluster, properties: Properties
) -> None:
    orders = Workload(stack, "orders", cluster=cluster)
    orders.connect(Queue(stack, "emails").for_sending())

    rights = properties("OrdersWorkloadPolicy")["PolicyDocument"]["Statement"]

    assert "sqs:SendMessage" in {action for row in rights for action in row["Action"]}
    assert settings(app, stack)["environment"] == {"EMAILS_QUEUE_URL": "${EmailsQueue}"}


def test_ports_are_open_for_all_pods_once(
    app: App, stack: Stack, cluster: KubernetesCluster, rendered: Rendered
) -> None:
    target = database(app)
    for name in ("orders", "users"):
        Workload(Stack(app, name), name, cluster=cluster).connect(target)

    opened = {
        name: node["Properties"]
        for name, node in rendered().items()
        if node["Type"] == "AWS::EC2::SecurityGroupIngress" and node["Properties"].get("FromPort") == 5432
    }

    assert list(opened) == ["MainNodesToOrdersDb5432Ingress"]
    assert opened["MainNodesToOrdersDb5432Ingress"]["SourceSecurityGroupId"] == {
        "Fn::GetAtt": ["MainNodesSecurityGroup", "GroupId"]
    }
    assert "MainNodesToOrdersDb5432Ingress" in cluster.stack.template.resources
    assert stack.template.resources == {}


def test_the_output_is_json_whatever_the_values_are(app: App, stack: Stack, cluster: KubernetesCluster) -> None:
    given: dict[str, Value] = {"QUOTED": 'a "b" \\ c', "SHELL": "${HOME}", "REGION": Ref("AWS::Region")}
    orders = Workload(stack, "orders", cluster=cluster, namespace="shop", environment=given)
    orders.set_secret("TOKEN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token")

    assert settings(app, stack) == {
        "namespace": "shop",
        "serviceAccount": "orders",
        "environment": {
            "QUOTED": 'a "b" \\ c',
            "REGION": "${AWS::Region}",
            "SHELL": "${HOME}",
            "TOKEN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token",
        },
    }
    assert orders.environment["SHELL"] == "${HOME}"


def test_a_variable_has_one_value(stack: Stack, cluster: KubernetesCluster) -> None:
    orders = Workload(stack, "orders", cluster=cluster, environment={"STAGE": "test"})
    orders.set_environment("STAGE", "test")

    with pytest.raises(WiringError, match="workload 'orders': environment variable 'STAGE' must have one value"):
        orders.set_environment("STAGE", "prod")


def test_needs_nodes(stack: Stack) -> None:
    network = Vpc(stack, "main", endpoints=NEEDS_ENDPOINTS)
    admins = {"operators": "Operators"}
    cluster = KubernetesCluster(stack, "main", network=network, admins=admins, fargate=["kube-system"])

    with pytest.raises(SettingsError, match="namespace must be one whose pods run on nodes, got 'default'"):
        Workload(stack, "orders", cluster=cluster)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"namespace": "Shop"}, "workload 'orders': namespace must be a name of a-z, 0-9 and -, up to 63, got 'Shop'"),
        ({"namespace": "reports"}, "namespace must be one whose pods run on nodes, got 'reports'"),
        ({"service_account": "-"}, "service_account must be a name of a-z, 0-9, - and ., up to 253, got '-'"),
        ({"environment": {"A-B": "c"}}, "environment.A-B must be named by letters, digits and _, got 'A-B'; rename it"),
    ],
)
def test_refuses(stack: Stack, cluster: KubernetesCluster, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(problem)):
        Workload(stack, "orders", cluster=cluster, **given)
