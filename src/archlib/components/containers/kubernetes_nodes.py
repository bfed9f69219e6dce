"""Groups of EC2 instances that run the pods of a Kubernetes cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from troposphere import Tags, ec2, eks

from archlib.core.component import Check
from archlib.core.values import Value

_IMAGES = {"arm64": "AL2023_ARM_64_STANDARD", "x86_64": "AL2023_x86_64_STANDARD"}
_TYPES = {"arm64": "m7g.large", "x86_64": "m7i.large"}
_TYPES_MAX = 20
_TYPE = re.compile(r"[a-z]+\d+[a-z-]*\.(medium|large|\d*xlarge|metal[a-z0-9-]*)")
_GRAVITON = re.compile(r"[a-z]+\d+g")
_NODES_MAX = 450
_VOLUME = (20, 16_384)
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?")
# A third of the nodes at once: updates end, and most of the pods run on.
_UNAVAILABLE_PERCENT = 33


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """Instances of Amazon Linux 2023 that EKS starts, updates and repairs; where a field is left out, safe ones.

    Attributes:
        architecture: ``arm64`` costs less for the same work; ``x86_64`` where an image needs it.
        types: instance types, ``medium`` or larger, 1 to 20; ``m7g.large`` or ``m7i.large`` by default. Several let AWS
            take what it has, which ``spot`` should.
        minimum: never fewer nodes, 0 to 450.
        maximum: never more nodes, 1 to 450.
        desired: nodes to begin with, ``minimum`` by default; an autoscaler in the cluster changes it later.
        spot: Spot instances, which AWS takes back at two minutes' notice.
        volume_gib: size of the root volume in GiB, 20 to 16384; it holds the images and what pods write.
        labels: Kubernetes labels of the nodes, for selectors of pods.
    """

    architecture: Literal["arm64", "x86_64"] = "arm64"
    types: Sequence[str] = ()
    minimum: int = 2
    maximum: int = 4
    desired: int | None = None
    spot: bool = False
    volume_gib: int = 50
    labels: Mapping[str, str] = field(default_factory=dict)

    def check(self, check: Check, place: str) -> None:
        """Note what is wrong with it, as setting ``place``."""
        check.one_of(f"{place}.architecture", self.architecture, _IMAGES)
        check.between(f"{place}.types", len(self.types), 0, _TYPES_MAX)
        for each in self.types:
            check.that(_TYPE.fullmatch(each), f"{place}.types", "instance types, medium or larger", each)
            check.that(
                (self.architecture == "arm64") == bool(_GRAVITON.match(each)),
                f"{place}.types", f"for {self.architecture}", each, "set architecture, or take another",
            )  # fmt: skip
        check.between(f"{place}.maximum", self.maximum, 1, _NODES_MAX)
        check.between(f"{place}.minimum", self.minimum, 0, self.maximum)
        check.between(f"{place}.desired", self.desired, self.minimum, self.maximum)
        check.between(f"{place}.volume_gib", self.volume_gib, *_VOLUME)
        for label in self.labels:
            check.that(_LABEL.fullmatch(label), f"{place}.labels", "named by letters, digits and . _ / -", label)

    def launch_template(self, title: str, *, security_group: Value, tags: Mapping[str, str]) -> ec2.LaunchTemplate:
        """Return what its instances have that node groups have no setting for.

        Pods get no answer from the instance's metadata, and so not the node's rights: one hop ends at the node.
        """
        volume = ec2.EBSBlockDevice(
            DeleteOnTermination=True, Encrypted=True, VolumeSize=self.volume_gib, VolumeType="gp3"
        )
        return ec2.LaunchTemplate(
            title,
            LaunchTemplateData=ec2.LaunchTemplateData(
                BlockDeviceMappings=[ec2.LaunchTemplateBlockDeviceMapping(DeviceName="/dev/xvda", Ebs=volume)],
                EbsOptimized=True,
                MetadataOptions=ec2.MetadataOptions(
                    HttpEndpoint="enabled", HttpPutResponseHopLimit=1, HttpTokens="required"
                ),
                Monitoring=ec2.Monitoring(Enabled=True),
                NetworkInterfaces=[
                    ec2.NetworkInterfaces(
                        AssociatePublicIpAddress=False,
                        DeleteOnTermination=True,
                        DeviceIndex=0,
                        Groups=[security_group],
                    )
                ],
                TagSpecifications=[
                    ec2.TagSpecifications(ResourceType=kind, Tags=Tags(**tags)) for kind in ("instance", "volume")
                ],
            ),
        )

    def render(
        self,
        title: str,
        *,
        cluster_name: Value,
        version: str,
        role: Value,
        subnets: Sequence[Value],
        template: ec2.LaunchTemplate,
    ) -> eks.Nodegroup:
        """Return the node group."""
        group = eks.Nodegroup(
            title,
            AmiType=_IMAGES[self.architecture],
            CapacityType="SPOT" if self.spot else "ON_DEMAND",
            ClusterName=cluster_name,
            InstanceTypes=list(self.types) or [_TYPES[self.architecture]],
            LaunchTemplate=eks.LaunchTemplateSpecification(
                Id=template.ref(), Version=template.get_att("LatestVersionNumber")
            ),
            NodeRepairConfig=eks.NodeRepairConfig(Enabled=True),
            NodeRole=role,
            ScalingConfig=eks.ScalingConfig(
                DesiredSize=self.minimum if self.desired is None else self.desired,
                MaxSize=self.maximum,
                MinSize=self.minimum,
            ),
            Subnets=list(subnets),
            UpdateConfig=eks.UpdateConfig(MaxUnavailablePercentage=_UNAVAILABLE_PERCENT),
            Version=version,
        )
        if self.labels:
            group.Labels = dict(self.labels)
        return group
