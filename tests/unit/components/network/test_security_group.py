from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.security_group import SecurityGroup
from archlib.errors import WiringError
from archlib.wiring.binding import Binding
from archlib.wiring.connect import connect

Rendered = Callable[[], dict[str, Any]]


class Inside:
    """A caller in a network."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack, self.name = stack, name
        self.security_group = SecurityGroup(stack, name, vpc_id="vpc-1").group_id

    def allow(self, grant: Any, *, why: str) -> None: ...

    def set_environment(self, key: str, value: Any) -> None: ...

    def set_secret(self, key: str, arn: Any) -> None: ...


def test_opens_nothing_by_itself(stack: Stack, rendered: Rendered) -> None:
    SecurityGroup(stack, "orders", vpc_id="vpc-1")

    group = rendered()["OrdersSecurityGroup"]["Properties"]
    assert group["VpcId"] == "vpc-1"
    assert group["GroupDescription"] == "Traffic of orders"
    assert "SecurityGroupIngress" not in group
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [
        ("127.0.0.1/32", 443, 443)
    ]


def test_takes_a_description(stack: Stack, rendered: Rendered) -> None:
    SecurityGroup(stack, "orders", vpc_id="vpc-1", description="Orders only")

    assert rendered()["OrdersSecurityGroup"]["Properties"]["GroupDescription"] == "Orders only"


def test_connecting_opens_one_port_at_both_ends(stack: Stack, rendered: Rendered) -> None:
    orders = SecurityGroup(stack, "orders", vpc_id="vpc-1")
    binding = Binding("orders", "reading", ports=(5433,), security_group=orders.group_id)
    caller = Inside(stack, "api")

    connect(caller, binding)
    connect(caller, binding)

    found = rendered()
    own, other = ({"Fn::GetAtt": [f"{name}SecurityGroup", "GroupId"]} for name in ("Api", "Orders"))
    port = {"IpProtocol": "tcp", "FromPort": 5433, "ToPort": 5433, "Description": "api to orders on port 5433"}
    assert found["ApiToOrders5433Ingress"]["Properties"] == {**port, "GroupId": other, "SourceSecurityGroupId": own}
    assert found["ApiToOrders5433Egress"]["Properties"] == {**port, "GroupId": own, "DestinationSecurityGroupId": other}


def test_refuses_a_caller_outside_the_network(stack: Stack) -> None:
    orders = SecurityGroup(stack, "orders", vpc_id="vpc-1")
    code = Code(inline="def handler(event, context):\n    return event\n")
    api = Function(stack, "api", code=code)

    with pytest.raises(WiringError, match=r"'api' cannot reach 'orders' on port 5433.*put 'api' into one"):
        api.connect(Binding("orders", "reading", ports=(5433,), security_group=orders.group_id))
