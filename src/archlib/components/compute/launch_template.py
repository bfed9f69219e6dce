"""What one instance of a group is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from troposphere import Tags, ec2

from archlib.components.compute.instance_types import Architecture, architecture_of, instance_types
from archlib.core.assembly import nearest
from archlib.core.component import Check
from archlib.core.values import Value

IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}"
DEFAULT_TYPES: dict[Architecture, str] = {"arm64": "t4g.small", "x86_64": "t3.small"}

_TYPES_MAX = 40


def launch_template_data(
    *,
    image: Value,
    instance_type: str,
    volume_gib: int,
    profile: Value,
    security_group: Value,
    tags: Mapping[str, str],
    user_data: Value,
) -> ec2.LaunchTemplateData:
    """Return the template of an instance without public address, whose metadata takes a session (IMDSv2)."""
    return ec2.LaunchTemplateData(
        BlockDeviceMappings=[
            ec2.LaunchTemplateBlockDeviceMapping(
                DeviceName="/dev/xvda",
                Ebs=ec2.EBSBlockDevice(
                    DeleteOnTermination=True, Encrypted=True, VolumeSize=volume_gib, VolumeType="gp3"
                ),
            )
        ],
        EbsOptimized=True,
        IamInstanceProfile=ec2.IamInstanceProfile(Arn=profile),
        ImageId=image,
        InstanceType=instance_type,
        MetadataOptions=ec2.MetadataOptions(HttpEndpoint="enabled", HttpPutResponseHopLimit=1, HttpTokens="required"),
        Monitoring=ec2.Monitoring(Enabled=True),
        NetworkInterfaces=[
            ec2.NetworkInterfaces(
                AssociatePublicIpAddress=False, DeleteOnTermination=True, DeviceIndex=0, Groups=[security_group]
            )
        ],
        TagSpecifications=[
            ec2.TagSpecifications(ResourceType=kind, Tags=Tags(**tags)) for kind in ("instance", "volume")
        ],
        UserData=user_data,
    )


def check_types(check: Check, architecture: Architecture, types: Sequence[str]) -> None:
    """Note instance types that do not exist, or run on other processors."""
    check.one_of("architecture", architecture, tuple(DEFAULT_TYPES))
    check.between("types", len(types), 1, _TYPES_MAX)
    for each in types:
        if each not in instance_types():
            close = nearest(each, instance_types()).removeprefix("; ")
            check.that(False, "types", "instance types of a Nitro family, such as t4g.small", each, close)
        elif architecture in DEFAULT_TYPES:
            check.that(
                architecture_of(each) == architecture,
                "types", f"for {architecture}", each, f"set architecture to {architecture_of(each)}, or take another",
            )  # fmt: skip


def check_image(check: Check, architecture: Architecture, image: str | None) -> None:
    """Note an image that is not in a parameter, or for other processors."""
    check.that(
        image is None or image.startswith("/"),
        "image", "the name of an SSM parameter, such as /images/app", image, "put the image's id in one",
    )  # fmt: skip
    for other in DEFAULT_TYPES:
        check.that(
            image is None or other == architecture or other not in image,
            "image", f"for {architecture}", image, f"set architecture to {other}, or take another image",
        )  # fmt: skip
