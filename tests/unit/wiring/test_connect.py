from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from troposphere import GetAtt, Ref, sqs

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.vpc import Vpc
from archlib.core.values import Value, encode
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, Grant, PrefixList
from archlib.wiring.connect import connect

NETWORK = Vpc.lookup(
    vpc_id="vpc-0123456789abcdef0",
    private_subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    isolated_subnets=["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
)
ORDERS_GROUP = "sg-0123456789abcdef0"


class Program:
    """Runs code, as far as connecting is concerned."""

    def __init__(self, stack: Stack, *, group: Value | None = None) -> None:
        self.name = "order-worker"
        self.stack = stack
        self.security_group = group
        self.granted: list[tuple[Grant, str]] = []
        self.environment: dict[str, Value] = {}
        self.secrets: dict[str, Value] = {}

    def allow(self, grant: Grant, *, why: str) -> None:
        self.granted.append((grant, why))

    def set_environment(self, key: str, value: Value) -> None:
        self.environment[key] = value

    def set_secret(self, key: str, arn: Value) -> None:
        self.secrets[key] = arn


@pytest.fixture
def program(stack: Stack) -> Program:
    return Program(stack, group="sg-0123456789abcdef1")


def worker(stack: Stack, **given: Any) -> Function:
    return Function(stack, "worker", code=Code(inline="def handler(event, context):\n    return event\n"), **given)


def resources(stack: Stack) -> dict[str, Any]:
    return {name: encode(resource)["Properties"] for name, resource in stack.template.resources.items()}


def test_rights_go_to_the_caller_with_their_reason(program: Program) -> None:
    read, write = Grant(("s3:GetObject",), ("arn:one",)), Grant(("s3:PutObject",), ("arn:two",))

    connect(program, Binding("data", "reading data", (read,)), Binding("logs", "writing logs", (write,)))

    assert program.granted == [(read, "reading data"), (write, "writing logs")]


def test_addresses_are_named_after_the_target(program: Program) -> None:
    connect(
        program,
        Binding("order-events", "sending", environment={"QUEUE_URL": Ref("OrderEventsQueue"), "REGION": "eu-west-1"}),
    )

    assert encode(program.environment) == {
        "ORDER_EVENTS_QUEUE_URL": {"Ref": "OrderEventsQueue"},
        "ORDER_EVENTS_REGION": "eu-west-1",
    }


def test_secrets_are_passed_by_arn(program: Program) -> None:
    connect(program, Binding("orders", "connecting", secrets={"SECRET_ARN": Ref("OrdersSecret")}))

    assert encode(program.secrets) == {"ORDERS_SECRET_ARN": {"Ref": "OrdersSecret"}}
    assert program.environment == {}


def test_a_function_gets_the_arn_of_a_secret_and_never_its_value(stack: Stack) -> None:
    function = worker(stack)

    function.connect(Binding("orders", "connecting", secrets={"SECRET_ARN": Ref("OrdersSecret")}))

    variables = encode(function.resource)["Properties"]["Environment"]["Variables"]
    assert variables == {"ORDERS_SECRET_ARN": {"Ref": "OrdersSecret"}}


def test_each_port_opens_both_ways_in_the_callers_stack(app: App) -> None:
    data, code = Stack(app, "data"), Stack(app, "code")
    program = Program(code, group=GetAtt("WorkerGroup", "GroupId"))

    connect(
        program, Binding("orders", "connecting", ports=(5432, 5433), security_group=GetAtt("OrdersGroup", "GroupId"))
    )

    assert resources(data) == {}
    assert list(resources(code)) == [
        "OrderWorkerToOrders5432Ingress",
        "OrderWorkerToOrders5432Egress",
        "OrderWorkerToOrders5433Ingress",
        "OrderWorkerToOrders5433Egress",
    ]
    caller, target = {"Fn::GetAtt": ["WorkerGroup", "GroupId"]}, {"Fn::GetAtt": ["OrdersGroup", "GroupId"]}
    assert resources(code)["OrderWorkerToOrders5432Ingress"] == {
        "Description": "order-worker to orders on port 5432",
        "GroupId": target,
        "SourceSecurityGroupId": caller,
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5432,
    }
    assert resources(code)["OrderWorkerToOrders5432Egress"] == {
        "Description": "order-worker to orders on port 5432",
        "GroupId": caller,
        "DestinationSecurityGroupId": target,
        "IpProtocol": "tcp",
        "FromPort": 5432,
        "ToPort": 5432,
    }


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ("10.1.0.0/16", "CidrIp"),
        ("2001:db8::/32", "CidrIpv6"),
    ],
)
def test_a_target_without_a_security_group_is_reached_by_its_ranges(program: Program, where: str, field: str) -> None:
    connect(program, Binding("storage", "calling storage", ports=(443,), ranges={"S3": where}))

    assert resources(program.stack) == {
        "OrderWorkerToStorage443S3Egress": {
            "Description": "order-worker to storage on port 443 (S3)",
            "GroupId": "sg-0123456789abcdef1",
            field: where,
            "IpProtocol": "tcp",
            "FromPort": 443,
            "ToPort": 443,
        }
    }


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (PrefixList("s3", "pl-0123456789abcdef0"), "pl-0123456789abcdef0"),
        (PrefixList("s3"), {"Ref": "S3PrefixList"}),
    ],
)
def test_a_prefix_list_is_one_the_user_knows_or_a_parameter(program: Program, where: PrefixList, found: object) -> None:
    connect(program, Binding("storage", "calling storage", ports=(443,), ranges={"S3": where}))

    rule = resources(program.stack)["OrderWorkerToStorage443S3Egress"]

    assert rule["DestinationPrefixListId"] == found


def test_connecting_twice_opens_a_port_once(program: Program) -> None:
    binding = Binding(
        "orders", "connecting", ports=(5432,), security_group=ORDERS_GROUP, ranges={"Replica": "10.1.0.0/16"}
    )

    connect(program, binding, binding)
    connect(program, binding)

    assert len(resources(program.stack)) == 3


@pytest.mark.parametrize(("group", "target"), [("sg-0123456789abcdef9", ORDERS_GROUP), (None, "sg-0123456789abcdef8")])
def test_no_rule_is_lost_between_two_pairs_of_the_same_names(
    stack: Stack, program: Program, group: str | None, target: str
) -> None:
    connect(program, Binding("orders", "using orders", ports=(5432,), security_group=ORDERS_GROUP))
    other = Program(stack, group=group) if group else program

    with pytest.raises(WiringError, match="another pair of these names is connected in the same stack; rename one"):
        connect(other, Binding("orders", "using orders", ports=(5432,), security_group=target))


def test_two_targets_are_reached_by_rules_of_their_own(program: Program) -> None:
    connect(program, *(Binding(name, "connecting", ports=(5432,), security_group=ORDERS_GROUP) for name in ("a", "b")))

    assert len(resources(program.stack)) == 4


def test_a_target_in_a_network_is_out_of_reach_for_a_caller_outside(stack: Stack) -> None:
    with pytest.raises(WiringError) as caught:
        worker(stack).connect(Binding("orders", "connecting", ports=(5432,), security_group=ORDERS_GROUP))

    assert str(caught.value) == (
        "'worker' cannot reach 'orders' on port 5432: both must be in a network; put 'worker' into one"
    )


def test_a_target_outside_a_network_has_no_port_to_reach(program: Program) -> None:
    with pytest.raises(WiringError) as caught:
        connect(program, Binding("orders", "connecting", ports=(5432,)))

    assert str(caught.value) == (
        "'order-worker' cannot reach 'orders' on port 5432: both must be in a network; put 'orders' into one"
    )


def test_nothing_is_granted_to_a_caller_that_cannot_reach_the_target(stack: Stack) -> None:
    program = Program(stack)

    with pytest.raises(WiringError):
        connect(
            program,
            Binding("orders", "connecting", (Grant(("rds-db:connect",), ("arn:x",)),), {"HOST": "x"}, ports=(1,)),
        )

    assert (program.granted, program.environment, resources(stack)) == ([], {}, {})


def test_a_function_in_a_network_is_connected_through_its_own_group(
    stack: Stack, rendered: Callable[[], dict[str, Any]]
) -> None:
    function = worker(stack, network=NETWORK)

    function.connect(Binding("orders", "connecting", ports=(5432,), security_group=ORDERS_GROUP))

    made = rendered()
    assert made["WorkerToOrders5432Egress"]["Properties"]["GroupId"] == encode(function.security_group)
    assert made["WorkerToOrders5432Ingress"]["Properties"]["SourceSecurityGroupId"] == encode(function.security_group)


def test_one_variable_cannot_have_two_values(stack: Stack) -> None:
    stack.add(sqs.Queue("One"))
    function = worker(stack)
    function.connect(Binding("jobs", "sending", environment={"QUEUE_URL": Ref("One")}))
    function.connect(Binding("jobs", "sending again", environment={"QUEUE_URL": Ref("One")}))

    with pytest.raises(WiringError) as caught:
        function.connect(Binding("jobs", "sending", environment={"QUEUE_URL": Ref("Two")}))

    assert str(caught.value) == (
        "function 'worker': environment variable 'JOBS_QUEUE_URL' must have one value, got two; rename a target"
    )


@pytest.fixture
def rendered(app: App) -> Callable[[], dict[str, Any]]:
    return lambda: {name: node for stack in app.assemble() for name, node in stack.template["Resources"].items()}
