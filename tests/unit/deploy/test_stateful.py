"""Which changes need a second look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archlib.deploy.models import Action, ResourceChange
from archlib.deploy.stateful import is_data, loses_data, widens


@pytest.mark.parametrize(
    "kind",
    [
        "AWS::DynamoDB::Table",
        "AWS::S3::Bucket",
        "AWS::RDS::DBInstance",
        "AWS::KMS::Key",
        "AWS::SQS::Queue",
        "AWS::EC2::Instance",
        "AWS::Route53::HostedZone",
        "AWS::Timestream::Table",
        "AWS::CloudFormation::Stack",
    ],
)
def test_data_by_type(kind: str) -> None:
    assert is_data(kind)
    assert is_data(kind, {"Type": kind, "DeletionPolicy": "Delete"})


def test_data_by_what_its_template_keeps() -> None:
    assert not is_data("AWS::SNS::Topic")
    assert not is_data("AWS::SNS::Topic", {"DeletionPolicy": "Delete"})
    for policy in ("Retain", "RetainExceptOnCreate", "Snapshot"):
        assert is_data("AWS::SNS::Topic", {"DeletionPolicy": policy})


@pytest.mark.parametrize(
    ("action", "lost"),
    [("remove", True), ("replace", True), ("add", False), ("modify", False), ("import", False), ("sync", False)],
)
def test_data_goes_with_its_resource(action: Action, *, lost: bool) -> None:
    change = ResourceChange(action, "Orders", "AWS::DynamoDB::Table")

    assert loses_data(change, {}) is lost
    assert not loses_data(replace(change, type="AWS::SNS::Topic"), {})


@pytest.mark.parametrize("policy", ["Retain", "Snapshot", "ReplaceAndRetain", "ReplaceAndSnapshot"])
def test_what_is_nested_holds_data_if_it_is_kept(policy: str) -> None:
    change = ResourceChange("remove", "Inner/Topic", "AWS::SNS::Topic", policy=policy)

    assert loses_data(change, {})
    assert not loses_data(replace(change, policy="Delete"), {})
    assert not loses_data(replace(change, resource="Topic"), {})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("AWS::IAM::Role", "rights: It modify"),
        ("AWS::IAM::ManagedPolicy", "rights: It modify"),
        ("AWS::SQS::QueuePolicy", "rights: It modify"),
        ("AWS::S3::BucketPolicy", "rights: It modify"),
        ("AWS::Lambda::Permission", "rights: It modify"),
        ("AWS::EC2::SecurityGroup", "network: It modify"),
        ("AWS::EC2::SecurityGroupIngress", "network: It modify"),
        ("AWS::EC2::Route", "network: It modify"),
        ("AWS::SQS::Queue", ""),
    ],
)
def test_rights_and_ways(kind: str, said: str) -> None:
    change = ResourceChange("modify", "It", kind)

    assert widens(change, {"It": {"Properties": {"CidrIp": "10.0.0.0/8"}}}) == said
    assert widens(change, {}) == said
    assert widens(replace(change, action="remove"), {}) == ""


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "::/0"])
def test_everybody_is_named(cidr: str) -> None:
    change = ResourceChange("add", "It", "AWS::EC2::SecurityGroup")
    resources = {"It": {"Properties": {"SecurityGroupIngress": [{"CidrIp": cidr}]}}}

    assert widens(change, resources) == "network: It add from or to everybody"
