from __future__ import annotations

import json
import re
from typing import Any

import pytest

from archlib.local import LocalEngine, recorded_types
from archlib.local.types import lacking_types
from local_stacks import Stacks, template

GROUP = "AWS::XRay::Group"
CACHE = "AWS::ElastiCache::ServerlessCache"
SCALABLE = {
    "MaxCapacity": 4,
    "MinCapacity": 1,
    "ResourceId": "service/shop/orders",
    "ScalableDimension": "ecs:service:DesiredCount",
    "ServiceNamespace": "ecs",
}


def cache(**properties: Any) -> dict[str, Any]:
    return {"Type": CACHE, "Properties": {"Engine": "valkey", "ServerlessCacheName": "sessions", **properties}}


@pytest.mark.parametrize(
    ("kind", "properties", "value", "form"),
    [
        (GROUP, {"GroupName": "a"}, {"Ref": "Any"}, r"arn:aws:xray:eu-west-1:000000000000:group/[0-9a-f]{12}"),
        (GROUP, {"GroupName": "a"}, {"Fn::GetAtt": ["Any", "GroupARN"]}, r"arn:aws:xray:eu-west-1:\d{12}:group/\w+"),
        ("AWS::EC2::EgressOnlyInternetGateway", {"VpcId": "vpc-1"}, {"Ref": "Any"}, "eigw-[0-9a-f]{17}"),
        ("AWS::EC2::TransitGateway", {}, {"Ref": "Any"}, "tgw-[0-9a-f]{17}"),
        ("AWS::ApplicationAutoScaling::ScalableTarget", SCALABLE, {"Ref": "Any"}, r"service/shop/orders\|ecs.*\|ecs"),
        ("AWS::CodeDeploy::Application", {"ComputePlatform": "Lambda"}, {"Ref": "Any"}, "any-Any-[0-9a-f]{12}"),
        (
            "AWS::CodeDeploy::DeploymentGroup",
            {"ApplicationName": "shop", "ServiceRoleArn": "arn:aws:iam::1:role/a"},
            {"Ref": "Any"},
            "any-Any-[0-9a-f]{12}",
        ),
        (CACHE, {"ServerlessCacheName": "s", "Engine": "valkey"}, {"Ref": "Any"}, "s"),
        (CACHE, {"ServerlessCacheName": "s"}, {"Fn::GetAtt": ["Any", "Endpoint.Address"]}, r"\w+\.elasticache\..*com"),
        (CACHE, {"ServerlessCacheName": "s"}, {"Fn::GetAtt": ["Any", "Endpoint.Port"]}, "443"),
        (CACHE, {"ServerlessCacheName": "s"}, {"Fn::GetAtt": ["Any", "ARN"]}, "arn:.*:serverless-cache/s"),
        (CACHE, {"ServerlessCacheName": "s"}, {"Fn::GetAtt": ["Any", "Status"]}, "ACTIVE"),
        (CACHE, {"ServerlessCacheName": "s"}, {"Fn::GetAtt": ["Any", "CreateTime"]}, r"2026-\d\d-\d\dT.*Z"),
        (CACHE, {"ServerlessCacheName": "s"}, {"Fn::GetAtt": ["Any", "FullEngineVersion"]}, "1"),
        ("AWS::CloudFront::VpcOrigin", {}, {"Fn::GetAtt": ["Any", "Arn"]}, r"arn:aws:cloudfront::\d{12}:vpc-origin/.*"),
        ("AWS::CloudFront::VpcOrigin", {}, {"Fn::GetAtt": ["Any", "AccountId"]}, "000000000000"),
        ("AWS::DAX::Cluster", {}, {"Fn::GetAtt": ["Any", "ClusterDiscoveryEndpointURL"]}, r"https://\w+\.dax\..*"),
    ],
)
def test_references_get_values_of_the_right_form(
    kind: str, properties: dict[str, Any], value: Any, form: str, stacks: Stacks
) -> None:
    resource = {"Type": kind, "Properties": properties}

    assert stacks.apply(template({"Any": resource}, {"Value": value})) == "CREATE_COMPLETE"

    assert re.fullmatch(form, stacks.outputs("any")["Value"])


def test_an_update_keeps_the_identity(stacks: Stacks) -> None:
    values: dict[str, Any] = {name: {"Fn::GetAtt": ["Cache", name]} for name in lacking_types()[CACHE].attributes}
    values = {name.replace(".", ""): value for name, value in values.items()} | {"Ref": {"Ref": "Cache"}}
    stacks.apply(template({"Cache": cache()}, values))
    before = stacks.outputs("any")

    assert stacks.apply(template({"Cache": cache(Description="new")}, values)) == "UPDATE_COMPLETE"

    assert stacks.outputs("any") == before
    assert len(before) == 9


def test_a_change_that_cannot_be_made_in_place_replaces(stacks: Stacks) -> None:
    def network(vpc: str) -> Any:
        return template({"Out": {"Type": "AWS::EC2::EgressOnlyInternetGateway", "Properties": {"VpcId": vpc}}})

    stacks.apply(network("vpc-1"))
    before = stacks.resources("any")["Out"]

    assert stacks.apply(network("vpc-2")) == "UPDATE_COMPLETE"

    assert stacks.resources("any")["Out"] != before


def test_a_change_set_says_what_is_replaced(stacks: Stacks) -> None:
    stacks.apply(template({"Cache": cache()}))
    cloudformation = stacks.client("cloudformation")

    replacements = {}
    for name, properties in {"in-place": {"Description": "new"}, "anew": {"NetworkType": "ipv6"}}.items():
        body = json.dumps(template({"Cache": cache(**properties)}).template)
        cloudformation.create_change_set(StackName="any", ChangeSetName=name, TemplateBody=body)
        (change,) = cloudformation.describe_change_set(StackName="any", ChangeSetName=name)["Changes"]
        replacements[name] = change["ResourceChange"]["Replacement"]

    assert replacements == {"in-place": "False", "anew": "True"}


def test_a_recorded_resource_is_told_as_long_as_it_is_there(running: LocalEngine, stacks: Stacks) -> None:
    stack = template({"Traces": {"Type": GROUP, "Properties": {"GroupName": "a"}}, "Jobs": {"Type": "AWS::SQS::Queue"}})
    stacks.apply(stack)

    (told,) = running.recorded()

    assert told == {
        "region": "eu-west-1",
        "stack": "any",
        "logical_id": "Traces",
        "type": GROUP,
        "physical_id": stacks.resources("any")["Traces"],
    }
    assert stacks.remove("any") == "DELETE_COMPLETE"
    assert running.recorded() == []


def test_drift_of_recorded_resources_is_not_checked(stacks: Stacks) -> None:
    stacks.apply(template({"Traces": {"Type": GROUP, "Properties": {"GroupName": "a"}}}))

    assert stacks.drift("any") in {"IN_SYNC", "NOT_CHECKED"}


def test_every_recorded_type_can_be_created_and_deleted(stacks: Stacks) -> None:
    everything = {f"Any{index}": {"Type": name, "Properties": {}} for index, name in enumerate(recorded_types())}
    # 500 resources are what a stack takes.
    for start in range(0, len(everything), 500):
        part = dict(list(everything.items())[start : start + 500])
        stack = template(part, name=f"part-{start}")
        assert stacks.apply(stack) == "CREATE_COMPLETE"
        assert stacks.remove(stack.name) == "DELETE_COMPLETE"


def test_a_type_that_does_not_exist_is_refused(stacks: Stacks) -> None:
    refused = stacks.client("cloudformation").exceptions.ClientError

    with pytest.raises(refused, match=r"Unrecognized resource types: \[AWS::XRay::Grup\]"):
        stacks.apply(template({"Any": {"Type": "AWS::XRay::Grup", "Properties": {}}}))
