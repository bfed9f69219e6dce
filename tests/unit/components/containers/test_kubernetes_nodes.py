from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archlib import Stack
from archlib.components.containers.kubernetes import NEEDS_ENDPOINTS, KubernetesCluster
from archlib.components.containers.kubernetes_nodes import NodeGroup
from archlib.components.network.vpc import Vpc
from archlib.core.component import Check

Properties = Callable[[str], dict[str, Any]]


@pytest.fixture
def made(stack: Stack, properties: Properties) -> Callable[[NodeGroup], tuple[dict[str, Any], dict[str, Any]]]:
    """Return the node group and its launch template."""

    def make(group: NodeGroup) -> tuple[dict[str, Any], dict[str, Any]]:
        network = Vpc(stack, "main", endpoints=NEEDS_ENDPOINTS)
        KubernetesCluster(stack, "main", network=network, admins={"operators": "Operators"}, nodes={"general": group})
        return properties("MainGeneralNodes"), properties("MainGeneralNodesTemplate")["LaunchTemplateData"]

    return make


Made = Callable[[NodeGroup], tuple[dict[str, Any], dict[str, Any]]]


def test_is_safe_by_default(made: Made) -> None:
    group, template = made(NodeGroup())

    assert group["AmiType"] == "AL2023_ARM_64_STANDARD"
    assert group["InstanceTypes"] == ["m7g.large"]
    assert group["CapacityType"] == "ON_DEMAND"
    assert group["ScalingConfig"] == {"DesiredSize": 2, "MaxSize": 4, "MinSize": 2}
    assert group["NodeRepairConfig"] == {"Enabled": True}
    assert "RemoteAccess" not in group
    assert "Labels" not in group
    assert template["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpPutResponseHopLimit": 1,
        "HttpTokens": "required",
    }
    assert template["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert template["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is False
    assert template["NetworkInterfaces"][0]["Groups"] == [{"Fn::GetAtt": ["MainNodesSecurityGroup", "GroupId"]}]


def test_leaves_to_the_node_group_what_eks_forbids_in_templates(made: Made) -> None:
    _, template = made(NodeGroup())

    assert template.keys().isdisjoint({"IamInstanceProfile", "ImageId", "InstanceType", "UserData"})


def test_is_what_was_asked_for(made: Made) -> None:
    group, template = made(
        NodeGroup(
            architecture="x86_64",
            types=["m7i.large", "m6i.large"],
            minimum=0,
            maximum=20,
            desired=3,
            spot=True,
            volume_gib=100,
            labels={"work": "batch"},
        )
    )

    assert group["AmiType"] == "AL2023_x86_64_STANDARD"
    assert group["InstanceTypes"] == ["m7i.large", "m6i.large"]
    assert group["CapacityType"] == "SPOT"
    assert group["ScalingConfig"] == {"DesiredSize": 3, "MaxSize": 20, "MinSize": 0}
    assert group["Labels"] == {"work": "batch"}
    assert template["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 100


def test_updates_follow_the_template(made: Made) -> None:
    group, _ = made(NodeGroup())

    assert group["LaunchTemplate"] == {
        "Id": {"Ref": "MainGeneralNodesTemplate"},
        "Version": {"Fn::GetAtt": ["MainGeneralNodesTemplate", "LatestVersionNumber"]},
    }


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        (NodeGroup(architecture="sparc"), "general.architecture must be one of arm64, x86_64, got 'sparc'"),  # type: ignore[arg-type]
        (NodeGroup(types=["t4g.small"]), "general.types must be instance types, medium or larger, got 't4g.small'"),
        (NodeGroup(types=["m7i.large"]), "general.types must be for arm64, got 'm7i.large'"),
        (NodeGroup("x86_64", ["m7g.large"]), "general.types must be for x86_64, got 'm7g.large'"),
        (NodeGroup(types=["m7g.large"] * 21), "general.types must be 0 to 20, got 21"),
        (NodeGroup(minimum=-1), "general.minimum must be 0 to 4, got -1"),
        (NodeGroup(minimum=0, maximum=0), "general.maximum must be 1 to 450, got 0"),
        (NodeGroup(desired=5), "general.desired must be 2 to 4, got 5"),
        (NodeGroup(volume_gib=10), "general.volume_gib must be 20 to 16384, got 10"),
        (NodeGroup(labels={"a b": "c"}), "general.labels must be named by letters"),
    ],
)
def test_refuses(group: NodeGroup, problem: str) -> None:
    check = Check("kubernetes cluster 'main'")

    group.check(check, "general")

    assert problem in check.problems[0].message


@pytest.mark.parametrize("kind", ["m7g.large", "c7gn.16xlarge", "r8g.metal-24xl", "t4g.medium", "g5g.2xlarge"])
def test_knows_graviton(kind: str) -> None:
    check = Check("kubernetes cluster 'main'")

    NodeGroup(types=[kind]).check(check, "general")

    assert check.problems == []


@pytest.mark.parametrize("kind", ["m7i-flex.large", "g5.xlarge", "t3.medium", "m5zn.metal"])
def test_knows_x86(kind: str) -> None:
    check = Check("kubernetes cluster 'main'")

    NodeGroup("x86_64", [kind]).check(check, "general")

    assert check.problems == []
