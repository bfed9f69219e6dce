from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.caching.dax import Dax
from archlib.components.data.table import Table
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.vpc import Vpc
from archlib.core.values import encode
from archlib.errors import SettingsError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.roles import Network

Rendered = Callable[[], dict[str, Any]]
TABLE = Binding("orders", "using orders", (Grant(("dynamodb:GetItem",), ("arn:aws:dynamodb:::table/orders",)),))


def test_is_safe_by_default(stack: Stack, network: Network, rendered: Rendered) -> None:
    Dax(stack, "orders-cache", network=network, table=TABLE)

    found = rendered()
    cluster = found["OrdersCacheDax"]

    assert cluster["Properties"]["SSESpecification"] == {"SSEEnabled": True}
    assert cluster["Properties"]["ClusterEndpointEncryptionType"] == "TLS"
    assert cluster["Properties"]["ReplicationFactor"] == 3
    assert cluster["Properties"]["IAMRoleARN"] == {"Fn::GetAtt": ["OrdersCacheDaxRole", "Arn"]}
    assert cluster["DependsOn"] == "OrdersCacheDaxPolicy"
    assert found["OrdersCacheDaxSubnets"]["Properties"]["SubnetIds"] == network.isolated_subnets
    assert "SecurityGroupIngress" not in found["OrdersCacheDaxSecurityGroup"]["Properties"]


def test_keeps_items_and_results_as_long_as_told(stack: Stack, network: Network, rendered: Rendered) -> None:
    Dax(
        stack, "orders-cache", network=network, table=TABLE, item_ttl=timedelta(hours=1), query_ttl=timedelta(seconds=2)
    )

    assert rendered()["OrdersCacheDaxParameters"]["Properties"]["ParameterNameValues"] == {
        "query-ttl-millis": "2000",
        "record-ttl-millis": "3600000",
    }


def test_may_do_with_the_table_what_it_was_given(stack: Stack, network: Network, rendered: Rendered) -> None:
    table = Table(stack, "orders", partition_key="customer")
    Dax(stack, "orders-cache", network=network, table=table.for_reading())

    found = rendered()
    statements = found["OrdersCacheDaxPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    trust = found["OrdersCacheDaxRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]

    actions = {action for each in statements for action in each["Action"]}
    assert {"dynamodb:GetItem", "dynamodb:Query", "kms:Decrypt"} <= actions
    assert "dynamodb:PutItem" not in actions
    assert trust["Principal"] == {"Service": "dax.amazonaws.com"}


@pytest.mark.parametrize(
    ("use", "actions"),
    [
        ("for_reading", {"BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "Scan"}),
        ("for_writing", {"BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"}),
    ],
)
def test_callers_may_do_the_same_through_it(stack: Stack, network: Network, use: str, actions: set[str]) -> None:
    table = Table(stack, "orders", partition_key="customer")

    binding = Dax(stack, "orders-cache", network=network, table=getattr(table, use)()).for_using()

    (grant,) = binding.grants
    assert set(grant.actions) == {f"dax:{action}" for action in actions}
    assert encode(grant.resources) == [{"Fn::GetAtt": ["OrdersCacheDax", "Arn"]}]


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_one_connect_is_all_a_function_of_another_stack_needs(layout: Any) -> None:
    app = App("shop", layout=layout)
    network = Vpc(Stack(app, "network"), "main")
    data = Stack(app, "data")
    table = Table(data, "orders", partition_key="customer")
    dax = Dax(data, "orders-cache", network=network, table=table.for_reading_and_writing())
    code = Code(inline="def handler(event, context): pass")
    Function(Stack(app, "code"), "api", code=code, network=network).connect(dax.for_using())

    stacks = {artifact.name: artifact for artifact in app.assemble()}
    home = stacks["shop-dev-code" if layout == "layered" else "shop-dev"].template["Resources"]
    statements = home["ApiFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    actions = {action for each in statements for action in each["Action"]}

    assert {"dax:GetItem", "dax:PutItem"} <= actions
    assert not any(action.startswith("dynamodb:") for action in actions)
    assert home["ApiToOrdersCache9111Ingress"]["Properties"]["FromPort"] == 9111
    variables = home["ApiFunction"]["Properties"]["Environment"]["Variables"]
    assert sorted(variables) == ["ORDERS_CACHE_DAX_ENDPOINT", "ORDERS_CACHE_TABLE"]


def test_watches_its_nodes(stack: Stack, network: Network) -> None:
    watches = {watch.name: watch for watch in Dax(stack, "orders-cache", network=network, table=TABLE).watches()}

    assert list(watches) == ["faults", "throttles", "cpu", "memory", "connections"]
    assert encode(watches["cpu"].dimensions) == {"ClusterId": {"Ref": "OrdersCacheDax"}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"node_type": "dax.r7i.larg"}, "got 'dax.r7i.larg'; did you mean 'dax.r7i.large'?"),
        ({"table": Binding("orders", "exporting orders")}, "table must be rights to read or write its items"),
        ({"nodes": 12}, "nodes must be 1 to 11, got 12"),
        ({"item_ttl": timedelta(days=31)}, "item_ttl must be 0s to 30d, got 31d"),
        ({"query_ttl": timedelta(seconds=-1)}, "query_ttl must be 0s to 30d, got -1s"),
    ],
)
def test_refuses(stack: Stack, network: Network, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Dax(stack, "orders-cache", network=network, **{"table": TABLE, **settings})

    assert message in str(caught.value)
    assert stack.template.resources == {}
