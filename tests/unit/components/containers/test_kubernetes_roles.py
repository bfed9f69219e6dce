from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archlib import Stack
from archlib.components.containers.kubernetes_roles import PULLING, fargate_role, pod_role

Properties = Callable[[str], dict[str, Any]]


def test_only_pods_of_one_service_account_assume_the_role(stack: Stack, properties: Properties) -> None:
    pod_role(
        stack, "orders", cluster_name="shop-main", namespace="shop", service_account="orders-api", description="Orders"
    )

    (statement,) = properties("OrdersRole")["AssumeRolePolicyDocument"]["Statement"]

    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {
            "StringEquals": {
                "aws:SourceAccount": {"Ref": "AWS::AccountId"},
                "aws:RequestTag/eks-cluster-name": "shop-main",
                "aws:RequestTag/kubernetes-namespace": "shop",
                "aws:RequestTag/kubernetes-service-account": "orders-api",
            }
        },
    }


def test_fargate_pulls_images_for_one_cluster(stack: Stack, properties: Properties) -> None:
    fargate_role(stack, "main-fargate", cluster_name="shop-main")

    (trust,) = properties("MainFargateRole")["AssumeRolePolicyDocument"]["Statement"]
    rights = properties("MainFargatePolicy")["PolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "eks-fargate-pods.amazonaws.com"}
    assert trust["Condition"] == {
        "ArnLike": {
            "aws:SourceArn": {
                "Fn::Sub": "arn:${AWS::Partition}:eks:${AWS::Region}:${AWS::AccountId}:fargateprofile/shop-main/*"
            }
        }
    }
    assert {action for row in rights for action in row["Action"]} == {
        action for grant in PULLING for action in grant.actions
    }


def test_images_of_other_accounts_are_those_of_aws_only() -> None:
    resources = [str(resource.data["Fn::Sub"]) for resource in PULLING[1].resources if not isinstance(resource, str)]
    names = [text.rpartition("repository/")[2] for text in resources if ":*:" in text]

    assert sorted(names) == ["amazon-k8s-cni*", "amazon/*", "eks/*"]
    assert len(resources) == len(names) + 1
