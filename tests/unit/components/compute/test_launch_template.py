from __future__ import annotations

from typing import Any

from archlib import App, Stack
from archlib.components.compute.instances import Instances
from archlib.components.network.vpc import Vpc
from unit.components.compute.conftest import Rendered


def data(found: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = found["AppInstancesTemplate"]["Properties"]["LaunchTemplateData"]
    return properties


def test_an_instance_is_closed_and_encrypted(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, volume_gib=20)

    found = data(rendered())
    assert found["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpPutResponseHopLimit": 1,
        "HttpTokens": "required",
    }
    assert found["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {"DeleteOnTermination": True, "Encrypted": True, "VolumeSize": 20, "VolumeType": "gp3"},
        }
    ]
    (interface,) = found["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is False
    assert interface["Groups"] == [{"Fn::GetAtt": ["AppInstancesSecurityGroup", "GroupId"]}]
    assert found["Monitoring"] == {"Enabled": True}
    assert found["EbsOptimized"] is True
    assert "KeyName" not in found
    assert found["IamInstanceProfile"] == {"Arn": {"Fn::GetAtt": ["AppInstancesProfile", "Arn"]}}


def test_the_image_is_found_at_deployment(app: App, stack: Stack, vpc: Vpc) -> None:
    Instances(stack, "app", network=vpc)
    Instances(stack, "other", network=vpc, architecture="x86_64")
    Instances(stack, "own", network=vpc, image="/images/app")

    template = next(each for each in app.assemble() if each.name == "shop-test-main").template
    images = {
        name: found["Default"]
        for name, found in template["Parameters"].items()
        if found["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    }
    prefix = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default"
    assert images == {"AppImage": f"{prefix}-arm64", "OtherImage": f"{prefix}-x86_64", "OwnImage": "/images/app"}
    assert data(template["Resources"])["ImageId"] == {"Ref": "AppImage"}


def test_instances_and_volumes_have_the_tags_of_the_app(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc)

    specifications = data(rendered())["TagSpecifications"]
    assert [each["ResourceType"] for each in specifications] == ["instance", "volume"]
    for each in specifications:
        assert {tag["Key"]: tag["Value"] for tag in each["Tags"]} == {
            "Name": "shop-test-app",
            "app": "shop",
            "environment": "test",
        }


def test_the_type_follows_the_architecture(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc)
    Instances(stack, "other", network=vpc, architecture="x86_64")

    found = rendered()
    assert data(found)["InstanceType"] == "t4g.small"
    other = found["OtherInstancesTemplate"]["Properties"]["LaunchTemplateData"]
    assert other["InstanceType"] == "t3.small"
