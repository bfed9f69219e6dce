from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.edge.zone import Zone
from archlib.components.network.vpc import Vpc
from archlib.core.values import encode
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]


def test_a_zone_outlives_its_stack(stack: Stack, rendered: Rendered) -> None:
    zone = Zone(stack, "company", domain="example.com")

    found = rendered()["CompanyZone"]

    assert found["DeletionPolicy"] == "Retain"
    assert found["Properties"]["Name"] == "example.com"
    assert encode([zone.zone_id, zone.name_servers]) == [
        {"Ref": "CompanyZone"},
        {"Fn::GetAtt": ["CompanyZone", "NameServers"]},
    ]


def test_the_id_of_an_existing_zone_is_checked() -> None:
    assert Zone.lookup(zone_id="Z0123456789ABCDEFGHIJ", domain="example.com").domain == "example.com"

    for wrong in ("example.com", "/hostedzone/Z0123456789ABCDEFGHIJ", "z0123", ""):
        with pytest.raises(SettingsError, match=f"zone 'example.com': zone_id must be an id such as .*, got '{wrong}'"):
            Zone.lookup(zone_id=wrong, domain="example.com")


def test_a_private_zone_is_seen_by_its_networks_only(stack: Stack, rendered: Rendered) -> None:
    network = Vpc.lookup(vpc_id="vpc-0123456789abcdef0", private_subnets=["subnet-0123456789abcdef0"])
    Zone(stack, "company", domain="shop.internal", networks=[network])

    assert rendered()["CompanyZone"]["Properties"]["VPCs"] == [
        {"VPCId": "vpc-0123456789abcdef0", "VPCRegion": {"Ref": "AWS::Region"}}
    ]


def test_queries_are_logged_when_asked(app: App, rendered: Rendered) -> None:
    stack = Stack(app, "names", region="us-east-1")
    Zone(stack, "company", domain="example.com", log_queries=True, log_retention_days=400)

    found = rendered()

    group = found["CompanyZoneLogGroup"]["Properties"]
    assert (group["LogGroupName"], group["RetentionInDays"]) == ("/aws/route53/example.com", 400)
    assert found["CompanyZone"]["DependsOn"] == "CompanyZoneLogPolicy"
    assert "CloudWatchLogsLogGroupArn" in found["CompanyZone"]["Properties"]["QueryLoggingConfig"]
    (statement,) = found["CompanyZoneLogPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "route53.amazonaws.com"}
    assert statement["Resource"] == {"Fn::GetAtt": ["CompanyZoneLogGroup", "Arn"]}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"domain": "example"}, "domain must be a host name such as shop.example.com, got 'example'"),
        ({"domain": "example.com", "log_queries": True}, "stack must be one of region us-east-1, for log_queries"),
    ],
)
def test_refuses_what_route_53_would(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=f"zone 'company': {message}"):
        Zone(stack, "company", **settings)


def test_a_private_zone_logs_nothing(app: App) -> None:
    network = Vpc.lookup(vpc_id="vpc-0123456789abcdef0", private_subnets=["subnet-0123456789abcdef0"])

    with pytest.raises(SettingsError, match="log_queries must be false for a private zone, got true"):
        Zone(
            Stack(app, "names", region="us-east-1"), "company", domain="shop.internal", networks=[network],
            log_queries=True,
        )  # fmt: skip
