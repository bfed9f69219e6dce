from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.data.search import Search
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.vpc import Vpc
from archlib.core.values import encode
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]
INLINE = Code(inline="def handler(event, context): pass")
SUBNETS = ["subnet-11111111", "subnet-22222222", "subnet-33333333", "subnet-44444444"]
NETWORK = Vpc.lookup(vpc_id="vpc-01234567", private_subnets=["subnet-01234567"], isolated_subnets=SUBNETS)
NAMED = "arn:${AWS::Partition}:es:${AWS::Region}:${AWS::AccountId}:domain/shop-test-catalogue"


def domain(rendered: Rendered) -> dict[str, Any]:
    properties: dict[str, Any] = rendered()["CatalogueSearchDomain"]["Properties"]
    return properties


def test_is_safe_by_default(stack: Stack, rendered: Rendered) -> None:
    Search(stack, "catalogue", network=NETWORK)

    found = rendered()["CatalogueSearchDomain"]
    properties = found["Properties"]

    assert found["DeletionPolicy"] == found["UpdateReplacePolicy"] == "Retain"
    assert found["UpdatePolicy"] == {"EnableVersionUpgrade": True}
    assert properties["EncryptionAtRestOptions"]["Enabled"] is True
    assert properties["NodeToNodeEncryptionOptions"] == {"Enabled": True}
    assert properties["DomainEndpointOptions"] == {
        "EnforceHTTPS": True,
        "TLSSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10",
    }
    assert properties["AdvancedSecurityOptions"]["Enabled"] is True
    assert properties["AdvancedSecurityOptions"]["InternalUserDatabaseEnabled"] is False
    assert properties["EngineVersion"] == "OpenSearch_3.3"
    assert properties["EBSOptions"] == {"EBSEnabled": True, "VolumeSize": 50, "VolumeType": "gp3"}
    assert properties["SoftwareUpdateOptions"] == {"AutoSoftwareUpdateEnabled": True}
    assert properties["VPCOptions"]["SubnetIds"] == SUBNETS[:3]
    assert "SecurityGroupIngress" not in rendered()["CatalogueSearchDomainSecurityGroup"]["Properties"]


@pytest.mark.parametrize(
    ("settings", "config"),
    [
        ({}, (3, 3, 3)),
        ({"zones": 2}, (4, 2, 3)),
        ({"zones": 2, "data_nodes": 6, "master_nodes": 5}, (6, 2, 5)),
        ({"zones": 1, "master_nodes": 0}, (1, None, None)),
    ],
)
def test_spreads_its_nodes(
    stack: Stack, rendered: Rendered, settings: dict[str, Any], config: tuple[int, int | None, int | None]
) -> None:
    Search(stack, "catalogue", network=NETWORK, **settings)

    properties = domain(rendered)
    found = properties["ClusterConfig"]

    assert (
        found["InstanceCount"],
        found.get("ZoneAwarenessConfig", {}).get("AvailabilityZoneCount"),
        found.get("DedicatedMasterCount"),
    ) == config
    assert found["ZoneAwarenessEnabled"] is (config[1] is not None)
    assert found["DedicatedMasterEnabled"] is (config[2] is not None)
    assert len(properties["VPCOptions"]["SubnetIds"]) == (config[1] or 1)


def test_takes_what_is_chosen(stack: Stack, rendered: Rendered) -> None:
    Search(
        stack,
        "catalogue",
        network=NETWORK,
        version="2.19",
        data_type="r7g.xlarge.search",
        master_type="m6g.large.search",
        storage_gib=100,
        iops=4000,
        throughput_mibps=250,
        off_peak_hour=22,
        domain_name="products",
    )

    found = domain(rendered)

    assert (found["EngineVersion"], found["DomainName"]) == ("OpenSearch_2.19", "products")
    assert found["ClusterConfig"]["InstanceType"] == "r7g.xlarge.search"
    assert found["ClusterConfig"]["DedicatedMasterType"] == "m6g.large.search"
    assert (found["EBSOptions"]["VolumeSize"], found["EBSOptions"]["Iops"]) == (100, 4000)
    assert found["EBSOptions"]["Throughput"] == 250
    assert found["OffPeakWindowOptions"]["OffPeakWindow"]["WindowStartTime"] == {"Hours": 22, "Minutes": 0}


def test_only_the_master_role_is_let_in_by_the_domain(stack: Stack, rendered: Rendered) -> None:
    Search(stack, "catalogue", network=NETWORK)

    master = {"Fn::GetAtt": ["CatalogueSearchDomainRole", "Arn"]}
    (statement,) = domain(rendered)["AccessPolicies"]["Statement"]

    assert domain(rendered)["AdvancedSecurityOptions"]["MasterUserOptions"] == {"MasterUserARN": master}
    assert statement["Principal"] == {"AWS": master}
    assert statement["Resource"] == {"Fn::Sub": f"{NAMED}/*"}
    assert not any("*" in action for action in statement["Action"])


def test_only_roles_of_the_app_take_on_the_master_role(stack: Stack, rendered: Rendered) -> None:
    Search(stack, "catalogue", network=NETWORK)

    (statement,) = rendered()["CatalogueSearchDomainRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Condition"]["ArnLike"]["aws:PrincipalArn"] == {
        "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/shop-test-*"
    }


def test_roles_of_an_app_with_a_long_name_are_found_by_what_is_left_of_it() -> None:
    app = App("multi-tier-application", "production")
    Search(Stack(app, "main"), "catalogue", network=NETWORK, domain_name="products")

    (main,) = [each.template["Resources"] for each in app.assemble() if each.name.endswith("-main")]

    trust = json.dumps(main["CatalogueSearchDomainRole"]["Properties"]["AssumeRolePolicyDocument"])
    assert "role/multi-tier-application-p*" in trust


def test_another_role_may_administer_it(stack: Stack, rendered: Rendered) -> None:
    role = "arn:aws:iam::123456789012:role/administrators"
    Search(stack, "catalogue", network=NETWORK, master_role_arn=role)

    assert domain(rendered)["AdvancedSecurityOptions"]["MasterUserOptions"] == {"MasterUserARN": role}
    assert "CatalogueSearchDomainRole" not in rendered()


def binding_of(use: str, app: App) -> dict[str, Any]:
    network = Vpc(Stack(app, "network"), "main")
    search = Search(Stack(app, "data"), "catalogue", network=network)
    function = Function(Stack(app, "code"), "api", code=INLINE, network=network)
    function.connect(getattr(search, use)())
    return {name: node for stack in app.assemble() for name, node in stack.template["Resources"].items()}


@pytest.mark.parametrize("layout", ["layered", "single"])
@pytest.mark.parametrize(
    ("use", "methods"), [("for_searching", "Get Head Post"), ("for_indexing", "Delete Get Head Patch Post Put")]
)
def test_one_connect_is_all_a_function_of_another_stack_needs(layout: Any, use: str, methods: str) -> None:
    found = binding_of(use, App("shop", layout=layout))

    statements = found["ApiFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    actions = {action for each in statements for action in each["Action"] if action.startswith("es:")}
    assert actions == {f"es:ESHttp{method}" for method in methods.split()}
    assert found["ApiToCatalogue443Ingress"]["Properties"]["FromPort"] == 443
    assert found["ApiToCatalogue443Egress"]["Properties"]["ToPort"] == 443
    assert list(found["ApiFunction"]["Properties"]["Environment"]["Variables"]) == ["CATALOGUE_ENDPOINT"]


def test_searching_posts_searches_only(stack: Stack) -> None:
    _, posting = Search(stack, "catalogue", network=NETWORK).for_searching().grants

    assert posting.actions == ("es:ESHttpPost",)
    assert {encode(path)["Fn::Sub"].removeprefix("${CatalogueSearchDomain.Arn}") for path in posting.resources} == {
        "/_search*", "/*/_search*", "/_msearch*", "/*/_msearch*", "/_count*", "/*/_count*",
    }  # fmt: skip


def test_delivering_writes_and_looks_at_one_index_only(stack: Stack) -> None:
    search = Search(stack, "catalogue", network=NETWORK)

    binding = search.for_delivering("clicks")
    allowed = {
        action: {encode(path)["Fn::Sub"].removeprefix("${CatalogueSearchDomain.Arn}") for path in grant.resources}
        for grant in binding.grants[1:]
        for action in grant.actions
    }

    assert binding.grants[0].actions == ("es:DescribeDomain", "es:DescribeDomainConfig", "es:DescribeDomains")
    assert [encode(each) for each in binding.grants[0].resources] == [encode(search.arn)]
    assert allowed == {
        "es:ESHttpPost": {"/*"},
        "es:ESHttpPut": {"/*"},
        "es:ESHttpGet": {
            "/_all/_settings", "/_cluster/stats", "/_nodes*", "/_stats", "/clicks*/_mapping*", "/clicks*/_stats*",
        },
    }  # fmt: skip
    assert (binding.ports, binding.security_group) == ((443,), search.security_group)


def test_administering_takes_on_the_master_role() -> None:
    found = binding_of("for_administering", App("shop", layout="single"))

    (statement,) = [
        each
        for each in found["ApiFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if each["Action"] == ["sts:AssumeRole"]
    ]
    assert statement["Resource"] == [{"Fn::GetAtt": ["CatalogueSearchDomainRole", "Arn"]}]
    variables = found["ApiFunction"]["Properties"]["Environment"]["Variables"]
    assert sorted(variables) == ["CATALOGUE_ENDPOINT", "CATALOGUE_MASTER_ROLE_ARN"]


def test_watches_what_can_go_wrong(stack: Stack) -> None:
    search = Search(stack, "catalogue", network=NETWORK, storage_gib=100)

    watches = {watch.name: watch for watch in search.watches()}

    assert list(watches) == [
        "red", "yellow", "blocked", "storage", "cpu", "jvm", "failures", "snapshots", "key", "master-cpu", "master-jvm",
    ]  # fmt: skip
    storage = watches["storage"]
    assert (storage.threshold, storage.comparison, storage.statistic) == (25_600, "<=", "Minimum")
    assert encode(watches["red"].dimensions) == {
        "ClientId": {"Ref": "AWS::AccountId"},
        "DomainName": {"Ref": "CatalogueSearchDomain"},
    }


def test_without_masters_there_is_none_to_watch(stack: Stack) -> None:
    search = Search(stack, "catalogue", network=NETWORK, zones=1, master_nodes=0)

    assert not any(watch.name.startswith("master") for watch in search.watches())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"version": "3.2"}, "version must be one of 3.5, 3.3, 3.1, 2.19"),
        ({"off_peak_hour": 24}, "off_peak_hour must be 0 to 23"),
        ({"domain_name": "Products"}, "domain_name must be a-z, 0-9 and -, a letter first, 3 to 28 characters"),
        ({"domain_name": "p" * 29}, "3 to 28 characters"),
        ({"data_type": "r7g.lage.search"}, "data_type must be like 'm7g.large.search'"),
        ({"master_type": "m7g.large"}, "master_type must be like 'm7g.large.search'"),
        ({"storage_gib": 5}, "storage_gib must be 10 to 24576"),
        ({"zones": 4}, "zones must be 1 to 3"),
    ],
)
def test_refuses(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Search(stack, "catalogue", network=NETWORK, **settings)
    assert stack.template.resources == {}


def test_refuses_a_network_without_isolated_subnets(stack: Stack) -> None:
    network = Vpc.lookup(vpc_id="vpc-01234567", private_subnets=["subnet-01234567"])

    with pytest.raises(SettingsError, match="at most the network's 0 isolated subnets, got 0"):
        Search(stack, "catalogue", network=network)


def test_all_problems_come_at_once(stack: Stack) -> None:
    with pytest.raises(SettingsError) as caught:
        Search(stack, "catalogue", network=NETWORK, iops=1, master_nodes=2, data_nodes=0)

    assert {problem.field for problem in caught.value.problems} == {"iops", "master_nodes", "data_nodes"}
