from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archlib import App, load
from archlib.blueprints.entry import shards
from archlib.blueprints.microservices import Microservices, MicroservicesSettings
from archlib.core.artifact import StackArtifact
from archlib.errors import SettingsError

IMAGE = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/hello:v1"
ZONE = "Z0123456789ABCDEFGHIJ"
DOMAIN = {"name": "shop.example.com", "zone_id": ZONE}
ARN = "arn:aws:acm:eu-west-1:111122223333:certificate/01234567-89ab-cdef-0123-456789abcdef"
MOST = 12


def service(*routes: Any) -> dict[str, Any]:
    return {"image": IMAGE, "routes": list(routes or ("/hello/*",))}


def build(**settings: Any) -> dict[str, StackArtifact]:
    app = App("shop", "test")
    Microservices(app, MicroservicesSettings.model_validate({"services": {"hello": service()}, **settings}))
    return {stack.name.removeprefix("shop-test-"): stack for stack in app.assemble()}


def of_type(stack: StackArtifact, kind: str) -> dict[str, Any]:
    return {name: node["Properties"] for name, node in stack.template["Resources"].items() if node["Type"] == kind}


def of_all(stacks: dict[str, StackArtifact], kind: str) -> dict[str, Any]:
    return {f"{name}/{title}": node for name, stack in stacks.items() for title, node in of_type(stack, kind).items()}


def only(stack: StackArtifact, kind: str) -> Any:
    (found,) = of_type(stack, kind).values()
    return found


# --- the three ways -----------------------------------------------------------------------------------------------


def test_a_domain_brings_its_certificate_and_its_record() -> None:
    stacks = build(domain=DOMAIN)
    ingress = stacks["ingress"]

    balancer = only(ingress, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert balancer["Scheme"] == "internet-facing"
    listener = only(ingress, "AWS::ElasticLoadBalancingV2::Listener")
    assert (listener["Port"], listener["Protocol"]) == (443, "HTTPS")
    assert listener["Certificates"] == [{"CertificateArn": {"Ref": "PublicCertificate"}}]
    certificate = only(ingress, "AWS::CertificateManager::Certificate")
    assert certificate["DomainName"] == "shop.example.com"
    assert "SubjectAlternativeNames" not in certificate
    record = only(ingress, "AWS::Route53::RecordSet")
    assert (record["Name"], record["HostedZoneId"]) == ("shop.example.com", ZONE)
    assert record["AliasTarget"]["DNSName"] == {"Fn::GetAtt": ["PublicLoadBalancer", "DNSName"]}
    assert ingress.template["Outputs"]["PublicUrl"]["Value"] == "https://shop.example.com"
    assert of_type(ingress, "AWS::WAFv2::WebACLAssociation")["PublicEntryAssociation"]["ResourceArn"] == {
        "Ref": "PublicLoadBalancer"
    }
    assert "edge" not in stacks


def test_only_the_port_of_tls_is_open_and_the_one_that_redirects_if_asked_for() -> None:
    def opened(**settings: Any) -> list[int]:
        group = of_type(build(domain=DOMAIN, **settings)["ingress"], "AWS::EC2::SecurityGroup")
        rules = group["PublicLoadBalancerSecurityGroup"]["SecurityGroupIngress"]
        assert {rule["CidrIp"] for rule in rules} == {"0.0.0.0/0"}
        return sorted(rule["FromPort"] for rule in rules)

    assert opened() == [443]
    assert opened(redirect_http=True) == [80, 443]


def test_a_certificate_leaves_the_record_to_its_owner() -> None:
    stacks = build(certificate=ARN)

    listener = only(stacks["ingress"], "AWS::ElasticLoadBalancingV2::Listener")
    assert listener["Certificates"] == [{"CertificateArn": ARN}]
    assert of_all(stacks, "AWS::CertificateManager::Certificate") == of_all(stacks, "AWS::Route53::RecordSet") == {}
    assert stacks["ingress"].template["Outputs"]["PublicUrl"]["Value"] == {
        "Fn::Sub": "https://${PublicLoadBalancer.DNSName}"
    }


def test_a_certificate_beside_a_domain_is_used_and_the_record_made() -> None:
    stacks = build(certificate=ARN, domain=DOMAIN)

    listener = only(stacks["ingress"], "AWS::ElasticLoadBalancingV2::Listener")
    assert listener["Certificates"] == [{"CertificateArn": ARN}]
    assert of_all(stacks, "AWS::CertificateManager::Certificate") == {}
    assert only(stacks["ingress"], "AWS::Route53::RecordSet")["Name"] == "shop.example.com"


def test_cloudfront_needs_no_domain_and_plain_http_behind_it_is_a_waiver_with_its_reason() -> None:
    stacks = build(entry="cloudfront")
    ingress, edge = stacks["ingress"], stacks["edge"]

    assert edge.region == "us-east-1"
    assert only(ingress, "AWS::ElasticLoadBalancingV2::LoadBalancer")["Scheme"] == "internal"
    assert only(ingress, "AWS::ElasticLoadBalancingV2::Listener")["Protocol"] == "HTTP"
    assert {waiver.rule for waiver in ingress.waivers if waiver.resource == "PublicListener"} >= {"CKV_AWS_2"}
    assert all("CloudFront ends TLS" in waiver.reason for waiver in ingress.waivers)
    endpoint = only(edge, "AWS::CloudFront::VpcOrigin")["VpcOriginEndpointConfig"]
    assert (endpoint["OriginProtocolPolicy"], endpoint["HTTPPort"]) == ("http-only", 80)
    config = only(edge, "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert config["WebACLId"] == {"Fn::GetAtt": ["PublicFirewall", "Arn"]}
    assert of_all(stacks, "AWS::CertificateManager::Certificate") == of_all(stacks, "AWS::Route53::RecordSet") == {}
    assert of_type(ingress, "AWS::WAFv2::WebACL") == {}
    assert "PublicUrl" in edge.template["Outputs"]
    assert "PublicUrl" not in ingress.template["Outputs"]
    # No public subnet, and nobody but CloudFront gets in.
    assert not any("Public" in title for title in of_type(stacks["network"], "AWS::EC2::Subnet"))
    assert "SecurityGroupIngress" not in of_type(ingress, "AWS::EC2::SecurityGroup")["PublicLoadBalancerSecurityGroup"]
    (way,) = of_type(ingress, "AWS::EC2::SecurityGroupIngress").values()
    assert "SourcePrefixListId" in way


def test_with_a_domain_there_is_tls_to_cloudfront_and_from_it_to_the_load_balancer() -> None:
    stacks = build(entry="cloudfront", domain=DOMAIN)
    ingress, edge = stacks["ingress"], stacks["edge"]

    listener = only(ingress, "AWS::ElasticLoadBalancingV2::Listener")
    assert listener["Certificates"] == [{"CertificateArn": {"Ref": "PublicCertificate"}}]
    assert ingress.waivers == ()
    endpoint = only(edge, "AWS::CloudFront::VpcOrigin")["VpcOriginEndpointConfig"]
    assert (endpoint["OriginProtocolPolicy"], endpoint["HTTPSPort"]) == ("https-only", 443)
    config = only(edge, "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["ViewerCertificate"]["AcmCertificateArn"] == {"Ref": "PublicUsEast1Certificate"}
    assert config["Aliases"] == ["shop.example.com"]
    assert [one["DomainName"] for one in of_all(stacks, "AWS::CertificateManager::Certificate").values()] == [
        "shop.example.com",
        "shop.example.com",
    ]
    records = of_all(stacks, "AWS::Route53::RecordSet")
    assert set(records) == {"edge/PublicRecord", "edge/PublicIpv6Record"}
    assert edge.template["Outputs"]["PublicUrl"]["Value"] == "https://shop.example.com"


def test_without_a_firewall_there_is_none() -> None:
    for settings in ({"domain": DOMAIN}, {"entry": "cloudfront"}):
        stacks = build(**settings, firewall=None)

        assert of_all(stacks, "AWS::WAFv2::WebACL") == {}


def test_without_a_route_there_is_no_entry_and_no_choice_to_make() -> None:
    stacks = build(services={"worker": {"image": IMAGE, "port": None}})

    assert "ingress" not in stacks
    assert of_all(stacks, "AWS::ElasticLoadBalancingV2::LoadBalancer") == {}


# --- health, hosts ------------------------------------------------------------------------------------------------


def test_the_health_path_is_asked_for_from_all_over_the_world() -> None:
    stacks = build(domain=DOMAIN, health_path="/health")

    check = only(stacks["edge"], "AWS::Route53::HealthCheck")["HealthCheckConfig"]
    assert (check["FullyQualifiedDomainName"], check["ResourcePath"]) == ("shop.example.com", "/health")
    alarms = of_type(stacks["monitoring-us-east1"], "AWS::CloudWatch::Alarm").values()
    assert any(alarm["Namespace"] == "AWS/Route53" for alarm in alarms)
    assert "monitoring" in stacks


def test_hosts_get_a_record_and_a_certificate_for_all_names_below() -> None:
    hosts = ["orders", "basket.shop.example.com", "shop.example.com"]
    stacks = build(domain=DOMAIN, services={"hello": service({"paths": ["/a/*"]}, {"hosts": hosts})})

    certificate = only(stacks["ingress"], "AWS::CertificateManager::Certificate")
    assert certificate["SubjectAlternativeNames"] == ["*.shop.example.com"]
    (waiver,) = stacks["ingress"].waivers
    assert (waiver.resource, waiver.rule) == ("PublicCertificate", "CKV2_AWS_71")
    assert "so that another name changes nothing but its own stack" in waiver.reason
    records = of_all(stacks, "AWS::Route53::RecordSet")
    assert {title: node["Name"] for title, node in records.items()} == {
        "ingress/PublicRecord": "shop.example.com",
        "ingress/PublicNamesRecord": "*.shop.example.com",
    }
    rules = of_type(stacks["hello-service"], "AWS::ElasticLoadBalancingV2::ListenerRule")
    assert [
        condition["HostHeaderConfig"]["Values"]
        for rule in rules.values()
        for condition in rule["Conditions"]
        if "HostHeaderConfig" in condition
    ] == [["orders.shop.example.com", "basket.shop.example.com", "shop.example.com"]]


def test_services_may_share_a_host() -> None:
    routes = [
        [{"hosts": ["api"], "paths": [f"/{name}/*"]}, {"hosts": ["api"], "paths": [f"/{name}s"]}] for name in "ab"
    ]
    one = build(domain=DOMAIN, services={"a": service(*routes[0])})
    two = build(domain=DOMAIN, services={"a": service(*routes[0]), "b": service(*routes[1])})

    assert len(of_all(two, "AWS::Route53::RecordSet")) == 2
    assert {name for name in two if name not in one or one[name].template != two[name].template} == {"b-service"}


def test_records_follow_the_kind_of_addresses() -> None:
    stacks = build(
        domain={**DOMAIN, "zone": "example.com"},
        load_balancer={"dual_stack": True},
        network={"ipv6": True},
        services={"hello": service({"hosts": ["api"]})},
    )

    assert sorted(record["Type"] for record in of_all(stacks, "AWS::Route53::RecordSet").values()) == [
        *("A", "A", "AAAA", "AAAA"),
    ]


def test_a_host_outside_the_domain_is_for_whoever_has_its_certificate() -> None:
    stacks = build(domain=DOMAIN, certificate=ARN, services={"hello": service({"hosts": ["www.example.org"]})})

    assert {record["Name"] for record in of_all(stacks, "AWS::Route53::RecordSet").values()} == {
        "shop.example.com",
        "*.shop.example.com",
    }


def test_behind_cloudfront_one_record_leads_all_names_to_it() -> None:
    stacks = build(entry="cloudfront", domain=DOMAIN, services={"hello": service({"hosts": ["orders"]})})

    assert {record["Name"] for record in of_all(stacks, "AWS::Route53::RecordSet").values()} == {
        "shop.example.com",
        "*.shop.example.com",
    }
    config = only(stacks["edge"], "AWS::CloudFront::Distribution")["DistributionConfig"]
    assert config["Aliases"] == ["shop.example.com", "*.shop.example.com"]
    for certificate in of_all(stacks, "AWS::CertificateManager::Certificate").values():
        assert certificate["SubjectAlternativeNames"] == ["*.shop.example.com"]


# --- what cannot work ---------------------------------------------------------------------------------------------


def test_without_a_choice_the_three_ways_are_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        build()

    (problem,) = caught.value.problems
    for way in ("domain: {name: shop.example.com, zone_id: ", "certificate: arn:aws:acm:", "entry: cloudfront"):
        assert way in problem.message


@pytest.mark.parametrize(
    ("settings", "messages"),
    [
        (
            {"entry": "cloudfront", "certificate": ARN},
            ["certificate: must be left out where CloudFront is the entry, got one; choose a domain"],
        ),
        ({"entry": "cloudfront", "health_path": "/"}, ["health_path: must be left out without a domain, got one"]),
        (
            {"entry": "cloudfront", "health_path": "/", "certificate": ARN},
            ["certificate: must be left out", "health_path: must be left out"],
        ),
        (
            {"entry": "cloudfront", "services": {"hello": service({"hosts": ["api.example.com"]})}},
            ["hosts: must be left out without a domain, got 'api.example.com'; choose a domain, or paths"],
        ),
        (
            {"domain": DOMAIN, "services": {"hello": service({"hosts": ["a.b.shop.example.com"]})}},
            ["hosts: must be 'shop.example.com' or names right below it, which the certificate is for, got 'a.b.shop"],
        ),
        (
            {"domain": DOMAIN, "services": {"hello": service({"hosts": ["shop.example.com", "www.example.com"]})}},
            ["which the certificate is for, got 'www.example.com'; write 'orders' for 'orders.shop.example.com'"],
        ),
        (
            {"domain": DOMAIN, "load_balancer": {"idle_timeout": "2h"}},
            ["load balancer 'public': idle_timeout must be 1s to 1h6m40s, got 2h"],
        ),
        ({"domain": {**DOMAIN, "zone": "example.org"}}, ["host must be a name in the zone example.org, got 'shop."]),
        ({"certificate": ARN, "services": {"hello": service({"hosts": ["api"]})}}, ["hosts must be patterns such as"]),
        (
            {"entry": "cloudfront", "services": {f"s{each}": service(f"/{each}/*") for each in range(91)}},
            ["entry: must be 'load-balancer' for over 50 routes, got 'cloudfront', which has one load balancer"],
        ),
    ],
)
def test_what_contradicts_itself_is_refused(settings: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        build(**settings)

    told = str(caught.value)
    assert [message for message in messages if message not in told] == []
    assert len(caught.value.problems) >= len(messages)


def test_each_problem_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "archlib.yaml"
    file.write_text(
        "blueprint: microservices\n"
        "app: shop\n"
        "settings:\n"
        "  domain: {name: shop.example.com, zone_id: Z0123456789ABCDEFGHIJ}\n"
        "  firewall:\n"
        "    rate_limit: 1\n"
        "  load_balancer:\n"
        "    idle_timeout: 2h\n"
        f"  services: {{hello: {{image: '{IMAGE}', routes: ['/*']}}}}\n"
    )

    with pytest.raises(SettingsError) as caught:
        load(file)

    assert [
        (problem.message.split(" must")[0], problem.origin and problem.origin.line) for problem in caught.value.problems
    ] == [
        ("load balancer 'public': idle_timeout", 8),
        ("firewall 'public': rate_limit", 6),
    ]


# --- many routes --------------------------------------------------------------------------------------------------


def many(count: int, **settings: Any) -> dict[str, StackArtifact]:
    names = [f"service{number}" for number in range(count)]
    services = {name: {**service(f"/{name}/*"), "scaling": {"minimum": 2, "maximum": 2}} for name in names}
    return build(domain=DOMAIN, services=services, monitoring={"alarms": False, "dashboard": False}, **settings)


def test_up_to_50_routes_share_one_load_balancer() -> None:
    assert [name for name in many(50) if name.startswith("ingress")] == ["ingress"]


def test_over_50_routes_there_are_more_each_with_its_stack_record_and_firewall() -> None:
    stacks = many(80)

    entries = {name: stack for name, stack in stacks.items() if name.startswith("ingress")}
    assert set(entries) == {"ingress", "ingress-n1"}
    for entry, host in (("ingress", "shop.example.com"), ("ingress-n1", "n1.shop.example.com")):
        assert only(entries[entry], "AWS::Route53::RecordSet")["Name"] == host
        assert only(entries[entry], "AWS::WAFv2::WebACLAssociation")
        assert only(entries[entry], "AWS::ElasticLoadBalancingV2::LoadBalancer")["Scheme"] == "internet-facing"
    assert entries["ingress-n1"].template["Outputs"]["PublicN1Url"]["Value"] == "https://n1.shop.example.com"
    # One certificate for all of them.
    (certificate,) = of_all(stacks, "AWS::CertificateManager::Certificate").values()
    assert certificate["SubjectAlternativeNames"] == ["*.shop.example.com"]
    behind: dict[str, int] = {}
    for name, stack in stacks.items():
        if name.endswith("-service"):
            only(stack, "AWS::ElasticLoadBalancingV2::ListenerRule")
            (shared,) = {other for other in stack.depends_on if "ingress" in other}
            behind[shared] = behind.get(shared, 0) + 1
    assert sum(behind.values()) == 80
    assert max(behind.values()) <= 50


def test_behind_another_load_balancer_each_host_has_its_record() -> None:
    names = [f"service{number}" for number in range(35)]
    services = {name: service({"hosts": [name]}, {"hosts": [name], "paths": ["/a/*"]}) for name in names}
    stacks = build(domain=DOMAIN, services=services, monitoring={"alarms": False, "dashboard": False})

    found = {name: of_type(stacks[f"{name}-service"], "AWS::Route53::RecordSet") for name in names}
    behind = {name: {each for each in stacks[f"{name}-service"].depends_on if "ingress" in each} for name in names}
    assert set(map(str, behind.values())) == {"{'shop-test-ingress'}", "{'shop-test-ingress-n1'}"}
    for name in names:
        first = behind[name] == {"shop-test-ingress"}
        assert [record["Name"] for record in found[name].values()] == ([] if first else [f"{name}.shop.example.com"])

    services["more"] = service({"hosts": ["service1"], "paths": ["/b/*"]})
    with pytest.raises(
        SettingsError, match=r"hosts: must be of one service .* got 'service1\.shop\.example\.com', which"
    ):
        build(domain=DOMAIN, services=services, monitoring={"alarms": False, "dashboard": False})


NAMES = st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True), st.integers(1, MOST), max_size=60)
NAMED = st.tuples(st.from_regex(r"[A-Z]{1,4}", fullmatch=True), st.integers(1, MOST))


def loads(sizes: dict[str, int], placed: dict[str, int]) -> dict[int, int]:
    return {number: sum(sizes[name] for name in placed if placed[name] == number) for number in placed.values()}


@given(NAMES)
def test_every_name_has_a_shard_and_none_is_over_capacity(sizes: dict[str, int]) -> None:
    placed = shards(sizes, MOST)

    assert placed.keys() == sizes.keys()
    assert all(load <= MOST for load in loads(sizes, placed).values())
    assert sum(sizes.values()) > MOST or set(placed.values()) <= {0}


@given(NAMES, st.randoms())
def test_the_order_of_the_names_does_not_matter(sizes: dict[str, int], random: Any) -> None:
    names = list(sizes)
    random.shuffle(names)

    assert shards({name: sizes[name] for name in names}, MOST) == shards(sizes, MOST)


@given(NAMES, NAMED)
def test_a_new_name_moves_only_those_whose_shard_it_fills(sizes: dict[str, int], new: tuple[str, int]) -> None:
    name, size = new
    before, after = shards(sizes, MOST), shards({**sizes, name: size}, MOST)
    moved = {each: before[each] for each in before if before[each] != after[each]}

    # The other way round, what a name that goes away moves is what it moved when it came.
    assert len(set(moved.values())) <= 1
    for number in moved.values():
        assert loads(sizes, before)[number] + size > MOST


def test_a_target_that_is_too_large_for_any_shard_has_one_of_its_own() -> None:
    placed = shards({"large": MOST + 5, "a": 1, "b": 1, "c": 1}, MOST)

    assert [name for name in placed if placed[name] == placed["large"]] == ["large"]
