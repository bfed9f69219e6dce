from __future__ import annotations

from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.balancing.application import ApplicationLoadBalancer
from archlib.components.balancing.target_groups import HealthCheck, Spread
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.network.vpc import Vpc
from archlib.errors import SettingsError, WiringError
from archlib.units import parse_duration
from contract.factories.balancing import CERTIFICATE, Backend, backend


class Shop:
    """A load balancer in its own stack, and services in theirs."""

    def __init__(self, **settings: Any) -> None:
        self.app = App("shop", "test")
        self.network = Vpc(Stack(self.app, "network"), "main", public=True)
        settings = {"certificate": CERTIFICATE, **settings}
        self.balancer = ApplicationLoadBalancer(Stack(self.app, "ingress"), "public", network=self.network, **settings)

    def service(self, name: str) -> Backend:
        return backend(self.app.stack(name), name, self.network)

    def templates(self) -> dict[str, Any]:
        return {stack.name.removeprefix("shop-test-"): stack.template["Resources"] for stack in self.app.assemble()}


def test_a_public_one_takes_tls_from_everyone_and_nothing_else() -> None:
    shop = Shop()

    found = shop.templates()["ingress"]

    listener = found["PublicListener"]["Properties"]
    assert (listener["Port"], listener["Protocol"]) == (443, "HTTPS")
    assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert listener["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"] == "404"
    (way_in,) = found["PublicLoadBalancerSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert (way_in["CidrIp"], way_in["FromPort"], way_in["ToPort"]) == ("0.0.0.0/0", 443, 443)
    assert found["PublicLoadBalancer"]["Properties"]["Scheme"] == "internet-facing"
    assert not [name for name in found if name.endswith(("Ingress", "RedirectListener"))]


def test_access_logs_go_under_its_name_to_the_bucket_that_admits_them() -> None:
    shop = Shop()

    found = shop.templates()

    attributes = {
        each["Key"]: each["Value"]
        for each in found["ingress"]["PublicLoadBalancer"]["Properties"]["LoadBalancerAttributes"]
    }
    assert attributes["access_logs.s3.prefix"] == "public"
    assert attributes["deletion_protection.enabled"] == "true"
    statements = found["foundation"]["AccessLogsBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (admitted,) = [each for each in statements if "elasticloadbalancing" in str(each["Principal"])]
    assert admitted["Resource"] == {"Fn::Sub": "${AccessLogsBucket.Arn}/public/AWSLogs/${AWS::AccountId}/*"}


def test_an_internal_one_is_closed_to_the_internet() -> None:
    shop = Shop(internal=True)

    found = shop.templates()["ingress"]

    assert found["PublicLoadBalancer"]["Properties"]["Scheme"] == "internal"
    assert "SecurityGroupIngress" not in found["PublicLoadBalancerSecurityGroup"]["Properties"]


def test_port_80_opens_only_for_a_redirect() -> None:
    shop = Shop(redirect_http=True)

    found = shop.templates()["ingress"]

    (action,) = found["PublicRedirectListener"]["Properties"]["DefaultActions"]
    assert action["RedirectConfig"] == {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    ports = {
        each["FromPort"] for each in found["PublicLoadBalancerSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    }
    assert ports == {80, 443}


def test_plain_http_is_a_waiver_with_its_reason() -> None:
    shop = Shop(certificate=None, plain_http="A test network without names")

    (stack,) = [each for each in shop.app.assemble() if each.name == "shop-test-ingress"]

    assert stack.template["Resources"]["PublicListener"]["Properties"]["Protocol"] == "HTTP"
    assert {(each.resource, each.reason) for each in stack.waivers} == {
        ("PublicListener", "A test network without names")
    }


def test_a_route_is_made_beside_its_target_and_opens_exactly_the_way_there() -> None:
    shop = Shop()
    orders = shop.service("orders")

    group = shop.balancer.route(orders, paths=["/orders/*"], health=HealthCheck("/health"))

    assert orders.group == group
    templates = shop.templates()
    assert not [name for name in templates["ingress"] if "Orders" in name]
    found = templates["orders"]
    target_group = found["OrdersPublicTargetGroup"]["Properties"]
    assert (target_group["Port"], target_group["HealthCheckPath"]) == (8080, "/health")
    rule = found["OrdersPublicRule"]["Properties"]
    assert rule["Conditions"] == [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/orders/*"]}}]
    ingress = found["PublicToOrders8080Ingress"]["Properties"]
    egress = found["PublicToOrders8080Egress"]["Properties"]
    assert ingress["GroupId"] == {"Fn::GetAtt": ["OrdersSecurityGroup", "GroupId"]}
    assert ingress["SourceSecurityGroupId"] == egress["GroupId"]
    assert egress["DestinationSecurityGroupId"] == ingress["GroupId"]


def test_a_function_is_admitted_before_its_group_holds_it() -> None:
    shop = Shop()
    hello = Function(shop.app.stack("hello"), "hello", code=Code(inline="def handler(e, c): pass"))

    shop.balancer.route(hello, paths=["/hello"])

    found = shop.templates()["hello"]
    assert found["HelloPublicTargetGroup"]["DependsOn"] == "HelloFromPublicPermission"
    assert found["HelloPublicTargetGroup"]["Properties"]["TargetType"] == "lambda"
    permission = found["HelloFromPublicPermission"]["Properties"]
    assert permission["Principal"] == "elasticloadbalancing.amazonaws.com"
    assert permission["SourceAccount"] == {"Ref": "AWS::AccountId"}


def priorities(shop: Shop) -> dict[str, int]:
    return {
        name: node["Properties"]["Priority"]
        for template in shop.templates().values()
        for name, node in template.items()
        if node["Type"] == "AWS::ElasticLoadBalancingV2::ListenerRule"
    }


def test_more_particular_routes_come_first() -> None:
    shop = Shop()
    shop.balancer.route(shop.service("all"), paths=["/*"])
    shop.balancer.route(shop.service("api"), paths=["/api/*"])
    shop.balancer.route(shop.service("orders"), paths=["/api/orders/*"])
    shop.balancer.route(shop.service("admin"), hosts=["admin.example.com"])

    found = priorities(shop)

    assert sorted(found, key=lambda name: found[name]) == [
        "AdminPublicRule", "OrdersPublicRule", "ApiPublicRule", "AllPublicRule",
    ]  # fmt: skip


def test_adding_or_removing_a_route_moves_no_other() -> None:
    def numbers(names: list[str]) -> dict[str, int]:
        shop = Shop()
        for name in names:
            shop.balancer.route(shop.service(name), paths=[f"/{name}/*"])
        return priorities(shop)

    names = [f"service-{chr(97 + number // 9)}{chr(97 + number % 9)}" for number in range(40)]
    whole = numbers(names)

    for missing in (names[0], names[20], names[39]):
        rest = numbers([name for name in names if name != missing])
        assert rest == {name: number for name, number in whole.items() if name in rest}
    assert len(set(whole.values())) == len(names)


def test_two_routes_never_share_conditions_or_a_priority() -> None:
    shop = Shop()
    shop.balancer.route(shop.service("orders"), paths=["/orders/*"], priority=5)

    with pytest.raises(WiringError, match=r"conditions of route 'carts' must be its own, but route 'orders'"):
        shop.balancer.route(shop.service("carts"), paths=["/orders/*"])
    with pytest.raises(WiringError, match="priority of route 'books' must be its own"):
        shop.balancer.route(shop.service("books"), paths=["/books/*"], priority=5)


def test_one_target_has_one_group_and_many_routes() -> None:
    shop = Shop()
    orders = shop.service("orders")
    shop.balancer.route(orders, paths=["/orders/*"])
    shop.balancer.route(orders, paths=["/carts/*"], label="carts")

    found = shop.templates()["orders"]

    assert [name for name in found if name.endswith("TargetGroup")] == ["OrdersPublicTargetGroup"]
    assert {name for name in found if name.endswith("Rule")} == {"OrdersPublicRule", "OrdersCartsPublicRule"}
    with pytest.raises(WiringError, match="health and spread of 'orders' must be the same"):
        shop.balancer.route(orders, paths=["/x"], label="x", health=HealthCheck("/other"))


def test_requests_are_split_by_weight() -> None:
    shop = Shop()

    stack = Stack(shop.app, "colours")
    blue, green = backend(stack, "blue", shop.network), backend(stack, "green", shop.network)

    shop.balancer.split({blue: 90, green: 10}, paths=["/*"])

    (action,) = shop.templates()["colours"]["GreenSplitPublicRule"]["Properties"]["Actions"]
    assert [each["Weight"] for each in action["ForwardConfig"]["TargetGroups"]] == [90, 10]
    assert blue.group.ready == green.group.ready == "GreenSplitPublicRule"
    with pytest.raises(SettingsError, match=r"targets must be in one stack, as each waits .* got \['a', 'b'\]"):
        shop.balancer.split({shop.service("a"): 1, shop.service("b"): 1}, paths=["/x"])


def test_a_service_that_moves_requests_gets_an_alternate_group() -> None:
    shop = Shop()
    orders = shop.service("orders")
    orders.moves = True

    shop.balancer.route(orders, paths=["/*"], label="all")

    found = shop.templates()["orders"]
    (action,) = found["OrdersAllPublicRule"]["Properties"]["Actions"]
    assert [each["Weight"] for each in action["ForwardConfig"]["TargetGroups"]] == [1, 0]
    assert "OrdersPublicAlternateTargetGroup" in found
    assert orders.group.ready == "OrdersAllPublicRule"


def test_over_a_hundred_routes_are_refused() -> None:
    shop = Shop()
    for number in range(100):
        shop.balancer.respond(
            f"answer-{chr(97 + number // 26)}{chr(97 + number % 26)}", status=200, paths=[f"/{number}"]
        )

    with pytest.raises(WiringError, match="at most 100 routes"):
        shop.balancer.respond("one-more", status=200, paths=["/more"])


def test_cloudfront_gets_in_by_its_prefix_list() -> None:
    shop = Shop(internal=True)
    shop.balancer.admit_cloudfront()
    shop.balancer.admit_cloudfront()

    (stack,) = [each for each in shop.app.assemble() if each.name == "shop-test-ingress"]

    rule = stack.template["Resources"]["PublicCloudfrontIngress"]["Properties"]
    assert rule["SourcePrefixListId"] == {"Ref": "CloudfrontPrefixList"}
    assert stack.parameters["CloudfrontPrefixList"].kind == "prefix-list"


def test_watches_itself_and_overlooks_its_targets() -> None:
    shop = Shop()
    shop.balancer.route(shop.service("orders"), paths=["/orders/*"])

    assert [watch.name for watch in shop.balancer.watches()] == ["errors", "latency", "rejected"]
    assert {each.metric for each in shop.balancer.overviews()} == {
        "RequestCount",
        "TargetResponseTime",
        "UnHealthyHostCount",
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"certificate": None}, "certificate must be given, or else plain_http"),
        ({"plain_http": "no reason at all"}, "certificate must be given, or else plain_http"),
        ({"certificate": None, "plain_http": "for a test only", "redirect_http": True}, "redirect_http must be false"),
        ({"idle_timeout": parse_duration("2h")}, "idle_timeout must be 1s to "),
        ({"certificate": "shop"}, "certificate must be the ARN of a certificate in the same region"),
        ({"more_certificates": ["shop"]}, "more_certificates must be the ARN of a certificate"),
        ({"more_certificates": [CERTIFICATE] * 26}, "more_certificates must be 0 to 25"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Shop(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "paths must be given, or hosts"),
        ({"paths": ["orders"]}, r"paths must be patterns such as '/orders/\*'"),
        ({"paths": ["/a", "/b", "/c", "/d", "/e", "/f"]}, "paths must be at most 5 values"),
        ({"hosts": ["nonsense"]}, "hosts must be patterns such as 'api.example.com'"),
        ({"hosts": ["API.example.com"]}, "hosts must be patterns .*, got 'API.example.com'; write 'api.example.com'"),
        ({"hosts": ["-a.example.com"]}, "hosts must be patterns"),
        ({"addresses": ["10.0.0.1/8"]}, "addresses must be a block of addresses .*; write '10.0.0.0/8'"),
        ({"paths": ["/x"], "methods": ["LOAD"]}, "methods must be one of GET"),
        ({"paths": ["/x"], "headers": {"X Y": ["1"]}}, "headers must be named as HTTP names headers"),
        ({"paths": ["/x"], "priority": 50_000}, "priority must be 1 to 49000"),
        ({"paths": ["/x"], "health": HealthCheck("health")}, "health.path must be a path such as '/health'"),
        ({"paths": ["/x"], "health": HealthCheck("/a b")}, "health.path must be a path such as '/health'"),
        ({"paths": ["/x"], "health": HealthCheck(codes="ok")}, "health.codes must be like '200'"),
        ({"paths": ["/x"], "spread": Spread(slow_start=parse_duration("1m"))}, "spread.slow_start must be left out"),
        ({"paths": ["/x"], "spread": Spread(drain=parse_duration("2h"))}, "spread.drain must be 0s to 1h"),
    ],
)
def test_bad_routes_are_refused(settings: dict[str, Any], message: str) -> None:
    shop = Shop()

    with pytest.raises(SettingsError, match=message):
        shop.balancer.route(shop.service("orders"), **settings)


def test_a_bad_answer_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        Shop().balancer.respond("moved", status=301, content_type="image/png", body="x" * 2000, paths=["/"])

    assert [problem.field for problem in caught.value.problems] == ["status", "content_type", "body"]
