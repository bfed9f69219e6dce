from __future__ import annotations

from typing import Any

from local_stacks import Stacks, template


def test_an_archive_is_on_its_bus(stacks: Stacks) -> None:
    def stack(**properties: Any) -> Any:
        source = {"Fn::GetAtt": ["Bus", "Arn"]}
        return template(
            {
                "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "shop"}},
                "Archive": {"Type": "AWS::Events::Archive", "Properties": {"SourceArn": source, **properties}},
            },
            {"Arn": {"Fn::GetAtt": ["Archive", "Arn"]}},
        )

    events = stacks.client("events")
    assert stacks.apply(stack(RetentionDays=30)) == "CREATE_COMPLETE"
    name = stacks.resources("any")["Archive"]
    assert stacks.outputs("any")["Arn"].endswith(f":archive/{name}")
    assert stacks.apply(stack(RetentionDays=7, EventPattern={"source": ["shop"]})) == "UPDATE_COMPLETE"

    found = events.describe_archive(ArchiveName=name)
    assert (found["RetentionDays"], found["EventPattern"]) == (7, '{"source": ["shop"]}')
    assert found["EventSourceArn"].endswith("event-bus/shop")

    assert stacks.remove("any") == "DELETE_COMPLETE"
    assert events.list_archives()["Archives"] == []


def test_a_health_check_is_in_route_53(stacks: Stacks) -> None:
    def stack(path: str) -> Any:
        config = {"Type": "HTTPS", "FullyQualifiedDomainName": "example.com", "ResourcePath": path}
        check = {"Type": "AWS::Route53::HealthCheck", "Properties": {"HealthCheckConfig": config}}
        return template({"Check": check}, {"Id": {"Fn::GetAtt": ["Check", "HealthCheckId"]}})

    route53 = stacks.client("route53")
    stacks.apply(stack("/old"))
    check = stacks.resources("any")["Check"]
    assert stacks.outputs("any") == {"Id": check}
    assert stacks.apply(stack("/new")) == "UPDATE_COMPLETE"

    found = route53.get_health_check(HealthCheckId=check)["HealthCheck"]
    assert found["HealthCheckConfig"]["ResourcePath"] == "/new"
    assert found["HealthCheckVersion"] == 2

    stacks.remove("any")
    assert route53.list_health_checks()["HealthChecks"] == []


def test_a_firewall_stands_in_front_of_what_it_is_associated_with(stacks: Stacks) -> None:
    stage = "arn:aws:apigateway:eu-west-1::/restapis/abc/stages/live"
    acl = {
        "Scope": "REGIONAL",
        "DefaultAction": {"Allow": {}},
        "VisibilityConfig": {
            "CloudWatchMetricsEnabled": True,
            "MetricName": "edge",
            "SampledRequestsEnabled": True,
        },
    }
    arn = {"Fn::GetAtt": ["Firewall", "Arn"]}
    association = {"Type": "AWS::WAFv2::WebACLAssociation", "Properties": {"ResourceArn": stage, "WebACLArn": arn}}
    firewall = {"Firewall": {"Type": "AWS::WAFv2::WebACL", "Properties": acl}}
    waf = stacks.client("wafv2")

    def guarded() -> list[str]:
        (found,) = waf.list_web_acls(Scope="REGIONAL")["WebACLs"]
        return list(waf.list_resources_for_web_acl(WebACLArn=found["ARN"])["ResourceArns"])

    assert stacks.apply(template({**firewall, "Association": association})) == "CREATE_COMPLETE"
    assert guarded() == [stage]

    assert stacks.apply(template(firewall)) == "UPDATE_COMPLETE"
    assert guarded() == []
