from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from archlib import App, load
from archlib.blueprints.multi_tier import MultiTier, MultiTierSettings
from archlib.blueprints.registry import blueprint
from archlib.blueprints.starter import starter
from archlib.checks import check
from archlib.components.compute.instances import Instances
from archlib.components.containers.service import FargateService
from archlib.components.functions.function import Function
from archlib.core.artifact import StackArtifact
from archlib.errors import SettingsError

IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/web:v1"
CODE = {"inline": "def handler(event, context):\n    return event\n"}
DOMAIN = {"name": "shop.example.com", "zone_id": "Z0123456789ABCDEFGHIJ"}
FILES = {"single_page": True}
APPLICATIONS: dict[str, dict[str, Any]] = {
    "instances": {},
    "service": {"image": IMAGE},
    "function": {"code": CODE},
}
every_kind = pytest.mark.parametrize("kind", APPLICATIONS)


def make(application: Any, *, layout: Literal["layered", "single"] = "layered", **chosen: Any) -> MultiTier:
    given = {"entry": "cloudfront", "application": application, **chosen}
    return MultiTier(App("shop", "test", layout=layout), MultiTierSettings.model_validate(given))


def build(application: Any, **chosen: Any) -> dict[str, StackArtifact]:
    return {stack.name.removeprefix("shop-test-"): stack for stack in make(application, **chosen).app.assemble()}


def of(kind: str, **chosen: Any) -> dict[str, Any]:
    return {kind: {**APPLICATIONS[kind], **chosen}}


def of_type(stack: StackArtifact, *kinds: str) -> dict[str, Any]:
    return {name: node["Properties"] for name, node in stack.template["Resources"].items() if node["Type"] in kinds}


def only(stack: StackArtifact, kind: str) -> Any:
    (found,) = of_type(stack, kind).values()
    return found


def endpoints(stacks: dict[str, StackArtifact]) -> set[str]:
    return {
        name.removeprefix("Shop").removesuffix("Endpoint")
        for name, node in of_type(stacks["network"], "AWS::EC2::VPCEndpoint").items()
        if node["VpcEndpointType"] == "Interface"
    }


# --- application --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "made", "resource", "target"),
    [
        ("instances", Instances, "AWS::AutoScaling::AutoScalingGroup", "instance"),
        ("service", FargateService, "AWS::ECS::Service", "ip"),
        ("function", Function, "AWS::Lambda::Function", "lambda"),
    ],
)
def test_the_application_is_behind_the_load_balancer(kind: str, made: type, resource: str, target: str) -> None:
    tiers = make(of(kind))
    stacks = {stack.name.removeprefix("shop-test-"): stack for stack in tiers.app.assemble()}

    assert isinstance(tiers.application, made)
    assert only(stacks["application"], resource)
    assert only(stacks["application"], "AWS::ElasticLoadBalancingV2::TargetGroup")["TargetType"] == target
    rule = only(stacks["application"], "AWS::ElasticLoadBalancingV2::ListenerRule")
    assert rule["Conditions"] == [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}]
    assert "shop-test-ingress" in stacks["application"].depends_on
    assert tiers.files is None


@every_kind
def test_its_routes_can_be_chosen(kind: str) -> None:
    routes = [{"paths": ["/a/*"], "label": "first"}, "/b/*"]
    stack = build({**of(kind), "routes": routes})["application"]

    rules = of_type(stack, "AWS::ElasticLoadBalancingV2::ListenerRule")
    assert {name: rule["Conditions"][0]["PathPatternConfig"]["Values"] for name, rule in rules.items()} == {
        "ApplicationFirstPublicRule": ["/a/*"],
        "ApplicationRoute2PublicRule": ["/b/*"],
    }
    assert len(of_type(stack, "AWS::ElasticLoadBalancingV2::TargetGroup")) == 1


def test_only_a_service_has_a_cluster_and_its_images() -> None:
    stacks = build(of("service", image="web:v1"), repositories={"web": {}})

    assert {"cluster", "images"} <= set(stacks)
    (container,) = only(stacks["application"], "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    assert "WebRepository" in json.dumps(container["Image"])
    for kind in ("instances", "function"):
        assert not {"cluster", "images"} & set(build(of(kind)))


def test_a_function_is_in_the_network_only_if_it_uses_something_there() -> None:
    outside = build(of("function"))
    inside = build(of("function", connects_to=["orders"]), databases={"orders": {}})

    assert "VpcConfig" not in only(outside["application"], "AWS::Lambda::Function")
    assert "VpcConfig" in only(inside["application"], "AWS::Lambda::Function")
    assert endpoints(outside) == set()
    assert endpoints(inside) == {"Secretsmanager"}


def test_the_network_has_the_endpoints_that_the_application_calls() -> None:
    assert endpoints(build(of("instances"))) == {"Cloudformation", "Ec2messages", "Ssm", "Ssmmessages"}
    assert endpoints(build(of("instances", agent={}))) == {
        *("Cloudformation", "Ec2messages", "Ssm", "Ssmmessages", "Logs", "Monitoring"),
    }
    assert endpoints(build(of("instances", internet=True), network={"nat": "one"})) == set()
    assert endpoints(build(of("service", sends_to=["jobs"]), queues={"jobs": {}})) == {
        *("EcrApi", "EcrDkr", "Logs", "Sqs"),
    }


@pytest.mark.parametrize("kind", ["instances", "service"])
def test_what_it_names_it_may_use(kind: str) -> None:
    chosen = of(
        kind,
        connects_to=["orders", "sessions"],
        reads=["users"],
        writes=["users"],
        consumes=["jobs"],
        mounts="shared",
    )
    stack = build(
        chosen,
        databases={"orders": {}},
        caches={"sessions": {}},
        tables={"users": {"partition_key": "id"}},
        queues={"jobs": {}},
        file_systems={"shared": {}},
    )["application"]

    opened = {(name, rule["FromPort"]) for name, rule in of_type(stack, "AWS::EC2::SecurityGroupEgress").items()}
    assert opened >= {
        ("ApplicationToOrders5433Egress", 5433),
        ("ApplicationToSessions6380Egress", 6380),
        ("ApplicationToShared2049Egress", 2049),
        ("PublicToApplication8080Egress", 8080),
    }
    text = json.dumps(of_type(stack, "AWS::IAM::ManagedPolicy"))
    for action in ("dynamodb:GetItem", "dynamodb:PutItem", "sqs:ReceiveMessage", "secretsmanager:GetSecretValue"):
        assert action in text, action


def test_a_function_consumes_and_mounts_in_its_own_way() -> None:
    stack = build(
        of("function", consumes={"jobs": {}}, mounts="shared"), queues={"jobs": {}}, file_systems={"shared": {}}
    )["application"]

    assert only(stack, "AWS::Lambda::EventSourceMapping")
    assert only(stack, "AWS::Lambda::Function")["FileSystemConfigs"]


# --- presentation -------------------------------------------------------------------------------------------------


@every_kind
def test_files_are_the_entry_and_the_application_answers_below_api(kind: str) -> None:
    tiers = make(of(kind), presentation=FILES, domain=DOMAIN, entry="load-balancer")
    stacks = {stack.name.removeprefix("shop-test-"): stack for stack in tiers.app.assemble()}

    assert tiers.files is not None
    config = only(stacks["edge"], "AWS::CloudFront::Distribution")["DistributionConfig"]
    first, second = config["Origins"]
    assert "S3OriginConfig" in first
    assert "VpcOriginConfig" in second
    assert config["DefaultCacheBehavior"]["TargetOriginId"] == first["Id"]
    assert [(each["PathPattern"], each["TargetOriginId"]) for each in config["CacheBehaviors"]] == [
        ("/api/*", second["Id"])
    ]
    assert config["Aliases"] == ["shop.example.com"]
    assert only(stacks["ingress"], "AWS::ElasticLoadBalancingV2::LoadBalancer")["Scheme"] == "internal"
    rule = only(stacks["application"], "AWS::ElasticLoadBalancingV2::ListenerRule")
    assert rule["Conditions"][0]["PathPatternConfig"]["Values"] == ["/api/*"]
    assert "FilesBucket" in stacks["data"].template["Outputs"]


def test_files_need_no_domain() -> None:
    stacks = build(of("instances"), presentation=FILES, entry="load-balancer")

    config = only(stacks["edge"], "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}


def test_without_files_the_load_balancer_is_the_entry() -> None:
    stacks = build(of("instances"), domain=DOMAIN, entry="load-balancer")

    assert only(stacks["ingress"], "AWS::ElasticLoadBalancingV2::LoadBalancer")["Scheme"] == "internet-facing"
    assert "edge" not in stacks


# --- all ----------------------------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("presentation", [None, FILES])
def test_both_layouts_hold_the_same_without_a_finding(kind: str, presentation: Any) -> None:
    layered, single = (
        make(of(kind), presentation=presentation, layout=layout).app.assemble() for layout in ("layered", "single")
    )

    names = [{title for stack in stacks for title in stack.template["Resources"]} for stacks in (layered, single)]
    assert names[0] == names[1]
    assert [stack.region for stack in single] == [None, "us-east-1"]
    assert [str(finding) for finding in check(layered) if finding.severity != "info"] == []


@every_kind
def test_every_tier_is_watched_and_shown(kind: str) -> None:
    stacks = build(of(kind), databases={"orders": {}}, monitoring={"emails": ["oncall@example.com"]})

    alarms = of_type(stacks["monitoring"], "AWS::CloudWatch::Alarm")
    for tier in ("PublicLoadBalancer", "Application", "OrdersDatabase"):
        assert any(name.startswith(tier) for name in alarms), tier
    assert any(
        name.startswith("PublicDistribution")
        for name in of_type(stacks["monitoring-us-east1"], "AWS::CloudWatch::Alarm")
    )
    body = json.dumps(only(stacks["monitoring"], "AWS::CloudWatch::Dashboard")["DashboardBody"])
    for heading in ("Entry", "Application", "Data"):
        assert f"# {heading}" in body
    told = [one["Endpoint"] for stack in stacks.values() for one in of_type(stack, "AWS::SNS::Subscription").values()]
    assert told == ["oncall@example.com", "oncall@example.com"]  # a topic in each region


def test_the_starter_is_a_working_architecture(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(starter(blueprint("multi-tier"), "web"))

    stacks = load(file).assemble()

    assert "ApplicationInstances" in {title for stack in stacks for title in stack.template["Resources"]}
    assert [str(finding) for finding in check(stacks) if finding.severity != "info"] == []


# --- what cannot work ---------------------------------------------------------------------------------------------


def told(tmp_path: Path, text: str) -> dict[int, str]:
    file = tmp_path / "archlib.yaml"
    file.write_text(f"blueprint: multi-tier\napp: shop\nsettings:\n{text}")
    with pytest.raises(SettingsError) as caught:
        load(file)
    return {problem.origin.line: problem.message for problem in caught.value.problems if problem.origin}


def test_there_is_exactly_one_application(tmp_path: Path) -> None:
    must = "application: must be one of instances, service or function, got"

    assert told(tmp_path, "  entry: cloudfront\n  application: {}\n") == {5: f"{must} none"}
    assert told(
        tmp_path, f"  entry: cloudfront\n  application:\n    instances: {{}}\n    service: {{image: '{IMAGE}'}}\n"
    ) == {5: f"{must} instances and service"}


def test_names_that_nothing_has_are_told_with_their_lines(tmp_path: Path) -> None:
    assert told(
        tmp_path,
        "  entry: cloudfront\n  repositories: {web: {}}\n  application:\n    service:\n      image: wbe:v1\n",
    ) == {8: "'wbe' is not among the repositories; did you mean 'web'?; add or correct it"}
    assert told(
        tmp_path,
        "  entry: cloudfront\n"
        "  tables: {users: {partition_key: id}}\n"
        "  application:\n"
        "    instances:\n"
        "      reads: [user]\n"
        "      consumes: [jobs]\n",
    ) == {
        8: "'user' is not among the tables, buckets, parameters, secrets, search domains; did you mean 'users'?; "
        "add or correct it",
        9: "'jobs' is not among the queues, streams; add or correct it",
    }


def test_the_entry_has_to_be_chosen(tmp_path: Path) -> None:
    (message,) = told(tmp_path, "  application: {instances: {}}\n").values()

    assert "the public entry must use TLS, and nothing says how; choose one of" in message


def test_settings_of_the_files_are_told_with_their_lines(tmp_path: Path) -> None:
    assert told(
        tmp_path,
        "  presentation:\n    denied_countries: [Germany]\n  application: {instances: {}}\n",
    ) == {5: "distribution 'public': denied_countries must be two-letter codes such as DE, got 'Germany'"}


def test_beside_files_a_route_has_paths(tmp_path: Path) -> None:
    assert told(
        tmp_path,
        "  presentation: {}\n"
        "  domain: {name: shop.example.com, zone_id: Z0123456789ABCDEFGHIJ}\n"
        "  application:\n"
        "    instances: {}\n"
        "    routes:\n"
        "      - {hosts: [api]}\n",
    ) == {9: "paths: must be given beside files, which get all else, got none; name the paths"}
