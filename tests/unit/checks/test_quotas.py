from __future__ import annotations

from typing import Any

import pytest
from troposphere import ec2

from archlib import App, Stack
from archlib.checks import Finding, check
from archlib.checks.quotas import crowded_groups
from archlib.components.network.security_group import SecurityGroup
from archlib.core.app import Layout, Links
from archlib.core.artifact import ParameterSource, StackArtifact

GROUP = {"Fn::GetAtt": ["Web", "GroupId"]}


def shop(callers: int, *, layout: Layout = "layered", links: Links = "parameters") -> tuple[StackArtifact, ...]:
    """Return the stacks of an app in which ``callers``, each of its own stack, may call one security group."""
    app = App("shop", "test", layout=layout, links=links)
    group = SecurityGroup(Stack(app, "network"), "web", vpc_id="vpc-01234567")
    for number in range(callers):
        stack = Stack(app, f"caller-n{number}")
        stack.add(
            ec2.SecurityGroupIngress(
                f"Caller{number}", GroupId=group.group_id, IpProtocol="tcp", FromPort=443, ToPort=443,
                SourceSecurityGroupId=f"sg-{number:08}",
            )
        )  # fmt: skip
    return app.assemble()


def ingress(**rule: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {"GroupId": GROUP, **rule}}


def found(resources: dict[str, Any], **more: Any) -> list[Finding]:
    web = {"Type": "AWS::EC2::SecurityGroup", "Properties": more.pop("web", {})}
    return list(crowded_groups([StackArtifact("shop", {"Resources": {"Web": web, **resources}}, **more)]))


@pytest.mark.parametrize("links", ["parameters", "exports", "stack-output"])
@pytest.mark.parametrize("layout", ["layered", "single"])
def test_rules_of_all_stacks_count(layout: Layout, links: Links) -> None:
    assert list(crowded_groups(shop(60, layout=layout, links=links))) == []

    (finding,) = crowded_groups(shop(61, layout=layout, links=links))

    assert (finding.rule, finding.severity) == ("W9002", "warning")
    assert finding.stack == ("shop-test-network" if layout == "layered" else "shop-test")
    assert finding.resource == "WebSecurityGroup"
    assert finding.message == (
        "security group gets 61 ingress rules from all stacks, and an account allows 60 by default; have the quota "
        "'Inbound or outbound rules per security group' raised before deploying"
    )


def test_a_check_of_the_app_tells_it_with_the_line_of_the_group() -> None:
    found = [finding for finding in check(shop(61), cache=False, lint=lambda *_: [[]] * 62) if finding.rule == "W9002"]

    assert [finding.origin and finding.origin.file for finding in found] == [__file__]


def test_both_versions_of_ip_have_their_own_count() -> None:
    def blocks(version: str, count: int) -> dict[str, Any]:
        return {f"{version}{each}": ingress(**{version: str(each)}) for each in range(count)}

    assert found({**blocks("CidrIp", 60), **blocks("CidrIpv6", 60)}) == []
    assert len(found(blocks("CidrIp", 61))) == 1
    assert len(found(blocks("CidrIpv6", 61))) == 1


def test_rules_inside_the_group_and_both_directions_count() -> None:
    rules = [{"CidrIp": f"10.0.{each}.0/24"} for each in range(61)]

    assert found({}, web={"SecurityGroupIngress": rules[:40], "SecurityGroupEgress": rules[:40]}) == []
    (finding,) = found({}, web={"SecurityGroupIngress": rules[:40], "SecurityGroupEgress": rules})
    assert "61 egress rules" in finding.message


def test_the_list_of_cloudfront_counts_as_what_it_may_hold() -> None:
    sources = {
        "List": ParameterSource("prefix-list", output="cloudfront"),
        "S3": ParameterSource("prefix-list", output="s3"),
    }
    lists = {name: ingress(SourcePrefixListId={"Ref": name}) for name in sources}
    more = {f"More{each}": ingress(SourceSecurityGroupId=f"sg-{each}") for each in range(5)}

    assert found({**lists, **dict(list(more.items())[:4])}, parameters=sources) == []
    assert len(found({**lists, **more}, parameters=sources)) == 1


def test_a_template_of_others_may_write_the_group_as_text() -> None:
    rules = {f"Rule{each}": ingress(CidrIp=str(each)) for each in range(61)}
    for rule in rules.values():
        rule["Properties"]["GroupId"] = {"Fn::GetAtt": "Web.GroupId"}

    assert [finding.resource for finding in found(rules)] == ["Web"]


@pytest.mark.parametrize(
    "resource",
    [
        None,
        [],
        {},
        {"Type": "AWS::EC2::SecurityGroup", "Properties": {"SecurityGroupIngress": {"Ref": "Rules"}}},
        {"Type": "AWS::EC2::SecurityGroup", "Properties": {"SecurityGroupEgress": [None]}},
        {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": None},
        {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {"GroupId": "sg-01234567"}},
        {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {"GroupId": {"Fn::ImportValue": "other"}}},
        {"Type": "AWS::EC2::SecurityGroupEgress", "Properties": {"GroupId": {"Fn::GetStackOutput": {}}}},
        {
            "Type": "AWS::EC2::SecurityGroupEgress",
            "Properties": {"GroupId": {"Fn::GetStackOutput": {"StackName": "other", "OutputName": "Group"}}},
        },
    ],
)
def test_what_cannot_be_told_is_left_alone(resource: Any) -> None:
    assert found({"Rule": resource}) == []
    assert list(crowded_groups([StackArtifact("a", {"Resources": resource, "Outputs": []})])) == []
