from __future__ import annotations

from typing import Any

import pytest

from local_stacks import Stacks, template

VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
GROUP = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "a", "VpcId": {"Ref": "Vpc"}}}
NAME = [{"Key": "Name", "Value": "main"}]


def rule(direction: str, **properties: Any) -> dict[str, Any]:
    common = {"GroupId": {"Ref": "Group"}, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    return {"Type": f"AWS::EC2::SecurityGroup{direction}", "Properties": common | properties}


@pytest.mark.parametrize(("direction", "store"), [("Ingress", "IpPermissions"), ("Egress", "IpPermissionsEgress")])
def test_a_rule_beside_its_group_is_in_the_group(direction: str, store: str, stacks: Stacks) -> None:
    def ranges() -> list[Any]:
        (group,) = stacks.client("ec2").describe_security_groups(GroupIds=[stacks.resources("any")["Group"]])[
            "SecurityGroups"
        ]
        return [each for permission in group[store] if permission.get("FromPort") for each in permission["IpRanges"]]

    def stack(**rules: Any) -> Any:
        return template({"Vpc": VPC, "Group": GROUP, **rules})

    stacks.apply(stack(Rule=rule(direction, CidrIp="10.0.0.0/8", Description="old")))
    first = stacks.resources("any")["Rule"]
    assert ranges() == [{"CidrIp": "10.0.0.0/8", "Description": "old"}]
    assert first.startswith("sgr-")

    stacks.apply(stack(Rule=rule(direction, CidrIp="10.0.0.0/8", Description="new")))
    assert ranges() == [{"CidrIp": "10.0.0.0/8", "Description": "new"}]
    assert stacks.resources("any")["Rule"] == first

    stacks.apply(stack(Rule=rule(direction, CidrIp="10.1.0.0/16")))
    assert ranges() == [{"CidrIp": "10.1.0.0/16"}]
    assert stacks.resources("any")["Rule"] != first

    stacks.apply(stack())
    assert ranges() == []


def test_a_rule_of_a_group_that_is_not_here_is_no_obstacle(stacks: Stacks) -> None:
    foreign = rule("Ingress", GroupId="sg-0123456789abcdef0", CidrIp="10.0.0.0/8")

    assert stacks.apply(template({"Rule": foreign})) == "CREATE_COMPLETE"
    assert stacks.remove("any") == "DELETE_COMPLETE"


def test_gateways_addresses_and_flow_logs_are_in_ec2(stacks: Stacks) -> None:
    def stack(tags: list[Any]) -> Any:
        subnet = {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}
        gateway = {"SubnetId": {"Ref": "Subnet"}, "AllocationId": {"Fn::GetAtt": ["Address", "AllocationId"]}}
        log = {"ResourceId": {"Ref": "Vpc"}, "ResourceType": "VPC", "TrafficType": "REJECT", "LogGroupName": "flows"}
        return template(
            {
                "Vpc": VPC,
                "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": subnet},
                "Address": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc", "Tags": tags}},
                "Gateway": {"Type": "AWS::EC2::NatGateway", "Properties": gateway | {"Tags": tags}},
                "Log": {"Type": "AWS::EC2::FlowLog", "Properties": log | {"Tags": tags}},
            },
            {"Allocation": {"Fn::GetAtt": ["Address", "AllocationId"]}},
        )

    assert stacks.apply(stack([])) == "CREATE_COMPLETE"
    ids = stacks.resources("any")
    ec2 = stacks.client("ec2")
    assert stacks.apply(stack(NAME)) == "UPDATE_COMPLETE"

    assert stacks.resources("any") == ids
    (address,) = ec2.describe_addresses()["Addresses"]
    assert (address["PublicIp"], address["AllocationId"]) == (ids["Address"], stacks.outputs("any")["Allocation"])
    (gateway,) = ec2.describe_nat_gateways()["NatGateways"]
    assert (gateway["NatGatewayId"], gateway["SubnetId"]) == (ids["Gateway"], ids["Subnet"])
    (log,) = ec2.describe_flow_logs()["FlowLogs"]
    assert (log["FlowLogId"], log["ResourceId"], log["TrafficType"]) == (ids["Log"], ids["Vpc"], "REJECT")
    assert address["Tags"] == gateway["Tags"] == log["Tags"] == NAME

    assert stacks.remove("any") == "DELETE_COMPLETE"
    assert ec2.describe_addresses()["Addresses"] == []
    assert ec2.describe_flow_logs()["FlowLogs"] == []
    assert {gateway["State"] for gateway in ec2.describe_nat_gateways()["NatGateways"]} == {"deleted"}
