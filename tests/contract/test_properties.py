"""What holds for whatever is chosen in the blueprints with networks: references resolve, only wired pairs may talk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from archlib import App, StackArtifact
from archlib.blueprints.entry_settings import EntrySettings
from archlib.blueprints.microservices import Microservices
from archlib.blueprints.multi_tier import MultiTier
from archlib.blueprints.serverless import Serverless
from archlib.checks import check
from archlib.checks.limits import limits
from archlib.components.containers.sizes import SIZES
from archlib.core.naming import pascal
from archlib.core.values import PSEUDO_PARAMETERS, references
from archlib.emit.template import to_yaml

NAMES = ("orders", "users", "billing", "mail", "stock", "search")
DOMAIN = {"name": "shop.example.com", "zone_id": "Z0123456789ABCDEFGHIJ"}
CERTIFICATE = "arn:aws:acm:eu-west-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
PREFIX_LISTS = {"s3": "pl-63a5400a", "dynamodb": "pl-02cd2c6b"}
CODE = {"inline": "def handler(event, context): pass"}
EVERYONE, EVERYONE_V6, LOOPBACK = "0.0.0.0/0", "::/0", "127.0.0.1/32"
ENDPOINTS, BALANCER = "ShopEndpoints", "PublicLoadBalancer"
PROXY_PORTS = {"postgres": 5432, "aurora-postgres": 5432, "mysql": 3306, "aurora-mysql": 3306}
# The names of services are among those of data, as they are in practice.
DATA: dict[str, tuple[str, st.SearchStrategy[dict[str, Any]]]] = {
    "databases": (
        "ledger",
        st.fixed_dictionaries(
            {"engine": st.sampled_from(sorted(PROXY_PORTS)), "port": st.integers(1150, 65535), "proxy": st.booleans()}
        ),
    ),
    "caches": ("users", st.fixed_dictionaries({"port": st.integers(1150, 65535)})),
    "search_domains": ("products", st.just({})),
    "file_systems": ("shared", st.just({})),
    "tables": ("orders", st.just({"partition_key": "id"})),
    "buckets": ("uploads", st.just({})),
    "queues": ("jobs", st.just({})),
    "topics": ("news", st.just({})),
    "streams": ("clicks", st.just({})),
    "secrets": ("signing", st.just({})),
    "parameters": ("colour", st.just({"value": "blue"})),
}
VERBS = {
    "reads": ("tables", "buckets", "parameters", "secrets", "search_domains"),
    "writes": ("tables", "buckets", "search_domains"),
    "sends_to": ("queues", "topics", "streams"),
    "connects_to": ("databases", "caches"),
    "consumes": ("queues", "streams"),
}
GATEWAYS = {"tables": "dynamodb", "buckets": "s3"}
# The first part of an IAM action -> the interface endpoint it goes through; no other one leaves the network.
ENDPOINT_OF = {
    "cloudformation": "cloudformation",
    "cloudwatch": "monitoring",
    "ecr": "ecr.api",
    "kinesis": "kinesis-streams",
    "logs": "logs",
    "secretsmanager": "secretsmanager",
    "sns": "sns",
    "sqs": "sqs",
    "ssm": "ssm",
    "ssmmessages": "ssmmessages",
    "xray": "xray",
}
stable = settings(deadline=None, derandomize=True, database=None)


@dataclass(frozen=True)
class Built:
    """Settings, and what became of them."""

    chosen: dict[str, Any]
    stacks: tuple[StackArtifact, ...] = field(repr=False)


class Rule(NamedTuple):
    """One permission of a security group, ``group`` being whose it is."""

    way: str
    group: str
    peer: str
    port: int


# --- strategies ---------------------------------------------------------------------------------------------------


def some(items: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(items), unique=True, max_size=3) if items else st.just([])


@st.composite
def everything_around(draw: st.DrawFn) -> dict[str, Any]:
    """Return settings of data, network and entry."""
    kinds = draw(st.lists(st.sampled_from(sorted(DATA)), unique=True))
    network: dict[str, Any] = {
        "zones": draw(st.integers(2, 3)),
        "nat": draw(st.sampled_from(["none", "one", "per-zone"])),
        "ipv6": draw(st.booleans()),
        "prefix_lists": draw(st.sampled_from([{}, PREFIX_LISTS])),
    }
    entry: dict[str, Any] = draw(
        st.sampled_from([{"entry": "cloudfront"}, {"entry": "cloudfront", "domain": DOMAIN}, {"domain": DOMAIN},
                         {"certificate": CERTIFICATE}])
    )  # fmt: skip
    if "entry" not in entry:
        entry = {
            **entry,
            "redirect_http": draw(st.booleans()),
            "load_balancer": {"dual_stack": network["ipv6"] and draw(st.booleans())},
        }
    return {**{DATA[kind][0]: (kind, draw(DATA[kind][1])) for kind in kinds}, "": {"network": network, **entry}}


def around(drawn: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(drawn[""])
    for name, value in drawn.items():
        if name:
            found.setdefault(value[0], {})[name] = value[1]
    return found


@st.composite
def uses(draw: st.DrawFn, found: Mapping[str, Any], *, internet: bool) -> dict[str, Any]:
    """Return what code uses of the data in ``found``."""
    chosen: dict[str, Any] = {
        verb: draw(some([f"{kind}/{name}" for kind in kinds for name in found.get(kind, ())]))
        for verb, kinds in VERBS.items()
    }
    if "file_systems" in found and draw(st.booleans()):
        chosen["mounts"] = "shared"
    return {**chosen, "internet": internet and draw(st.booleans())}


@st.composite
def containers(draw: st.DrawFn, *, behind: bool) -> dict[str, Any]:
    """Return the size, the scaling and the deployment of a service; ``behind`` a load balancer."""
    cpu = draw(st.sampled_from(sorted(SIZES)))
    low = draw(st.integers(0, 3))
    high = max(low, 1) + draw(st.sampled_from([0, 1, 40]))
    deployment = draw(st.sampled_from(["rolling", "blue-green", "canary", "linear"]))
    targets = ["latency", "errors", "successes", "requests"] if behind and deployment == "rolling" else []
    metrics = draw(some(["cpu", "memory", *targets]))
    scaling = {
        "minimum": low,
        "maximum": high,
        "desired": draw(st.none() | st.integers(low, high)),
        "cpu": draw(st.none() | st.integers(1, 100)),
        "memory": draw(st.none() | st.integers(1, 100)),
        "requests": draw(st.none() | st.integers(1, 10_000)) if targets else None,
        "steps": [{"metric": metric, "above": 50, "change": draw(st.integers(1, 3))} for metric in metrics],
    }
    return {
        "image": draw(st.sampled_from(["shared:v1", f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop:v{cpu}"])),
        "port": draw(st.integers(1024, 65535)),
        "cpu": cpu,
        "memory_mib": draw(st.sampled_from(SIZES[cpu])),
        "architecture": draw(st.sampled_from(["arm64", "x86_64"])),
        "spot": draw(st.integers(0, 100)),
        "tracing": draw(st.booleans()),
        "collector": "shared:collector-v1",
        "allow_exec": draw(st.booleans()),
        "deployment": deployment,
        "scaling": scaling,
    }


@st.composite
def microservices(draw: st.DrawFn) -> dict[str, Any]:
    found = around(draw(everything_around()))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    services: dict[str, Any] = {}
    for name in names:
        routes: list[Any] = draw(some([f"/{name}/*", f"/{name}/v2/*", f"/{name}"]))
        if routes and "domain" in found and draw(st.booleans()):
            routes = [*routes, {"hosts": [name]}]
        services[name] = {
            **draw(containers(behind=bool(routes))),
            **draw(uses(found, internet=found["network"]["nat"] != "none")),
            "routes": routes,
            "calls": draw(some(sorted(services))),
        }
    if not any(each["routes"] for each in services.values()):
        found = {name: value for name, value in found.items() if name not in EntrySettings.model_fields}
    return {**found, "services": services, "repositories": {"shared": {}}}


@st.composite
def multi_tier(draw: st.DrawFn) -> dict[str, Any]:
    found = around(draw(everything_around()))
    chosen: dict[str, Any] = draw(uses(found, internet=found["network"]["nat"] != "none"))
    kind = draw(st.sampled_from(["instances", "service", "function"]))
    if kind == "function":
        searched = any("search_domains/" in reference for verb in ("reads", "writes") for reference in chosen[verb])
        chosen |= {"code": CODE, "consumes": {reference: {} for reference in chosen["consumes"]}}
        chosen |= {"in_network": searched or draw(st.booleans())}
    elif kind == "instances":
        chosen |= {
            "port": draw(st.integers(1024, 65535)),
            "types": ["t4g.small"],
            "agent": draw(st.sampled_from([None, {}])),
        }
    else:
        chosen |= draw(containers(behind=True))
    if "certificate" not in found and draw(st.booleans()):
        found |= {"presentation": {}, "redirect_http": False, "load_balancer": {}}
    return {**found, "application": {kind: chosen}, "repositories": {"shared": {}}}


def assembled(kind: type[Serverless], chosen: dict[str, Any], app: App | None = None) -> tuple[StackArtifact, ...]:
    app = app or App("shop", "dev")
    kind(app, kind.Settings.model_validate(chosen))
    return app.assemble()


def built(kind: type[Serverless], chosen: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Built]:
    @st.composite
    def build(draw: st.DrawFn) -> Built:
        found = draw(chosen)
        app = App(
            "shop", "dev", layout=draw(st.sampled_from(["layered", "single"])),
            removal=draw(st.sampled_from(["Retain", "Delete"])), links=draw(st.sampled_from(["parameters", "exports"])),
        )  # fmt: skip
        return Built(found, assembled(kind, found, app))

    return build()


MICROSERVICES = built(Microservices, microservices())
MULTI_TIER = built(MultiTier, multi_tier())


# --- what templates say -------------------------------------------------------------------------------------------


class Reader:
    """Follows references from stack to stack."""

    def __init__(self, stacks: Sequence[StackArtifact]) -> None:
        self.stacks = {stack.name: stack for stack in stacks}

    def resources(self, *kinds: str) -> Iterator[tuple[StackArtifact, str, dict[str, Any]]]:
        for stack in self.stacks.values():
            for title, resource in stack.template["Resources"].items():
                if resource["Type"] in kinds:
                    yield stack, title, resource["Properties"]

    def source(self, stack: StackArtifact, value: Any) -> Any:
        """Return the resource that has ``value``, or what a prefix list is of, or the value itself."""
        match value:
            case {"Fn::GetAtt": [str(title), str()]}:
                return title
            case {"Fn::ImportValue": str(name)}:
                producer, _, output = name.partition(":")
                return self.output(producer, output)
            case {"Ref": str(name)} if name in stack.parameters:
                origin = stack.parameters[name]
                return origin.output if origin.kind == "prefix-list" else self.output(origin.stack, origin.output)
            case _:
                return value

    def output(self, stack: str, name: str) -> Any:
        return self.source(self.stacks[stack], self.stacks[stack].template["Outputs"][name]["Value"])


def rules(stacks: Sequence[StackArtifact]) -> list[Rule]:
    """Return all rules of all security groups."""
    reader = Reader(stacks)
    found = []

    def note(way: str, stack: StackArtifact, group: Any, rule: Mapping[str, Any]) -> None:
        peers = [rule[key] for key in rule if key.startswith(("Cidr", "Source", "Destination"))]
        assert len(peers) == 1, rule
        assert rule["IpProtocol"] == "tcp"
        assert rule["FromPort"] == rule["ToPort"]
        found.append(Rule(way, whose(group), whose(reader.source(stack, peers[0])), rule["FromPort"]))

    for stack, title, properties in reader.resources("AWS::EC2::SecurityGroup"):
        for way in ("Ingress", "Egress"):
            for rule in properties.get(f"SecurityGroup{way}", ()):
                note(way, stack, title, rule)
    for way in ("Ingress", "Egress"):
        for stack, _, properties in reader.resources(f"AWS::EC2::SecurityGroup{way}"):
            note(way, stack, reader.source(stack, properties["GroupId"]), properties)
    return found


def whose(group: str) -> str:
    return group.removesuffix("SecurityGroup")


# --- what the settings say ----------------------------------------------------------------------------------------


def pair(caller: str, target: str, port: int) -> set[Rule]:
    return {Rule("Egress", caller, target, port), Rule("Ingress", target, caller, port)}


def entry_rules(chosen: Mapping[str, Any]) -> set[Rule]:
    if chosen.get("entry") == "cloudfront" or "presentation" in chosen:
        return {Rule("Ingress", BALANCER, "cloudfront", 443 if "domain" in chosen else 80)}
    blocks = (EVERYONE, *((EVERYONE_V6,) if chosen["load_balancer"]["dual_stack"] else ()))
    ports = (443, *((80,) if chosen["redirect_http"] else ()))
    return {Rule("Ingress", BALANCER, block, port) for block in blocks for port in ports}


def data_rules(chosen: Mapping[str, Any]) -> set[Rule]:
    proxied = {name for name, database in chosen.get("databases", {}).items() if database["proxy"]}
    return {
        rule
        for name in proxied
        for rule in pair(f"{pascal(name)}DatabaseProxy", f"{pascal(name)}Database", chosen["databases"][name]["port"])
    }


def used(code: Mapping[str, Any], *verbs: str) -> set[str]:
    return {reference for verb in verbs for reference in code.get(verb, ())}


def code_rules(chosen: Mapping[str, Any], owner: str, code: Mapping[str, Any], gateways: set[str]) -> set[Rule]:
    """Return the rules between ``owner``, which uses what ``code`` says, and data, AWS and the internet."""
    found: set[Rule] = set()
    network = chosen["network"]
    for reference in used(code, *VERBS):
        kind, _, name = reference.partition("/")
        match kind:
            case "databases":
                database = chosen[kind][name]
                target = f"{pascal(name)}Database" + ("Proxy" if database["proxy"] else "")
                found |= pair(owner, target, PROXY_PORTS[database["engine"]] if database["proxy"] else database["port"])
            case "caches":
                found |= pair(owner, f"{pascal(name)}Cache", chosen[kind][name]["port"])
            case "search_domains":
                found |= pair(owner, f"{pascal(name)}SearchDomain", 443)
    if "mounts" in code:
        found |= pair(owner, "SharedFileSystem", 2049)
    if code["internet"]:
        blocks = (EVERYONE, *((EVERYONE_V6,) if network["ipv6"] else ()))
        found |= {Rule("Egress", owner, block, 443) for block in blocks}
    gateways = gateways | {
        GATEWAYS[kind] for kind in GATEWAYS if any(f"{kind}/" in each for each in used(code, *VERBS))
    }
    known = network["prefix_lists"]
    return found | {Rule("Egress", owner, known.get(service, service), 443) for service in gateways | set(known)}


# --- properties ---------------------------------------------------------------------------------------------------


def assert_only(stacks: Sequence[StackArtifact], expected: set[Rule]) -> None:
    found = rules(stacks)
    groups = {whose(title) for _, title, _ in Reader(stacks).resources("AWS::EC2::SecurityGroup")}
    assert set(found) == expected | {Rule("Egress", group, LOOPBACK, 443) for group in groups}
    assert len(found) == len(set(found)), "EC2 refuses the same rule twice"


@given(MICROSERVICES)
@settings(stable, max_examples=40)
def test_services_may_talk_to_what_they_are_wired_to_and_to_nothing_else(example: Built) -> None:
    chosen = example.chosen
    routed = any(service["routes"] for service in chosen["services"].values())
    expected = data_rules(chosen) | (entry_rules(chosen) if routed else set())
    for name, service in chosen["services"].items():
        owner = f"{pascal(name)}Service"
        expected |= code_rules(chosen, owner, service, {"s3"}) | pair(owner, ENDPOINTS, 443)
        if service["routes"]:
            expected |= pair(BALANCER, owner, service["port"])
        for called in service["calls"]:
            expected |= pair(owner, f"{pascal(called)}Service", chosen["services"][called]["port"])

    assert_only(example.stacks, expected)


@given(MULTI_TIER)
@settings(stable, max_examples=40)
def test_tiers_may_talk_to_what_they_are_wired_to_and_to_nothing_else(example: Built) -> None:
    chosen = example.chosen
    ((kind, code),) = chosen["application"].items()
    expected = data_rules(chosen) | entry_rules(chosen)
    if kind == "function":
        owner = "ApplicationFunction"
        inside = code["in_network"] or code["internet"] or code["connects_to"] or "mounts" in code
        called = {reference.partition("/")[0] for reference in used(code, "reads", "writes", "sends_to", "connects_to")}
        expected |= code_rules(chosen, owner, {**code, "consumes": ()}, set()) if inside else set()
        if inside and called - {"tables", "buckets", "search_domains"}:
            expected |= pair(owner, ENDPOINTS, 443)
    else:
        owner = f"Application{kind.capitalize()}"
        expected |= code_rules(chosen, owner, code, {"s3"}) | pair(BALANCER, owner, code.get("port", 8080))
        if kind == "service" or not code["internet"]:
            expected |= pair(owner, ENDPOINTS, 443)

    assert_only(example.stacks, expected)


@given(MICROSERVICES | MULTI_TIER)
@settings(stable, max_examples=40)
def test_references_resolve(example: Built) -> None:
    before: dict[str, StackArtifact] = {}
    for stack in example.stacks:
        template = stack.template
        known = {*template["Resources"], *template.get("Parameters", {})} | PSEUDO_PARAMETERS
        assert references(template) <= known
        for resource in template["Resources"].values():
            wanted = resource.get("DependsOn", [])
            assert {wanted} if isinstance(wanted, str) else set(wanted) <= set(template["Resources"])
        assert set(stack.parameters) == set(template.get("Parameters", {}))
        for source in stack.parameters.values():
            if source.kind == "output":
                assert source.output in before[source.stack].template["Outputs"]
                assert source.stack in stack.depends_on
        assert stack.depends_on <= set(before)
        before[stack.name] = stack


@given(MICROSERVICES | MULTI_TIER)
@settings(stable, max_examples=40)
def test_code_in_the_network_reaches_every_service_it_has_rights_for(example: Built) -> None:
    reader = Reader(example.stacks)
    there = {
        properties["ServiceName"]["Fn::Sub"].partition("}.")[2]
        for _, _, properties in reader.resources("AWS::EC2::VPCEndpoint")
    }
    code = example.chosen.get("services") or example.chosen["application"]
    online = {pascal(name) for name, chosen in code.items() if chosen["internet"]}
    for _, title, properties in reader.resources("AWS::IAM::ManagedPolicy"):
        if title.endswith(("ServicePolicy", "InstancesPolicy", "ExecutionPolicy")) and not any(
            title.startswith((name, f"Application{name}")) for name in online
        ):
            actions = {action for each in properties["PolicyDocument"]["Statement"] for action in each["Action"]}
            needed = {ENDPOINT_OF.get(action.partition(":")[0]) for action in actions} - {None}
            assert needed <= there, title


@given(MICROSERVICES)
@settings(stable, max_examples=25)
def test_no_group_is_without_an_owner(example: Built) -> None:
    groups = {title for _, title, _ in Reader(example.stacks).resources("AWS::EC2::SecurityGroup")}
    reader = Reader(example.stacks)
    attached = {
        reader.source(stack, value)
        for stack in example.stacks
        for resource in stack.template["Resources"].values()
        if not resource["Type"].startswith("AWS::EC2::SecurityGroup")
        for value in attachments(resource)
    }
    assert groups == attached


def attachments(node: Any) -> Iterator[Any]:
    """Yield what is in the lists of security groups anywhere in ``node``."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key.lower() in {"securitygroups", "securitygroupids", "vpcsecuritygroupids", "vpcsecuritygroups"}:
                yield from value
            else:
                yield from attachments(value)
    elif isinstance(node, list):
        for value in node:
            yield from attachments(value)


@given(microservices())
@settings(stable, max_examples=25)
def test_a_service_comes_and_goes_without_changing_another_stack(chosen: dict[str, Any]) -> None:
    *others, last = chosen["services"]
    rest = {name: chosen["services"][name] for name in others}
    assume(needs(rest) == needs(chosen["services"]))

    with_it, without = (templates({**chosen, "services": services}) for services in (chosen["services"], rest))

    assert with_it.keys() - without.keys() == {f"shop-dev-{last}-service"}
    assert {name: with_it[name] for name in without} == without


def needs(services: Mapping[str, Any]) -> set[str]:
    """Return what the first service that needs it brings for all."""
    found = {key for service in services.values() for key in ("routes", "tracing", "allow_exec") if service[key]}
    hosts = any(isinstance(route, dict) for service in services.values() for route in service["routes"])
    return {"any", *found, *(("hosts",) if hosts else ())} if services else set()


def templates(chosen: dict[str, Any]) -> dict[str, str]:
    return {stack.name: to_yaml(stack.template) for stack in assembled(Microservices, chosen)}


@given(MICROSERVICES | MULTI_TIER)
@settings(stable, max_examples=3, phases=[Phase.generate])  # to find the smallest example would take minutes
def test_templates_have_no_finding(example: Built) -> None:
    assert [str(finding) for finding in check(example.stacks) if finding.severity != "info"] == []


# --- scale --------------------------------------------------------------------------------------------------------


def test_many_services_stay_within_every_limit() -> None:
    names = [f"s{number}" for number in range(300)]
    many = {name: {"image": f"{name}:v1", "routes": [f"/{name}/*"], "connects_to": ["ledger"]} for name in names}
    chosen = {
        "domain": DOMAIN,
        "services": many,
        "repositories": {name: {} for name in names},
        "databases": {"ledger": {}},
    }
    stacks = assembled(Microservices, chosen)
    listeners = [
        str(rule["ListenerArn"]) for _, _, rule in Reader(stacks).resources("AWS::ElasticLoadBalancingV2::ListenerRule")
    ]

    assert [str(finding) for stack in stacks for finding in limits(stack) if finding.severity != "info"] == []
    assert len(listeners) == len(names)
    assert max(Counter(listeners).values()) <= 100
