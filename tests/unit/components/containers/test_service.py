from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.balancing.application import ApplicationLoadBalancer
from archlib.components.containers.cluster import Cluster
from archlib.components.containers.service import FargateService
from archlib.components.network.vpc import Vpc
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError
from archlib.wiring.roles import Backend
from archlib.wiring.scaling import Scaling, ScheduledSize
from contract.factories.balancing import CERTIFICATE
from contract.factories.containers import IMAGE, NETWORK, target_group

Serve = Callable[..., FargateService]
Properties = Callable[[str], dict[str, Any]]
Rendered = Callable[[], dict[str, Any]]


def test_runs_in_private_subnets_over_all_zones(serve: Serve, properties: Properties) -> None:
    serve()

    found = properties("OrdersService")

    assert found["NetworkConfiguration"]["AwsvpcConfiguration"] == {
        "AssignPublicIp": "DISABLED",
        "SecurityGroups": [{"Fn::GetAtt": ["OrdersServiceSecurityGroup", "GroupId"]}],
        "Subnets": NETWORK.private_subnets,
    }
    assert found["AvailabilityZoneRebalancing"] == "ENABLED"
    assert found["EnableExecuteCommand"] is False
    assert found["PlatformVersion"] == "LATEST"
    assert {"LoadBalancers", "HealthCheckGracePeriodSeconds", "ServiceName"}.isdisjoint(found)


@pytest.mark.parametrize(
    ("spot", "providers"),
    [
        (0, [{"Base": 1, "CapacityProvider": "FARGATE", "Weight": 100}]),
        (
            70,
            [
                {"Base": 1, "CapacityProvider": "FARGATE", "Weight": 30},
                {"CapacityProvider": "FARGATE_SPOT", "Weight": 70},
            ],
        ),
        (100, [{"CapacityProvider": "FARGATE_SPOT", "Weight": 100}]),
    ],
)
def test_part_of_the_tasks_may_run_on_spot(
    serve: Serve, properties: Properties, spot: int, providers: list[dict[str, Any]]
) -> None:
    serve(spot=spot)

    assert properties("OrdersService")["CapacityProviderStrategy"] == providers


def test_waits_for_rights_and_ways(serve: Serve, stack: Stack, rendered: Rendered) -> None:
    orders = serve(allow_exec=True)
    orders.join(target_group(stack))

    assert rendered()["OrdersService"]["DependsOn"] == [
        "OrdersPublicRule",
        "OrdersServiceExecutionPolicy",
        "OrdersServicePolicy",
        "OrdersToVpcEndpoints443Egress",
        "OrdersToVpcEndpoints443Ingress",
        "OrdersToVpcS3443S3Egress",
    ]


def test_registers_its_port_with_a_target_group(serve: Serve, stack: Stack, properties: Properties) -> None:
    orders = serve(port=9000, grace=timedelta(minutes=2))
    orders.join(target_group(stack))

    found = properties("OrdersService")

    assert isinstance(orders, Backend)
    assert (orders.target_type, orders.port) == ("ip", 9000)
    assert found["LoadBalancers"] == [
        {"ContainerName": "main", "ContainerPort": 9000, "TargetGroupArn": {"Ref": "OrdersPublicTargetGroup"}}
    ]
    assert found["HealthCheckGracePeriodSeconds"] == 120


@pytest.mark.parametrize(("drain", "fits"), [(60, True), (61, False)])
def test_has_as_long_to_stop_as_its_load_balancer_drains(serve: Serve, stack: Stack, drain: int, fits: bool) -> None:  # noqa: FBT001
    group = replace(target_group(stack), drain=timedelta(seconds=drain))
    orders = serve(stop_timeout=timedelta(seconds=60))

    if fits:
        orders.join(group)
    else:
        with pytest.raises(
            WiringError, match="stop_timeout must be at least the 1m1s its target group drains, got 1m; shorten"
        ):
            orders.join(group)


def test_a_load_balancer_sends_requests_from_another_stack() -> None:
    app = App("shop", "test")
    network = Vpc(Stack(app, "network"), "main", public=True, endpoints=["ecr.api", "ecr.dkr", "logs"])
    balancer = ApplicationLoadBalancer(Stack(app, "ingress"), "public", network=network, certificate=CERTIFICATE)
    cluster = Cluster(Stack(app, "platform"), "main")
    orders = FargateService(Stack(app, "orders"), "orders", cluster=cluster, network=network, image=IMAGE)
    balancer.route(orders, paths=["/orders/*"])

    stacks = {stack.name: stack for stack in app.assemble()}
    resources = stacks["shop-test-orders"].template["Resources"]

    assert "OrdersPublicRule" in resources["OrdersService"]["DependsOn"]
    assert resources["PublicToOrders8080Ingress"]["Properties"]["FromPort"] == 8080
    assert "shop-test-ingress" in stacks["shop-test-orders"].depends_on
    assert not any(
        "shop-test-orders" in stack.depends_on for name, stack in stacks.items() if name != "shop-test-orders"
    )


def test_is_found_by_its_name(serve: Serve, properties: Properties) -> None:
    serve()

    found = properties("OrdersService")["ServiceConnectConfiguration"]

    assert found["Enabled"] is True
    assert "MainNamespace" in str(found["Namespace"])
    assert found["Services"] == [
        {"ClientAliases": [{"DnsName": "orders", "Port": 8080}], "DiscoveryName": "orders", "PortName": "main"}
    ]
    assert found["LogConfiguration"]["Options"]["awslogs-stream-prefix"] == "service-connect"


@pytest.mark.parametrize(
    ("protocol", "url", "mapped"),
    [
        ("http", "http://orders:8080", "http"),
        ("http2", "http://orders:8080", "http2"),
        ("grpc", "http://orders:8080", "grpc"),
        ("tcp", "tcp://orders:8080", None),
    ],
)
def test_another_service_calls_it_by_its_name(
    serve: Serve, properties: Properties, protocol: str, url: str, mapped: str | None
) -> None:
    orders, web = serve(protocol=protocol), serve("web")
    web.connect(orders.for_calling())

    (container,) = properties("WebServiceTask")["ContainerDefinitions"]
    (port,) = properties("OrdersServiceTask")["ContainerDefinitions"][0]["PortMappings"]

    assert container["Environment"] == [{"Name": "ORDERS_URL", "Value": url}]
    assert port.get("AppProtocol") == mapped
    assert properties("WebToOrders8080Ingress")["GroupId"] == {"Fn::GetAtt": ["OrdersServiceSecurityGroup", "GroupId"]}
    assert properties("WebToOrders8080Egress")["DestinationSecurityGroupId"] == {
        "Fn::GetAtt": ["OrdersServiceSecurityGroup", "GroupId"]
    }


def test_one_without_a_port_only_calls(serve: Serve, stack: Stack, properties: Properties) -> None:
    worker = serve(port=None)

    assert "Services" not in properties("OrdersService")["ServiceConnectConfiguration"]
    assert "PortMappings" not in properties("OrdersServiceTask")["ContainerDefinitions"][0]
    for use in (worker.for_calling, lambda: worker.join(target_group(stack))):
        with pytest.raises(WiringError, match="service 'orders': port must be given to take requests, got nothing"):
            use()


def test_shells_are_allowed_on_demand(serve: Serve, rendered: Rendered) -> None:
    serve(allow_exec=True)

    found = rendered()
    statements = found["OrdersServicePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = {action for statement in statements for action in statement["Action"]}
    folders = [
        point["ContainerPath"]
        for point in found["OrdersServiceTask"]["Properties"]["ContainerDefinitions"][0]["MountPoints"]
    ]

    assert found["OrdersService"]["Properties"]["EnableExecuteCommand"] is True
    assert {"ssmmessages:OpenDataChannel", "logs:PutLogEvents", "kms:Decrypt"} <= allowed
    # The agent that serves shells writes there.
    assert folders == ["/var/lib/amazon", "/var/log/amazon"]
    assert "Configuration" in found["MainCluster"]["Properties"]


def test_watches_load_and_number(serve: Serve, stack: Stack) -> None:
    orders = serve(scaling=Scaling(minimum=3, schedule={"night": ScheduledSize("rate(1 day)", minimum=1)}))
    orders.join(target_group(stack))

    found = {watch.name: watch for watch in orders.watches()}

    assert list(found) == ["cpu", "memory", "tasks", "errors", "unhealthy"]
    assert encode(found["cpu"].dimensions) == {
        "ClusterName": {"Ref": "MainCluster"},
        "ServiceName": {"Fn::GetAtt": ["OrdersService", "Name"]},
    }
    assert (found["tasks"].comparison, found["tasks"].threshold) == ("<", 1)


def test_none_running_may_be_right(serve: Serve) -> None:
    assert "tasks" not in [watch.name for watch in serve(scaling=Scaling(minimum=0)).watches()]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"spot": 101}, "spot must be 0 to 100, got 101"),
        ({"grace": timedelta(hours=3)}, "grace must be 0s to 2h, got 3h"),
        ({"port": None, "scaling": Scaling(requests=5)}, "port must be given to scale by requests"),
    ],
)
def test_what_cannot_work_is_refused(serve: Serve, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        serve(**settings)


def test_names_are_what_aws_gave(serve: Serve) -> None:
    orders = serve()

    assert encode(orders.arn) == {"Ref": "OrdersService"}
    assert encode(orders.role.arn) == {"Fn::GetAtt": ["OrdersServiceRole", "Arn"]}
    assert encode(orders.log_group.group_name) == {"Ref": "OrdersServiceLogGroup"}
