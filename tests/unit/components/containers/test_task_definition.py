from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.containers.cluster import Cluster
from archlib.components.containers.repository import Repository
from archlib.components.containers.service import FargateService
from archlib.components.containers.sidecar import ContainerHealth, Sidecar
from archlib.components.data.database import Database
from archlib.components.data.table import Table
from archlib.components.identity.secret import Secret
from archlib.components.messaging.queue import Queue
from archlib.components.network.vpc import Vpc
from archlib.core.app import Layout
from archlib.errors import SettingsError, WiringError
from archlib.wiring.binding import Binding
from contract.factories.containers import IMAGE, NETWORK

Serve = Callable[..., FargateService]
Properties = Callable[[str], dict[str, Any]]


def rights(properties: Properties, role: str) -> dict[str, Any]:
    """Return action -> resources of the policy of ``role``."""
    statements = properties(role)["PolicyDocument"]["Statement"]
    return {action: found["Resource"] for found in statements for action in found["Action"]}


def test_a_container_can_do_little(serve: Serve, containers: Callable[[], dict[str, Any]]) -> None:
    serve(command=["run", "--fast"], health=ContainerHealth("true"))

    main = containers()["main"]

    assert main["User"] == "1000:1000"
    assert main["ReadonlyRootFilesystem"] is main["Essential"] is True
    assert main["Privileged"] is False
    assert main["LinuxParameters"] == {"Capabilities": {"Drop": ["ALL"]}, "InitProcessEnabled": True}
    assert main["PortMappings"] == [{"AppProtocol": "http", "ContainerPort": 8080, "Name": "main", "Protocol": "tcp"}]
    assert main["StopTimeout"] == 60
    assert main["Command"] == ["run", "--fast"]
    assert main["HealthCheck"]["Command"] == ["CMD-SHELL", "true"]
    assert main["Memory"] == 512 - 64  # the proxy of Service Connect has the rest


def test_a_task_is_of_a_size_and_architecture(serve: Serve, properties: Properties) -> None:
    serve(cpu=1024, memory_mib=3072, architecture="x86_64")

    found = properties("OrdersServiceTask")

    assert (found["Cpu"], found["Memory"]) == ("1024", "3072")
    assert found["RuntimePlatform"] == {"CpuArchitecture": "X86_64", "OperatingSystemFamily": "LINUX"}
    assert found["RequiresCompatibilities"] == ["FARGATE"]
    assert found["NetworkMode"] == "awsvpc"


def test_all_containers_log_into_one_group_and_never_wait_for_it(
    serve: Serve, containers: Callable[[], dict[str, Any]], properties: Properties
) -> None:
    serve(sidecars=[Sidecar("proxy", IMAGE)], log_retention_days=30)

    options = {name: found["LogConfiguration"]["Options"] for name, found in containers().items()}

    assert {found["awslogs-group"]["Ref"] for found in options.values()} == {"OrdersServiceLogGroup"}
    assert {name: found["awslogs-stream-prefix"] for name, found in options.items()} == {
        "main": "main",
        "proxy": "proxy",
    }
    assert {found["mode"] for found in options.values()} == {"non-blocking"}
    assert properties("OrdersServiceLogGroup")["RetentionInDays"] == 30
    assert "KmsKeyId" in properties("OrdersServiceLogGroup")


def test_the_execution_role_pulls_from_the_one_repository(stack: Stack, serve: Serve, properties: Properties) -> None:
    serve(image=Repository(stack, "orders").image("1.4"))

    found = rights(properties, "OrdersServiceExecutionPolicy")
    role = properties("OrdersServiceExecutionRole")["AssumeRolePolicyDocument"]["Statement"][0]

    assert found["ecr:BatchGetImage"] == [{"Fn::GetAtt": ["OrdersRepository", "Arn"]}]
    assert found["ecr:GetAuthorizationToken"] == ["*"]
    assert found["logs:PutLogEvents"] == [{"Fn::GetAtt": ["OrdersServiceLogGroup", "Arn"]}]
    assert len(found) == 6
    assert role["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert properties("OrdersServiceTask")["ExecutionRoleArn"] != properties("OrdersServiceTask")["TaskRoleArn"]


def test_the_code_has_no_right_that_nobody_gave(serve: Serve, rendered: Callable[[], dict[str, Any]]) -> None:
    serve()

    assert "OrdersServiceRole" in rendered()
    assert "OrdersServicePolicy" not in rendered()


def test_a_public_image_needs_no_right(serve: Serve, properties: Properties) -> None:
    serve(image="nginx:1.27", internet=True)

    assert set(rights(properties, "OrdersServiceExecutionPolicy")) == {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_reaches_endpoints_and_s3_and_nothing_else(serve: Serve, rendered: Callable[[], dict[str, Any]]) -> None:
    serve()

    ways = {name for name, found in rendered().items() if found["Type"].startswith("AWS::EC2::SecurityGroup")}

    assert ways == {
        "OrdersServiceSecurityGroup",
        "OrdersToVpcEndpoints443Ingress",
        "OrdersToVpcEndpoints443Egress",
        "OrdersToVpcS3443S3Egress",
    }


def test_the_internet_is_asked_for(serve: Serve, properties: Properties) -> None:
    serve(internet=True)

    assert properties("OrdersToVpcInternet443AnywhereEgress")["CidrIp"] == "0.0.0.0/0"


def test_the_internet_stands_in_for_endpoints(serve: Serve, rendered: Callable[[], dict[str, Any]]) -> None:
    network = Vpc.lookup(vpc_id=NETWORK.vpc_id, private_subnets=NETWORK.private_subnets, internet=True)
    serve(network=network, internet=True)

    assert {name for name in rendered() if name.startswith("OrdersTo")} == {
        "OrdersToVpcInternet443AnywhereEgress",
        "OrdersToVpcS3443S3Egress",
    }


def test_no_rule_is_made_twice_where_aws_apis_are_reached_by_prefix_lists(
    serve: Serve, stack: Stack, rendered: Callable[[], dict[str, Any]]
) -> None:
    lists = {"s3": "pl-01234567", "dynamodb": "pl-89abcdef"}
    network = Vpc.lookup(
        vpc_id=NETWORK.vpc_id,
        private_subnets=NETWORK.private_subnets,
        endpoints_group="sg-0123456789abcdef0",
        prefix_lists=lists,
    )
    orders = serve(network=network)
    orders.connect(Table(stack, "items", partition_key="id").for_reading())

    found = [node["Properties"].get("DestinationPrefixListId") for node in rendered().values() if "Properties" in node]

    assert sorted(filter(None, found)) == sorted(lists.values())


def test_rights_for_dynamodb_open_the_way_to_it(serve: Serve, stack: Stack, properties: Properties) -> None:
    orders = serve()
    orders.connect(Table(stack, "items", partition_key="id").for_reading())

    assert properties("OrdersToVpcDynamodb443DynamodbEgress")["DestinationPrefixListId"] == {
        "Ref": "DynamodbPrefixList"
    }


def test_a_sidecar_starts_before_the_code_and_again_after_it_failed(
    serve: Serve, containers: Callable[[], dict[str, Any]]
) -> None:
    ready = ContainerHealth("ready", shell=False)
    serve(
        sidecars=[
            Sidecar("proxy", IMAGE, essential=True, health=ready, port=9000),
            Sidecar("agent", IMAGE, ["--quiet"], {"B": "2", "A": "1"}, health=ready),
        ]
    )

    found = containers()

    assert found["main"]["DependsOn"] == [
        {"ContainerName": "proxy", "Condition": "HEALTHY"},
        {"ContainerName": "agent", "Condition": "START"},
    ]
    assert found["main"]["Memory"] == 512 - 64 - 2 * 128
    assert "RestartPolicy" not in found["proxy"]
    assert found["proxy"]["PortMappings"] == [{"ContainerPort": 9000, "Protocol": "tcp"}]
    assert found["agent"]["RestartPolicy"] == {"Enabled": True}
    assert found["agent"]["Essential"] is False
    assert found["agent"]["Command"] == ["--quiet"]
    assert found["agent"]["Environment"] == [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}]
    assert found["agent"]["ReadonlyRootFilesystem"] is True


def test_tracing_brings_a_collector_its_rights_and_its_address(
    serve: Serve, containers: Callable[[], dict[str, Any]], properties: Properties
) -> None:
    serve(tracing=True, collector=IMAGE)

    told = {pair["Name"]: pair["Value"] for pair in containers()["main"]["Environment"]}

    assert containers()["collector"]["Image"] == IMAGE
    assert told["OTEL_SERVICE_NAME"] == "orders"
    assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://localhost:4318"
    assert rights(properties, "OrdersServicePolicy")["xray:PutTraceSegments"] == ["*"]


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_uses_a_table_a_queue_a_secret_and_a_database(layout: Layout) -> None:
    app = App("shop", "test", layout=layout)
    network = Vpc(Stack(app, "network"), "main", endpoints=["ecr.api", "ecr.dkr", "logs", "secretsmanager", "sqs"])
    data, own = Stack(app, "data"), Stack(app, "orders")
    cluster = Cluster(Stack(app, "platform"), "main")
    orders = FargateService(own, "orders", cluster=cluster, network=network, image=IMAGE)
    database = Database(data, "stock", network=network)
    secret = Secret(data, "github")
    orders.connect(
        Table(data, "items", partition_key="id").for_writing(),
        Queue(data, "jobs").for_sending(),
        secret.for_reading(),
        database.for_connecting(),
    )
    orders.inject(secret.for_reading(), "GITHUB_TOKEN", json_key="token")

    stacks = app.assemble()
    resources = {name: node["Properties"] for stack in stacks for name, node in stack.template["Resources"].items()
                 if "Properties" in node}  # fmt: skip
    (main,) = resources["OrdersServiceTask"]["ContainerDefinitions"]
    allowed = {
        action
        for statement in resources["OrdersServicePolicy"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }

    assert {pair["Name"] for pair in main["Environment"]} == {
        *("GITHUB_SECRET_ARN", "ITEMS_TABLE", "JOBS_QUEUE_URL"),
        *("STOCK_HOST", "STOCK_READ_HOST", "STOCK_PORT", "STOCK_DATABASE", "STOCK_SECRET_ARN"),
    }
    assert [pair["Name"] for pair in main["Secrets"]] == ["GITHUB_TOKEN"]
    assert {"dynamodb:PutItem", "sqs:SendMessage", "secretsmanager:GetSecretValue", "kms:Decrypt"} <= allowed
    assert resources["OrdersToStock5433Ingress"]["FromPort"] == 5433
    assert resources["OrdersToMainDynamodb443DynamodbEgress"]["ToPort"] == 443
    if layout == "layered":
        by_name = {stack.name: stack for stack in stacks}
        assert by_name["shop-test-orders"].depends_on == {
            "shop-test-foundation", "shop-test-network", "shop-test-data", "shop-test-platform",
        }  # fmt: skip
        assert "shop-test-orders" not in by_name["shop-test-data"].depends_on
        assert not any("Orders" in name for name in by_name["shop-test-data"].template["Resources"])


def test_injected_secrets_are_read_by_ecs_not_by_the_code(
    serve: Serve, stack: Stack, containers: Callable[[], dict[str, Any]], rendered: Callable[[], dict[str, Any]]
) -> None:
    secret = Secret(stack, "github")
    orders = serve()
    orders.inject(secret.for_reading(), "WHOLE")
    orders.inject(secret.for_reading(), "TOKEN", json_key="token")

    assert containers()["main"]["Secrets"] == [
        {"Name": "TOKEN", "ValueFrom": {"Fn::Sub": "${GithubSecret}:token::"}},
        {"Name": "WHOLE", "ValueFrom": {"Ref": "GithubSecret"}},
    ]
    found = rights(lambda title: rendered()[title]["Properties"], "OrdersServiceExecutionPolicy")
    assert found["secretsmanager:GetSecretValue"] == [{"Ref": "GithubSecret"}]
    assert "kms:Decrypt" in found
    assert "OrdersServicePolicy" not in rendered()


def test_a_variable_has_one_value(serve: Serve, stack: Stack) -> None:
    orders = serve(environment={"STAGE": "test"})
    orders.set_environment("STAGE", "test")
    secret = Secret(stack, "github").for_reading()
    orders.inject(secret, "TOKEN")

    for clash in (
        lambda: orders.set_environment("STAGE", "prod"),
        lambda: orders.inject(secret, "STAGE"),
        lambda: orders.inject(secret, "TOKEN", json_key="other"),
        lambda: orders.set_environment("TOKEN", "plain"),
    ):
        with pytest.raises(WiringError, match=r"service 'orders': environment variable '\w+' must have one value"):
            clash()


def test_a_variable_is_named_as_shells_can(serve: Serve) -> None:
    with pytest.raises(
        SettingsError, match=r"environment\.MY-KEY must be named by letters, digits and _, got 'MY-KEY'"
    ):
        serve(environment={"MY-KEY": "x"})


def test_only_one_secret_is_injected_at_a_time(serve: Serve) -> None:
    with pytest.raises(WiringError, match="what is injected as 'TOKEN' must be one secret, got 0"):
        serve().inject(Binding("jobs", "nothing"), "TOKEN")
