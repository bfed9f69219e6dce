from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import Stack
from archlib.components.edge.distribution import Distribution
from archlib.components.edge.health_check import HealthCheck
from archlib.components.edge.origins import HttpsOrigin
from archlib.components.edge.record import Alias, Failover, Latency, Record, Weighted
from archlib.components.edge.zone import Zone
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]
ZONE = Zone.lookup(zone_id="Z0123456789ABCDEFGHIJ", domain="example.com")
BALANCER = Alias("shop-0123456789.us-east-1.elb.amazonaws.com", "Z35SXDOTRQ7X7K")


def test_an_alias_answers_with_both_kinds_of_addresses(stack: Stack, rendered: Rendered) -> None:
    Record(stack, "shop", zone=ZONE, host="shop.example.com", alias=BALANCER)

    found = rendered()

    for title, kind in (("ShopRecord", "A"), ("ShopIpv6Record", "AAAA")):
        assert found[title]["Properties"] == {
            "AliasTarget": {
                "DNSName": BALANCER.dns_name,
                "EvaluateTargetHealth": True,
                "HostedZoneId": "Z35SXDOTRQ7X7K",
            },
            "HostedZoneId": "Z0123456789ABCDEFGHIJ",
            "Name": "shop.example.com",
            "Type": kind,
        }


def test_ipv6_can_be_left_out(stack: Stack, rendered: Rendered) -> None:
    Record(stack, "shop", zone=ZONE, host="shop.example.com", alias=BALANCER, ipv6=False)

    assert list(rendered()) == ["ShopRecord"]


def test_the_health_of_a_distribution_cannot_be_evaluated(stack: Stack, rendered: Rendered) -> None:
    site = Distribution(stack, "site", origin=HttpsOrigin("origin.example.com"))
    Record(stack, "shop", zone=ZONE, host="example.com", alias=site)

    assert rendered()["ShopRecord"]["Properties"]["AliasTarget"] == {
        "DNSName": {"Fn::GetAtt": ["SiteDistribution", "DomainName"]},
        "EvaluateTargetHealth": False,
        "HostedZoneId": "Z2FDTNDATAQYW2",
    }


def test_plain_values_have_a_time_to_live(stack: Stack, rendered: Rendered) -> None:
    zone = Zone(stack, "company", domain="example.com")
    Record(
        stack, "mail", zone=zone, host="example.com", type="MX", values=["10 mail.example.com"], ttl=timedelta(hours=1)
    )

    assert rendered()["MailRecord"]["Properties"] == {
        "HostedZoneId": {"Ref": "CompanyZone"},
        "Name": "example.com",
        "ResourceRecords": ["10 mail.example.com"],
        "TTL": "3600",
        "Type": "MX",
    }


@pytest.mark.parametrize(
    ("routing", "wanted"),
    [
        (Failover("secondary"), {"Failover": "SECONDARY"}),
        (Failover("primary"), {"Failover": "PRIMARY"}),
        (Weighted(0), {"Weight": 0}),
        (Latency("eu-west-1"), {"Region": "eu-west-1"}),
    ],
)
def test_one_of_several_records_is_chosen(
    stack: Stack, rendered: Rendered, routing: Any, wanted: dict[str, Any]
) -> None:
    check = HealthCheck(stack, "shop", host="shop.example.com")
    Record(
        stack, "shop-eu", zone=ZONE, host="shop.example.com", values=["192.0.2.1"], routing=routing, health_check=check
    )

    found = rendered()["ShopEuRecord"]["Properties"]

    assert found["SetIdentifier"] == "shop-eu"
    assert found["HealthCheckId"] == {"Fn::GetAtt": ["ShopHealthCheck", "HealthCheckId"]}
    assert {name: found.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"host": "shop.example.org", "alias": BALANCER}, "host must be a name in the zone example.com"),
        ({"host": "notexample.com", "alias": BALANCER}, "host must be a name in the zone example.com"),
        ({"host": "SHOP.example.com", "alias": BALANCER}, "host must be a host name such as shop.example.com"),
        ({}, "alias must be given, or else values, got nothing"),
        ({"alias": BALANCER, "values": ["192.0.2.1"]}, "alias must be given, or else values, got 'both'"),
        ({"values": ["x"], "type": "PTR"}, "type must be one of A, AAAA"),
        (
            {"host": "example.com", "values": ["x.example.org"], "type": "CNAME"},
            "type must be not CNAME for the domain",
        ),
        ({"values": ["x"], "ttl": timedelta(days=8)}, "ttl must be 0s to 7d, got 8d"),
        ({"values": ["x"], "routing": Weighted(256)}, "routing.weight must be 0 to 255, got 256"),
        ({"values": ["x"], "routing": Latency("Europe")}, "routing.region must be a region such as eu-west-1"),
        ({"values": ["x"], "routing": Failover("primary")}, "health_check must be given for a primary record"),
        ({"values": ["x"], "routing": Failover("third")}, "routing.role must be one of primary, secondary"),  # type: ignore[arg-type]
    ],
)
def test_refuses_what_route_53_would(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Record(stack, "shop", zone=ZONE, **{"host": "shop.example.com", **settings})


def test_a_load_balancer_is_its_own_health_check(stack: Stack, rendered: Rendered) -> None:
    Record(stack, "shop", zone=ZONE, host="shop.example.com", alias=BALANCER, routing=Failover("primary"))

    found = rendered()["ShopRecord"]["Properties"]

    assert found["Failover"] == "PRIMARY"
    assert "HealthCheckId" not in found
