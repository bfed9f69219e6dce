"""What parts of a Kubernetes cluster may do in AWS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archlib.components.containers.repository import LOG_IN, PULL
from archlib.components.identity.role import Role
from archlib.core.stack import Stack
from archlib.core.values import ACCOUNT, arn
from archlib.wiring.binding import Grant

# The images of add-ons are in registries of AWS whose account differs from region to region.
_OF_AWS = ("amazon/*", "amazon-k8s-cni*", "eks/*")
_VOLUMES = arn("ec2", "volume/*")
_OWN_VOLUME = "ebs.csi.aws.com/cluster"

PULLING = (
    LOG_IN,
    Grant(PULL, (arn("ecr", "repository/*"), *(arn("ecr", f"repository/{name}", account="*") for name in _OF_AWS))),
)
"""What pulls images needs: those of this account, and those of AWS's add-ons."""

INTERFACES = (
    Grant(
        (
            *("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
            *("ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeNetworkInterfaces"),
            *("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags"),
            "ec2:UnassignPrivateIpAddresses",
        ),
        ("*",),
    ),
    Grant(
        ("ec2:AttachNetworkInterface", "ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"),
        (arn("ec2", "instance/*"), arn("ec2", "network-interface/*"), arn("ec2", "security-group/*")),
    ),
    Grant(("ec2:CreateTags",), (arn("ec2", "network-interface/*"),)),
)
"""What gives pods their addresses needs."""

BLOCK_STORAGE = (
    Grant(
        (
            *("ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeTags", "ec2:DescribeVolumes"),
            *("ec2:DescribeVolumesModifications", "ec2:DescribeVolumeStatus"),
        ),
        ("*",),
    ),
    Grant(("ec2:AttachVolume", "ec2:DetachVolume"), (arn("ec2", "instance/*"), _VOLUMES)),
    Grant(("ec2:CreateVolume",), (_VOLUMES,), {"StringEquals": {f"aws:RequestTag/{_OWN_VOLUME}": "true"}}),
    Grant(("ec2:CreateTags",), (_VOLUMES,), {"StringEquals": {"ec2:CreateAction": "CreateVolume"}}),
    Grant(
        ("ec2:DeleteVolume", "ec2:ModifyVolume"),
        (_VOLUMES,),
        {"StringEquals": {f"aws:ResourceTag/{_OWN_VOLUME}": "true"}},
    ),
)
"""What gives pods their volumes needs; it changes and deletes only those that it made."""


def pod_role(
    stack: Stack, name: str, *, cluster_name: str, namespace: str, service_account: str, description: str
) -> Role:
    """Return a role for the pods of one service account of one cluster, by EKS Pod Identity.

    Args:
        stack: where it goes.
        name: kebab-case.
        cluster_name: name of the cluster in AWS.
        namespace: the pods' namespace.
        service_account: the pods' service account.
        description: one sentence for the console.
    """
    role = Role(stack, name, service="pods.eks", description=description)
    tags = {
        "eks-cluster-name": cluster_name,
        "kubernetes-namespace": namespace,
        "kubernetes-service-account": service_account,
    }
    _trust(
        role,
        Action=["sts:AssumeRole", "sts:TagSession"],
        Condition={
            "StringEquals": {
                "aws:SourceAccount": ACCOUNT,
                **{f"aws:RequestTag/{key}": value for key, value in tags.items()},
            }
        },
    )
    return role


def fargate_role(stack: Stack, name: str, *, cluster_name: str) -> Role:
    """Return the role by which Fargate pulls the images of a cluster's pods."""
    role = Role(stack, name, service="eks-fargate-pods", description=f"Starts pods of {cluster_name} on Fargate")
    _trust(role, Condition={"ArnLike": {"aws:SourceArn": arn("eks", f"fargateprofile/{cluster_name}/*")}})
    for grant in PULLING:
        role.allow(grant, why=f"images of pods of {cluster_name}")
    return role


def _trust(role: Role, **changes: str | list[str] | Mapping[str, Any]) -> None:
    role.resource.AssumeRolePolicyDocument["Statement"][0].update(changes)
