from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.endpoints import Endpoints
from archlib.components.network.vpc import Vpc, split
from archlib.errors import SettingsError, WiringError

INLINE = Code(inline="def handler(event, context): pass")
PREFIX_LISTS = {"s3": "pl-63a5400a", "dynamodb": "pl-02cd2c6b"}
VPC_ID, SUBNETS, GROUP = "vpc-01234567", ["subnet-01234567", "subnet-89abcdef"], "sg-01234567"


def resources(app: App, kind: str = "") -> dict[str, Any]:
    return {
        name: resource.get("Properties", {})
        for artifact in app.assemble()
        for name, resource in artifact.template["Resources"].items()
        if kind in ("", resource["Type"])
    }


def subnets(app: App) -> dict[str, str]:
    return {name: subnet["CidrBlock"] for name, subnet in resources(app, "AWS::EC2::Subnet").items()}


@settings(deadline=None)
@given(prefix=st.integers(16, 24), address=st.integers(10 << 24, (11 << 24) - 1))
def test_split_gives_disjoint_subnets_that_cover_the_block(prefix: int, address: int) -> None:
    whole = IPv4Network((address, prefix), strict=False)

    plan = split(str(whole))
    blocks = [IPv4Network(cidr) for tier in plan.values() for cidr in tier]

    assert plan == split(str(whole))
    assert [len(tier) for tier in plan.values()] == [4, 4, 4]
    assert all(block.subnet_of(whole) and block.prefixlen <= 28 for block in blocks)
    assert not any(one.overlaps(other) for one, other in combinations(blocks, 2))
    assert sum(block.num_addresses for block in blocks) == whole.num_addresses


def test_is_internal_by_default(app: App, stack: Stack) -> None:
    Vpc(stack, "main")

    found = resources(app)

    assert subnets(app) == {
        "MainPrivateSubnet1": "10.0.0.0/19",
        "MainPrivateSubnet2": "10.0.32.0/19",
        "MainIsolatedSubnet1": "10.0.128.0/20",
        "MainIsolatedSubnet2": "10.0.144.0/20",
    }
    assert not [name for name in found if any(word in name for word in ("Public", "Gateway", "Nat", "Ipv6"))]
    assert found["MainVpc"]["EnableDnsHostnames"] is found["MainVpc"]["EnableDnsSupport"] is True
    for subnet in resources(app, "AWS::EC2::Subnet").values():
        assert subnet["MapPublicIpOnLaunch"] is False
    assert found["MainPrivateSubnet2"]["AvailabilityZone"] == {"Fn::Select": ["1", {"Fn::GetAZs": ""}]}


def test_more_zones_and_tiers_move_no_subnet() -> None:
    def made(zones: int, *, public: bool) -> dict[str, str]:
        app = App("shop")
        Vpc(Stack(app, "network"), "main", zones=zones, public=public)
        return subnets(app)

    small, large = made(2, public=False), made(4, public=True)

    assert small.items() <= large.items()
    assert len(large) == 12


@pytest.mark.parametrize(
    ("nat", "gateways", "routes"),
    [("none", [], {}), ("one", [1], {1: 1, 2: 1, 3: 1}), ("per-zone", [1, 2, 3], {1: 1, 2: 2, 3: 3})],
)
def test_routes_private_subnets_through_nat(
    app: App, stack: Stack, nat: Any, gateways: list[int], routes: dict[int, int]
) -> None:
    Vpc(stack, "main", zones=3, nat=nat)

    found = resources(app)

    assert sorted(resources(app, "AWS::EC2::NatGateway")) == [f"MainNatGateway{n}" for n in gateways]
    assert {name: found[name]["NatGatewayId"] for name in found if name.startswith("MainPrivateRoute") and
            "Table" not in name} == {
        f"MainPrivateRoute{zone}": {"Ref": f"MainNatGateway{gateway}"} for zone, gateway in routes.items()
    }  # fmt: skip
    assert ("MainInternetGateway" in found) is bool(gateways)
    assert [name for name in found if "Isolated" in name and "Route" in name and "Table" not in name] == []


def test_public_subnets_reach_the_internet_with_the_reason_beside_it(app: App, stack: Stack) -> None:
    Vpc(stack, "main", public=True)

    (artifact,) = [artifact for artifact in app.assemble() if artifact.name.endswith("main")]
    route = artifact.template["Resources"]["MainPublicRoute"]

    assert route["Properties"]["GatewayId"] == {"Ref": "MainInternetGateway"}
    assert route["DependsOn"] == "MainInternetGatewayAttachment"
    assert "NO_UNRESTRICTED_ROUTE_TO_IGW" in route["Metadata"]["guard"]["SuppressedRules"]
    assert "MainNatGateway1" not in artifact.template["Resources"]


def test_ipv6_gives_each_subnet_its_own_block_and_private_ones_a_way_out(app: App, stack: Stack) -> None:
    Vpc(stack, "main", public=True, ipv6=True)

    found = resources(app)
    blocks = [subnet["Ipv6CidrBlock"]["Fn::Select"][0] for subnet in resources(app, "AWS::EC2::Subnet").values()]

    assert sorted(blocks) == ["0", "1", "4", "5", "8", "9"]
    assert found["MainPrivateRouteIpv61"]["EgressOnlyInternetGatewayId"] == {"Ref": "MainEgressGateway"}
    assert found["MainPublicRouteIpv6"]["DestinationIpv6CidrBlock"] == "::/0"


def test_gateway_endpoints_serve_the_private_route_tables_without_a_wildcard_policy(app: App, stack: Stack) -> None:
    Vpc(stack, "main")

    found = resources(app, "AWS::EC2::VPCEndpoint")

    assert sorted(found) == ["MainDynamodbEndpoint", "MainS3Endpoint"]
    for endpoint in found.values():
        assert endpoint["VpcEndpointType"] == "Gateway"
        assert endpoint["RouteTableIds"] == [{"Ref": "MainPrivateRouteTable1"}, {"Ref": "MainPrivateRouteTable2"}]
        assert "PolicyDocument" not in endpoint


def test_records_all_traffic_in_an_encrypted_log_group(app: App, stack: Stack) -> None:
    Vpc(stack, "main", log_retention_days=30)

    found = resources(app)
    (statement,) = found["MainVpcPolicy"]["PolicyDocument"]["Statement"]

    assert found["MainFlowLog"]["TrafficType"] == "ALL"
    assert found["MainFlowLog"]["LogGroupName"] == {"Ref": "MainVpcLogGroup"}
    assert found["MainVpcLogGroup"]["RetentionInDays"] == 30
    assert "KmsKeyId" in found["MainVpcLogGroup"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    assert statement["Resource"] == [{"Fn::GetAtt": ["MainVpcLogGroup", "Arn"]}]


@pytest.mark.parametrize("layout", ["layered", "single"])
def test_a_function_reaches_aws_apis_right_after_construction(layout: Any) -> None:
    app = App("shop", layout=layout)
    vpc = Vpc(Stack(app, "network"), "main", endpoints=("sqs",), prefix_lists=PREFIX_LISTS)
    Function(Stack(app, "code"), "worker", code=INLINE, network=vpc)

    found = resources(app)

    assert found["WorkerToMainEndpoints443Ingress"]["FromPort"] == 443
    assert "DestinationSecurityGroupId" in found["WorkerToMainEndpoints443Egress"]
    assert found["WorkerToMainEndpoints443S3Egress"]["DestinationPrefixListId"] == "pl-63a5400a"
    assert found["WorkerToMainEndpoints443DynamodbEgress"]["DestinationPrefixListId"] == "pl-02cd2c6b"
    assert not any("CidrIp" in rule for rule in resources(app, "AWS::EC2::SecurityGroupEgress").values())


def test_a_function_reaches_s3_by_its_prefix_list_without_interface_endpoints(app: App, stack: Stack) -> None:
    vpc = Vpc(stack, "main", prefix_lists={"s3": "pl-63a5400a"})
    Function(stack, "worker", code=INLINE, network=vpc)

    rules = resources(app, "AWS::EC2::SecurityGroupEgress")

    assert list(rules) == ["WorkerToMainEndpoints443S3Egress"]
    assert resources(app, "AWS::EC2::SecurityGroupIngress") == {}


def test_endpoints_may_grow_after_functions_joined(app: App, stack: Stack) -> None:
    vpc = Vpc(stack, "main", endpoints=("sqs",))
    Function(stack, "worker", code=INLINE, network=vpc)
    vpc.add_endpoints("states")

    assert {"MainSqsEndpoint", "MainStatesEndpoint"} <= set(resources(app, "AWS::EC2::VPCEndpoint"))


def test_first_endpoints_before_any_function_are_fine(app: App, stack: Stack) -> None:
    vpc = Vpc(stack, "main")
    assert vpc.endpoints is None
    vpc.add_endpoints("sqs")
    Function(stack, "worker", code=INLINE, network=vpc)

    assert "WorkerToMainEndpoints443Egress" in resources(app)


def test_refuses_the_first_endpoints_after_a_function_joined(stack: Stack) -> None:
    vpc = Vpc(stack, "main")
    Function(stack, "worker", code=INLINE, network=vpc)

    with pytest.raises(WiringError, match=r"vpc 'main': endpoints must exist before .* name them in the endpoints"):
        vpc.add_endpoints("sqs")


def test_the_internet_is_opened_only_when_asked_for(app: App, stack: Stack) -> None:
    vpc = Vpc(stack, "main", nat="one", ipv6=True)
    Function(stack, "worker", code=INLINE, network=vpc).connect(vpc.for_internet(), vpc.for_internet())
    Function(stack, "quiet", code=INLINE, network=vpc)

    rules = resources(app, "AWS::EC2::SecurityGroupEgress")

    assert rules["WorkerToMainInternet443AnywhereEgress"]["CidrIp"] == "0.0.0.0/0"
    assert rules["WorkerToMainInternet443AnywhereIpv6Egress"]["CidrIpv6"] == "::/0"
    assert len(rules) == 2


def test_the_internet_needs_a_route(stack: Stack) -> None:
    with pytest.raises(WiringError, match="nat must be 'one' or 'per-zone'"):
        Vpc(stack, "main").for_internet()


def test_a_function_outside_cannot_be_let_out(stack: Stack) -> None:
    function = Function(stack, "worker", code=INLINE)

    with pytest.raises(WiringError, match="put 'worker' into one"):
        function.connect(Vpc(stack, "main", nat="one").for_internet())


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"cidr": "10.0.0.1/16"}, "cidr must be a private IPv4 block of /16 to /24"),
        ({"cidr": "10.0.0.0/15"}, "cidr must be"),
        ({"cidr": "10.0.0.0/25"}, "cidr must be"),
        ({"cidr": "10.0.0.0/24", "public": True}, "cidr must be a private IPv4 block of /16 to /23"),
        ({"cidr": "8.8.0.0/16"}, "cidr must be"),
        ({"cidr": "fd00::/64"}, "cidr must be"),
        ({"cidr": "office"}, "cidr must be"),
        ({"zones": 1}, "zones must be 2 to 4"),
        ({"zones": 5}, "zones must be 2 to 4"),
        ({"nat": "two"}, "nat must be one of none, one, per-zone"),
        ({"endpoints": ("sqs", "sqss")}, "endpoints must be endpoint services such as .*; did you mean 'sqs'"),
        ({"prefix_lists": {"sqs": "pl-63a5400a"}}, "prefix_lists must be one of s3, dynamodb"),
        ({"prefix_lists": {"s3": "s3"}}, "prefix_lists.s3 must be the id of a prefix list"),
        ({"endpoints": ("s3",)}, "endpoints must be services without a gateway endpoint"),
    ],
)
def test_refuses(stack: Stack, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Vpc(stack, "main", **chosen)


def test_tells_all_problems_at_once(stack: Stack) -> None:
    with pytest.raises(SettingsError) as error:
        Vpc(stack, "main", cidr="10.0.0.0/8", zones=9)

    assert len(error.value.problems) == 2
    assert stack.template.resources == {}


def test_an_existing_vpc_is_a_network(app: App, stack: Stack) -> None:
    vpc = Vpc.lookup(vpc_id=VPC_ID, private_subnets=SUBNETS, endpoints_group=GROUP, prefix_lists={"s3": "pl-63a5400a"})
    Function(stack, "worker", code=INLINE, network=vpc)

    found = resources(app)

    assert found["WorkerFunction"]["VpcConfig"]["SubnetIds"] == SUBNETS
    assert found["WorkerFunctionSecurityGroup"]["VpcId"] == VPC_ID
    assert found["WorkerToVpcEndpoints443Egress"]["DestinationSecurityGroupId"] == GROUP
    assert found["WorkerToVpcEndpoints443S3Egress"]["DestinationPrefixListId"] == "pl-63a5400a"


def test_an_existing_vpc_gets_endpoints(app: App, stack: Stack) -> None:
    bare = Vpc.lookup(vpc_id=VPC_ID, private_subnets=SUBNETS)
    vpc = bare.with_endpoints(Endpoints(stack, "apis", network=bare))
    Function(stack, "worker", code=INLINE, network=vpc)

    assert bare.for_aws_apis() is None
    assert resources(app)["WorkerToVpcEndpoints443Egress"]["DestinationSecurityGroupId"] == {
        "Fn::GetAtt": ["ApisEndpointsSecurityGroup", "GroupId"]
    }


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"vpc_id": "main"}, "vpc_id must be an id, vpc-..., got 'main'"),
        ({"private_subnets": []}, "private_subnets must be one or more"),
        ({"isolated_subnets": ["vpc-01234567"]}, "isolated_subnets must be an id, subnet-..."),
        ({"public_subnets": ["x"]}, "public_subnets must be an id"),
        ({"endpoints_group": "group"}, "endpoints_group must be an id, sg-..."),
        ({"prefix_lists": {"s3": "x"}}, "must be the id of a prefix list"),
    ],
)
def test_lookup_refuses(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Vpc.lookup(**{"vpc_id": VPC_ID, "private_subnets": SUBNETS, **chosen})
