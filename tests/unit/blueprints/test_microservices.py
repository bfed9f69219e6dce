from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from archlib import App, load
from archlib.blueprints.microservices import Microservices, MicroservicesSettings
from archlib.blueprints.registry import blueprint
from archlib.blueprints.starter import starter
from archlib.checks import check
from archlib.core.artifact import StackArtifact
from archlib.core.source import read_yaml
from archlib.emit.template import to_yaml
from archlib.errors import SettingsError

FILE = Path(__file__).parents[3] / "blueprints" / "microservices.yaml"
IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/hello:v1"
CODE = {"inline": "def handler(event, context):\n    return event\n"}
FIFTH = """\
reviews:
  image: product:v7
  routes: [{paths: [/reviews/*], health: /health}]
  scaling: {minimum: 2, maximum: 6}
  reads: [users]
  calls: [product]
"""
TAG = "a tag other than latest of up to 128 characters, or a digest sha256:..."


def make(*, layout: Literal["layered", "single"] = "layered", **chosen: Any) -> Microservices:
    routed = any(each.get("routes") for each in chosen.get("services", {}).values())
    given = {**({"entry": "cloudfront"} if routed else {}), **chosen}
    return Microservices(App("shop", "test", layout=layout), MicroservicesSettings.model_validate(given))


def build(**chosen: Any) -> dict[str, StackArtifact]:
    return {stack.name.removeprefix("shop-test-"): stack for stack in make(**chosen).app.assemble()}


def service(**chosen: Any) -> dict[str, Any]:
    return {"image": IMAGE, **chosen}


def of_type(stack: StackArtifact, *kinds: str) -> dict[str, Any]:
    return {name: node["Properties"] for name, node in stack.template["Resources"].items() if node["Type"] in kinds}


def variables(stack: StackArtifact) -> dict[str, Any]:
    (task,) = of_type(stack, "AWS::ECS::TaskDefinition").values()
    main = next(each for each in task["ContainerDefinitions"] if each["Name"] == "main")
    return {each["Name"]: each.get("Value", each.get("ValueFrom")) for each in main.get("Environment", [])} | {
        each["Name"]: each["ValueFrom"] for each in main.get("Secrets", [])
    }


def actions(stack: StackArtifact, policy: str) -> set[str]:
    document = of_type(stack, "AWS::IAM::ManagedPolicy")[policy]["PolicyDocument"]
    return {action for statement in document["Statement"] for action in statement["Action"]}


def lines(error: SettingsError) -> dict[int, str]:
    return {problem.origin.line: problem.message for problem in error.problems if problem.origin}


def written(folder: Path, text: str) -> Path:
    file = folder / "archlib.yaml"
    entry = "  entry: cloudfront" if "routes" in text else ""
    file.write_text(f"blueprint: microservices\napp: shop\nsettings:\n{entry}\n{text}")
    return file


# --- stacks -------------------------------------------------------------------------------------------------------


def test_each_service_has_its_own_stack_with_all_that_is_its_own() -> None:
    stacks = build(services={"orders": service(routes=["/orders/*"]), "basket": service(routes=["/basket/*"])})

    for name in ("orders", "basket"):
        kinds = {node["Type"] for node in stacks[f"{name}-service"].template["Resources"].values()}
        assert kinds >= {
            "AWS::ECS::Service",
            "AWS::ECS::TaskDefinition",
            "AWS::ApplicationAutoScaling::ScalableTarget",
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            "AWS::ElasticLoadBalancingV2::ListenerRule",
            "AWS::CloudWatch::Alarm",
            "AWS::EC2::SecurityGroup",
        }
        assert not any("service" in other for other in stacks[f"{name}-service"].depends_on)
    for name, stack in stacks.items():
        if not name.endswith("-service"):
            assert not any(other.endswith("-service") for other in stack.depends_on), name


def test_alarms_of_a_service_are_in_its_stack_and_tell_the_same_topic() -> None:
    stack = build(services={"orders": service()})["orders-service"]

    alarms = of_type(stack, "AWS::CloudWatch::Alarm")
    assert {"OrdersServiceCpuAlarm", "OrdersServiceMemoryAlarm", "OrdersServiceTasksAlarm"} <= set(alarms)
    assert {json.dumps(alarm["AlarmActions"]) for alarm in alarms.values()} == {'[{"Ref": "AlarmsTopic"}]'}


def test_without_alarms_and_dashboard_there_are_none() -> None:
    stacks = build(services={"orders": service()}, monitoring={"alarms": False, "dashboard": False})

    assert [alarm for stack in stacks.values() for alarm in of_type(stack, "AWS::CloudWatch::Alarm")] == []
    assert "monitoring" not in stacks


def test_its_parts_are_attributes() -> None:
    made = make(services={"orders": service(image="orders:v1")}, repositories={"orders": {}})

    assert list(made.services) == list(made.repositories) == ["orders"]
    assert made.cluster.name == "shop"
    assert made.entry is None


def test_an_image_is_of_a_repository_or_has_its_full_name() -> None:
    stacks = build(
        services={"orders": service(image="orders:v1"), "basket": service()},
        repositories={"orders": {}},
    )

    def image(name: str) -> Any:
        (task,) = of_type(stacks[f"{name}-service"], "AWS::ECS::TaskDefinition").values()
        return task["ContainerDefinitions"][0]["Image"]

    assert image("basket") == IMAGE
    assert "OrdersRepository" in json.dumps(image("orders"))
    assert "ecr:BatchGetImage" in actions(stacks["orders-service"], "OrdersServiceExecutionPolicy")


# --- wiring -------------------------------------------------------------------------------------------------------

KEPT: dict[str, Any] = {
    "databases": {"ledger": {}},
    "caches": {"sessions": {}},
    "tables": {"users": {"partition_key": "id"}},
    "buckets": {"files": {}},
    "secrets": {"signing": {}},
    "search_domains": {"products": {}},
    "queues": {"jobs": {}},
    "streams": {"clicks": {}},
    "topics": {"news": {}},
    "file_systems": {"shared": {}},
}


def test_what_a_service_names_it_may_use_and_knows() -> None:
    stack = build(
        services={
            "orders": service(
                connects_to=["ledger", "sessions"],
                reads=["users", "files", "signing", "products"],
                writes=["users"],
                sends_to=["jobs", "clicks", "news"],
            ),
        },
        **KEPT,
    )["orders-service"]

    assert set(variables(stack)) >= {
        *("LEDGER_HOST", "LEDGER_PORT", "SESSIONS_HOST", "USERS_TABLE", "FILES_BUCKET", "JOBS_QUEUE_URL"),
        *("CLICKS_STREAM_NAME", "NEWS_TOPIC_ARN"),
    }
    allowed = actions(stack, "OrdersServicePolicy")
    assert allowed >= {"dynamodb:GetItem", "dynamodb:PutItem", "s3:GetObject", "sqs:SendMessage", "kinesis:PutRecord"}
    assert "s3:PutObject" not in allowed
    assert "sqs:ReceiveMessage" not in allowed


def test_a_consumer_may_take_from_queues_and_read_streams() -> None:
    stack = build(services={"work": service(port=None, consumes=["jobs", "clicks"])}, **KEPT)["work-service"]

    allowed = actions(stack, "WorkServicePolicy")
    assert allowed >= {"sqs:ReceiveMessage", "sqs:DeleteMessage", "kinesis:GetRecords"}
    assert not allowed & {"sqs:SendMessage", "kinesis:PutRecord"}


def test_a_delivery_takes_from_a_stream_beside_the_services() -> None:
    data = build(
        services={"orders": service(sends_to=["clicks"])},
        deliveries={"archive": {"bucket": "files", "stream": "clicks", "search_domain": "products"}},
        **KEPT,
    )["data"]

    assert data.template["Resources"]["ArchiveDelivery"]["Properties"]["DeliveryStreamType"] == "KinesisStreamAsSource"
    assert "ArchiveToProducts443Egress" in of_type(data, "AWS::EC2::SecurityGroupEgress")


def test_a_caller_knows_the_service_it_calls_and_waits_for_it() -> None:
    stacks = build(services={"orders": service(calls=["prices"]), "prices": service(port=9000)})

    assert "shop-test-prices-service" in stacks["orders-service"].depends_on
    rules = of_type(stacks["orders-service"], "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
    assert {rules[name]["FromPort"] for name in ("OrdersToPrices9000Ingress", "OrdersToPrices9000Egress")} == {9000}
    assert any("prices" in str(value) for value in variables(stacks["orders-service"]).values())


def test_a_file_system_is_a_folder() -> None:
    stack = build(services={"orders": service(mounts="shared")}, **KEPT)["orders-service"]

    (task,) = of_type(stack, "AWS::ECS::TaskDefinition").values()
    assert any("EFSVolumeConfiguration" in volume for volume in task["Volumes"])
    assert "OrdersToShared2049Egress" in of_type(stack, "AWS::EC2::SecurityGroupEgress")


def test_functions_share_the_network_and_the_data() -> None:
    stacks = build(
        services={"orders": service(connects_to=["ledger"])},
        functions={"report": {"code": CODE, "connects_to": ["ledger"]}},
        **KEPT,
    )

    assert "ReportToLedger5433Egress" in of_type(stacks["app"], "AWS::EC2::SecurityGroupEgress")
    assert "OrdersToLedger5433Egress" in of_type(stacks["orders-service"], "AWS::EC2::SecurityGroupEgress")


def test_what_all_share_is_ready_before_a_service_uses_it() -> None:
    without, used = (
        build(services={"orders": service(**uses)}, repositories={"orders": {}}, **KEPT)
        for uses in (
            {},
            {
                "image": "orders:v1",
                "connects_to": ["ledger", "sessions"],
                "reads": ["users", "files", "signing"],
                "writes": ["products"],
                "sends_to": ["news", "jobs"],
                "consumes": ["jobs", "clicks"],
                "mounts": "shared",
            },
        )
    )

    assert {name for name in without if without[name].template != used[name].template} == {"orders-service"}


def pairs(stacks: dict[str, StackArtifact]) -> set[tuple[str, str, int]]:
    """Return who may open connections to whom, by the names of their security groups, where both sides agree."""
    found = {}
    for kind, other in (("Ingress", "SourceSecurityGroupId"), ("Egress", "DestinationSecurityGroupId")):
        rules = [
            rule for stack in stacks.values() for rule in of_type(stack, f"AWS::EC2::SecurityGroup{kind}").values()
        ]
        found[kind] = {
            (*((a, b) if kind == "Egress" else (b, a)), rule["FromPort"])
            for rule in rules
            if other in rule
            for a, b in [(_group(rule["GroupId"]), _group(rule[other]))]
        }
    assert found["Ingress"] == found["Egress"]
    return found["Ingress"]


def _group(value: dict[str, Any]) -> str:
    name: str = value["Ref"].removesuffix("GroupId") if "Ref" in value else value["Fn::GetAtt"][0]
    return name.removesuffix("SecurityGroup")


NAMES = ("alpha", "beta", "gamma")
DATA = {"ledger": ("LedgerDatabase", 5433), "sessions": ("SessionsCache", 6380)}
CHOICE = st.fixed_dictionaries(
    {
        "routed": st.booleans(),
        "connects_to": st.sets(st.sampled_from(sorted(DATA))),
        "searches": st.booleans(),
        "mounts": st.booleans(),
        "calls": st.sets(st.sampled_from(NAMES)),
    }
)


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(NAMES, CHOICE)))
def test_security_groups_allow_exactly_the_wired_pairs(chosen: dict[str, dict[str, Any]]) -> None:
    services, wanted = {}, set()
    for number, name in enumerate(NAMES):
        each = chosen[name]
        group = f"{name.capitalize()}Service"
        calls = [other for other in NAMES[:number] if other in each["calls"]]
        services[name] = service(
            routes=[f"/{name}/*"] if each["routed"] else [],
            connects_to=sorted(each["connects_to"]),
            reads=["products"] if each["searches"] else [],
            mounts="shared" if each["mounts"] else None,
            calls=calls,
        )
        wanted |= {(group, "ShopEndpoints", 443)}
        wanted |= {(group, *DATA[kept]) for kept in each["connects_to"]}
        wanted |= {(group, f"{other.capitalize()}Service", 8080) for other in calls}
        wanted |= {(group, "ProductsSearchDomain", 443)} if each["searches"] else set()
        wanted |= {(group, "SharedFileSystem", 2049)} if each["mounts"] else set()
        wanted |= {("PublicLoadBalancer", group, 8080)} if each["routed"] else set()
    kept = {kind: KEPT[kind] for kind in ("databases", "caches", "search_domains", "file_systems")}

    stacks = build(services=services, **kept)

    assert pairs(stacks) == wanted
    groups = [group for stack in stacks.values() for group in of_type(stack, "AWS::EC2::SecurityGroup").values()]
    assert all("SecurityGroupIngress" not in group for group in groups)


# --- what cannot work ---------------------------------------------------------------------------------------------


def test_services_that_call_each_other_are_told_of_both() -> None:
    calls = {"orders": ["services/prices"], "prices": ["stock"], "stock": ["orders"], "basket": ["orders"]}
    with pytest.raises(SettingsError) as caught:
        build(services={name: service(calls=called) for name, called in calls.items()})

    (told,) = caught.value.problems
    assert "calls must not lead back to itself, got " in told.message
    assert re.search("orders -> prices -> stock|prices -> stock -> orders|stock -> orders -> prices", told.message)


def test_in_one_template_they_may() -> None:
    (stack, _) = make(
        layout="single",
        services={"orders": service(calls=["prices"]), "prices": service(calls=["orders"], routes=["/*"])},
    ).app.assemble()

    assert {"OrdersToPrices8080Egress", "PricesToOrders8080Egress"} <= set(stack.template["Resources"])


def test_names_that_nothing_has_are_told_with_their_lines(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "  repositories: {orders: {}}\n"
        "  queues: {jobs: {}}\n"
        "  services:\n"
        "    a: {image: 'order:v1'}\n"
        "    b: {image: orders}\n"
        "    c: {image: 'orders:latest'}\n"
        "    d:\n"
        "      image: orders:v1\n"
        "      collector: colector:v1\n",
    )
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert lines(caught.value) == {
        8: "'order' is not among the repositories; did you mean 'orders'?; add or correct it",
        9: "image 'orders': must have a tag, got none; write 'orders:<tag>'",
        10: f"repository 'orders': tag must be {TAG}, got 'latest'",
        13: "'colector' is not among the repositories; there are orders; add or correct it",
    }

    file = written(
        tmp_path,
        "  queues: {jobs: {}}\n"
        "  services:\n"
        "    work:\n"
        f"      image: {IMAGE}\n"
        "      consumes: [jbos]\n"
        "      calls: [other]\n"
        "      connects_to: [ledger]\n",
    )
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert {line: message.split(" is ")[0] for line, message in lines(caught.value).items()} == {
        9: "'jbos'",
        10: "'other'",
        11: "'ledger'",
    }


# --- growing ------------------------------------------------------------------------------------------------------


def changed(before: dict[str, StackArtifact], after: dict[str, StackArtifact]) -> set[str]:
    texts = [{name: to_yaml(stack.template) for name, stack in stacks.items()} for stacks in (before, after)]
    return {name for name in texts[0].keys() | texts[1].keys() if texts[0].get(name) != texts[1].get(name)}


def catalogue(environment: str, *, without: str = "", more: str = "") -> dict[str, StackArtifact]:
    content, _ = read_yaml(FILE)
    own = content["settings"]
    for name, over in content["environments"][environment].get("services", {}).items():
        own["services"][name]["scaling"] |= over["scaling"]
    own["services"].pop(without, None)
    if more:
        own["services"] |= yaml.safe_load(more)
    app = App("catalogue", environment)
    Microservices(app, MicroservicesSettings.model_validate(own, context={"folder": FILE.parent}))
    return {stack.name: stack for stack in app.assemble()}


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_a_fifth_service_is_six_lines_and_changes_no_other_template(environment: str) -> None:
    assert len(FIFTH.splitlines()) == 6
    before = catalogue(environment)

    after = catalogue(environment, more=FIFTH)

    assert changed(before, after) == {f"catalogue-{environment}-reviews-service"}
    assert f"catalogue-{environment}-product-service" in after[f"catalogue-{environment}-reviews-service"].depends_on


@pytest.mark.parametrize("name", ["auth", "search", "analytics"])
def test_without_one_of_its_services_no_other_template_changes(name: str) -> None:
    assert changed(catalogue("prod"), catalogue("prod", without=name)) == {f"catalogue-prod-{name}-service"}


def fleet(count: int, **chosen: Any) -> dict[str, Any]:
    return {
        "domain": {"name": "shop.example.com", "zone_id": "Z0123456789ABCDEFGHIJ"},
        "entry": "load-balancer",
        "services": {
            f"service{number}": service(routes=[f"/service{number}/*"], reads=["users"], connects_to=["ledger"])
            for number in range(count)
        },
        "tables": {"users": {"partition_key": "id"}},
        "databases": {"ledger": {}},
        **chosen,
    }


def test_among_120_services_one_more_or_less_changes_no_other_template() -> None:
    chosen = fleet(120)
    before = build(**chosen)

    more = build(**{**chosen, "services": {**chosen["services"], "reviews": service(routes=["/reviews/*"])}})
    less = build(**{**chosen, "services": {k: v for k, v in chosen["services"].items() if k != "service60"}})

    assert sum(name.endswith("-service") for name in before) == 120
    assert changed(before, more) == {"reviews-service"}
    assert changed(before, less) == {"service60-service"}
    for name, stack in before.items():
        assert len(stack.template["Resources"]) < 200, name
        assert len(stack.template.get("Outputs", {})) < 150, name


# --- starting -----------------------------------------------------------------------------------------------------


def test_the_starter_is_a_working_architecture(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(starter(blueprint("microservices"), "web"))

    stacks = load(file).assemble()

    assert "web-dev-hello-service" in {stack.name for stack in stacks}
    assert [str(finding) for finding in check(stacks) if finding.severity != "info"] == []
