from __future__ import annotations

import json
import re
from typing import Any

import pytest

from local_stacks import Stacks, template

ASSUMED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def test_a_network_knows_its_ranges(stacks: Stacks) -> None:
    def stack(cidr: str) -> Any:
        ranges = {"Fn::Select": [0, {"Fn::GetAtt": ["Vpc", "Ipv6CidrBlocks"]}]}
        vpc = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": cidr}}
        return template({"Vpc": vpc}, {"V4": {"Fn::GetAtt": ["Vpc", "CidrBlock"]}, "V6": ranges})

    for cidr in ("10.0.0.0/16", "10.1.0.0/16"):
        stacks.apply(stack(cidr))
        assert stacks.outputs("any")["V4"] == cidr
        assert re.fullmatch(r"2600:1f18:[0-9a-f]{4}:[0-9a-f]{2}00::/56", stacks.outputs("any")["V6"])


def test_an_instance_profile_is_known_by_its_name(stacks: Stacks) -> None:
    def stack(**properties: Any) -> Any:
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": ASSUMED}}
        profile = {"Type": "AWS::IAM::InstanceProfile", "Properties": properties}
        outputs = {"Name": {"Ref": "Profile"}, "Arn": {"Fn::GetAtt": ["Profile", "Arn"]}}
        return template({"Role": role, "Other": role, "Profile": profile}, outputs)

    iam = stacks.client("iam")
    stacks.apply(stack(Roles=[{"Ref": "Role"}]))
    outputs = stacks.outputs("any")
    assert outputs["Arn"].endswith(f":instance-profile/{outputs['Name']}")

    assert stacks.apply(stack(Roles=[{"Ref": "Other"}])) == "UPDATE_COMPLETE"
    assert stacks.outputs("any") == outputs
    (role,) = iam.get_instance_profile(InstanceProfileName=outputs["Name"])["InstanceProfile"]["Roles"]
    assert role["RoleName"] == stacks.resources("any")["Other"]

    assert stacks.apply(stack(Roles=[{"Ref": "Other"}], Path="/shop/")) == "UPDATE_COMPLETE"
    assert "/shop/" in stacks.outputs("any")["Arn"]
    assert len(iam.list_instance_profiles()["InstanceProfiles"]) == 1

    stacks.remove("any")
    assert iam.list_instance_profiles()["InstanceProfiles"] == []


@pytest.mark.parametrize("kind", ["DBInstance", "DBCluster"])
def test_a_password_that_rds_manages_is_in_a_secret_as_long_as_the_database(kind: str, stacks: Stacks) -> None:
    def stack(**properties: Any) -> Any:
        given = {"Engine": "aurora-postgresql", "MasterUsername": "ada", "ManageMasterUserPassword": True, **properties}
        database = {"Type": f"AWS::RDS::{kind}", "Properties": given, "DeletionPolicy": "Delete"}
        return template({"Database": database}, {"Secret": {"Fn::GetAtt": ["Database", "MasterUserSecret.SecretArn"]}})

    secrets = stacks.client("secretsmanager")
    assert stacks.apply(stack()) == "CREATE_COMPLETE"
    arn = stacks.outputs("any")["Secret"]
    login = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
    assert login["username"] == "ada"
    assert login["password"]

    assert stacks.apply(stack(BackupRetentionPeriod=7)) == "UPDATE_COMPLETE"
    assert stacks.outputs("any")["Secret"] == arn

    assert stacks.remove("any") == "DELETE_COMPLETE"
    assert secrets.list_secrets()["SecretList"] == []


def test_a_record_is_written_into_a_zone_of_the_user(stacks: Stacks) -> None:
    record = {
        "HostedZoneId": "Z0123",
        "Name": "api.example.com",
        "Type": "A",
        "TTL": "60",
        "ResourceRecords": ["1.2.3.4"],
    }
    stack = template({"Record": {"Type": "AWS::Route53::RecordSet", "Properties": record}})

    assert stacks.apply(stack) == "CREATE_COMPLETE"

    found = stacks.client("route53").list_resource_record_sets(HostedZoneId="Z0123")["ResourceRecordSets"]
    assert [each["Name"] for each in found if each["Type"] == "A"] == ["api.example.com."]
    assert stacks.remove("any") == "DELETE_COMPLETE"


def test_the_newest_images_have_names(stacks: Stacks) -> None:
    ssm = stacks.client("ssm")
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"

    image = ssm.get_parameter(Name=name)["Parameter"]["Value"]

    assert re.fullmatch("ami-[0-9a-f]{17}", image)
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == image
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/shop/image")


def test_a_user_pool_says_where_its_tokens_come_from(stacks: Stacks) -> None:
    pool = {"Type": "AWS::Cognito::UserPool", "Properties": {}}
    stacks.apply(template({"Pool": pool}, {"Url": {"Fn::GetAtt": ["Pool", "ProviderURL"]}}))

    expected = f"https://cognito-idp.eu-west-1.amazonaws.com/{stacks.resources('any')['Pool']}"
    assert stacks.outputs("any") == {"Url": expected}
