from collections.abc import Callable
from typing import Any

import pytest

from archlib import Stack
from archlib.components.edge.firewall import Firewall
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError

Rendered = Callable[[], dict[str, Any]]


def rules(made: dict[str, Any]) -> dict[str, Any]:
    listed = made["ShieldFirewall"]["Properties"]["Rules"]
    assert [rule["Priority"] for rule in listed] == list(range(len(listed)))
    return {rule["Name"]: rule for rule in listed}


def test_managed_rules_and_a_limit_block_what_is_bad(stack: Stack, rendered: Rendered) -> None:
    Firewall(stack, "shield", rate_limit=500)

    made = rendered()
    found = rules(made)

    assert list(found) == ["rate-limit", "ip-reputation", "common", "known-bad-inputs"]
    assert found["rate-limit"]["Statement"]["RateBasedStatement"] == {
        "AggregateKeyType": "IP",
        "EvaluationWindowSec": 300,
        "Limit": 500,
    }
    assert found["rate-limit"]["Action"] == {"Block": {}}
    assert found["common"]["Statement"]["ManagedRuleGroupStatement"] == {
        "Name": "AWSManagedRulesCommonRuleSet",
        "VendorName": "AWS",
    }
    assert found["common"]["OverrideAction"] == {"None": {}}
    assert made["ShieldFirewall"]["Properties"]["DefaultAction"] == {"Allow": {}}
    assert made["ShieldFirewall"]["Properties"]["Scope"] == "REGIONAL"


def test_sql_is_looked_for_when_asked_and_a_rule_can_only_count(stack: Stack, rendered: Rendered) -> None:
    Firewall(stack, "shield", sql_injection=True, counted={"common": ["SizeRestrictions_BODY"]})

    found = rules(rendered())

    assert list(found)[-1] == "sql-injection"
    assert found["common"]["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"] == [
        {"ActionToUse": {"Count": {}}, "Name": "SizeRestrictions_BODY"}
    ]
    assert "RuleActionOverrides" not in found["sql-injection"]["Statement"]["ManagedRuleGroupStatement"]


def test_denied_addresses_come_first_and_allowed_ones_before_every_other_rule(stack: Stack, rendered: Rendered) -> None:
    Firewall(stack, "shield", denied=["203.0.113.0/24", "2001:db8::/32", "192.0.2.0/24"], allowed=["198.51.100.7/32"])

    made = rendered()
    found = rules(made)

    assert list(found)[:4] == ["denied-ipv4", "denied-ipv6", "allowed-ipv4", "rate-limit"]
    assert (found["denied-ipv4"]["Action"], found["allowed-ipv4"]["Action"]) == ({"Block": {}}, {"Allow": {}})
    assert found["denied-ipv6"]["Statement"] == {
        "IPSetReferenceStatement": {"Arn": {"Fn::GetAtt": ["ShieldDeniedIpv6", "Arn"]}}
    }
    assert made["ShieldDeniedIpv4"]["Properties"]["Addresses"] == ["192.0.2.0/24", "203.0.113.0/24"]
    assert made["ShieldDeniedIpv6"]["Properties"]["IPAddressVersion"] == "IPV6"
    assert "ShieldAllowedIpv6" not in made


def test_the_log_is_encrypted_and_holds_no_credentials(stack: Stack, rendered: Rendered) -> None:
    Firewall(stack, "shield")

    made = rendered()
    logging = made["ShieldFirewallLogging"]["Properties"]

    assert made["ShieldFirewallLogGroup"]["Properties"]["LogGroupName"] == "aws-waf-logs-shop-test-shield"
    assert made["ShieldFirewallLogGroup"]["Properties"]["KmsKeyId"] == {"Ref": "AppKeyArn"}
    assert logging["ResourceArn"] == {"Fn::GetAtt": ["ShieldFirewall", "Arn"]}
    assert logging["LogDestinationConfigs"][0]["Fn::Sub"].endswith(":log-group:${ShieldFirewallLogGroup}")
    assert logging["RedactedFields"] == [
        {"SingleHeader": {"Name": "authorization"}},
        {"SingleHeader": {"Name": "cookie"}},
    ]
    assert [
        each["Field"]["FieldType"]
        for each in made["ShieldFirewall"]["Properties"]["DataProtectionConfig"]["DataProtections"]
    ] == ["SINGLE_HEADER", "SINGLE_COOKIE"]


def test_stands_before_what_it_is_told_to(stack: Stack, rendered: Rendered) -> None:
    Firewall(stack, "shield").protect("arn:aws:apigateway:eu-west-1::/restapis/a/stages/live", label="shop-api")

    assert rendered()["ShieldShopApiAssociation"]["Properties"] == {
        "ResourceArn": "arn:aws:apigateway:eu-west-1::/restapis/a/stages/live",
        "WebACLArn": {"Fn::GetAtt": ["ShieldFirewall", "Arn"]},
    }


def test_distributions_refer_to_a_firewall_of_theirs(stack: Stack, rendered: Rendered) -> None:
    firewall = Firewall(stack, "shield", scope="cloudfront", denied=["203.0.113.0/24"])

    made = rendered()

    assert encode(firewall.arn) == {"Fn::GetAtt": ["ShieldFirewall", "Arn"]}
    assert {made[name]["Properties"]["Scope"] for name in ("ShieldFirewall", "ShieldDeniedIpv4")} == {"CLOUDFRONT"}
    with pytest.raises(WiringError, match="scope must be 'regional' for 'shop', got 'cloudfront'"):
        firewall.protect("arn", label="shop")


@pytest.mark.parametrize(
    ("scope", "dimensions"),
    [("regional", {"Region": {"Ref": "AWS::Region"}, "Rule": "ALL"}), ("cloudfront", {"Rule": "ALL"})],
)
def test_blocked_requests_are_watched(stack: Stack, scope: Any, dimensions: dict[str, Any]) -> None:
    (watch,) = Firewall(stack, "shield", scope=scope).watches()

    assert watch.metric == "BlockedRequests"
    assert encode(watch.dimensions) == dimensions | {"WebACL": "shield"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"scope": "global"}, "scope must be one of regional, cloudfront"),
        ({"rate_limit": 9}, "rate_limit must be 10 to"),
        ({"counted": {"sql-injection": []}}, "counted must be one of ip-reputation, common, known-bad-inputs"),
        (
            {"denied": ["203.0.113.7"]},
            "denied must be a block of addresses .*; write '203.0.113.7/32'",
        ),
        ({"denied": ["203.0.113.7/24"]}, "denied must be a block of addresses .*; write '203.0.113.0/24'"),
        ({"denied": ["0.0.0.0/0"]}, "denied must be narrower than all addresses"),
        ({"allowed": ["shop.example.com/32"]}, "allowed must be a block of addresses"),
        ({"allowed": ["10.0.0.0/8"] * 10_001}, "allowed must be at most 10000 blocks, got 10001"),
    ],
)
def test_refuses_settings_that_cannot_work(stack: Stack, settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        Firewall(stack, "shield", **settings)
