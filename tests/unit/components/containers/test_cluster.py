from __future__ import annotations

from collections.abc import Callable
from typing import Any

from troposphere import Ref

from archlib import Stack
from archlib.components.containers.cluster import Cluster
from archlib.components.identity.key import Key
from archlib.core.values import encode


def test_offers_fargate_and_measures_it(stack: Stack, properties: Callable[[str], dict[str, Any]]) -> None:
    Cluster(stack, "main")

    found = properties("MainCluster")

    assert found["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert found["ClusterSettings"] == [{"Name": "containerInsights", "Value": "enabled"}]
    assert "Configuration" not in found
    assert properties("MainNamespace")["Name"] == "shop-test-main"


def test_instances_come_and_go_with_the_tasks(stack: Stack, properties: Callable[[str], dict[str, Any]]) -> None:
    cluster = Cluster(stack, "main", instances=Ref("BatchInstances"))
    stack.parameter("batch-instances", description="Auto Scaling group")

    provider = properties("MainClusterCapacity")["AutoScalingGroupProvider"]

    assert properties("MainCluster")["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT", {"Ref": "MainClusterCapacity"}]
    assert provider["AutoScalingGroupArn"] == {"Ref": "BatchInstances"}
    assert provider["ManagedScaling"] == {"Status": "ENABLED", "TargetCapacity": 100}
    assert provider["ManagedDraining"] == "ENABLED"
    assert isinstance(cluster.capacity, Ref)


def test_shells_are_encrypted_and_recorded_once_asked_for(stack: Stack, rendered: Callable[[], dict[str, Any]]) -> None:
    key = Key(stack, "own")
    cluster = Cluster(stack, "main", log_retention_days=30, key=key)
    first, second = cluster.for_shell(), cluster.for_shell()

    found = rendered()
    settings = found["MainCluster"]["Properties"]["Configuration"]["ExecuteCommandConfiguration"]

    assert first == second
    assert settings == {
        "KmsKeyId": {"Fn::GetAtt": ["OwnKey", "Arn"]},
        "Logging": "OVERRIDE",
        "LogConfiguration": {
            "CloudWatchEncryptionEnabled": True,
            "CloudWatchLogGroupName": {"Ref": "MainShellLogGroup"},
        },
    }
    assert found["MainShellLogGroup"]["Properties"]["RetentionInDays"] == 30


def test_shows_how_busy_its_services_are(stack: Stack) -> None:
    cluster = Cluster(stack, "main")

    assert [overview.metric for overview in cluster.overviews()] == ["CPUUtilization", "MemoryUtilization"]
    assert {str(encode(overview.where)) for overview in cluster.overviews()} == {
        "{'ClusterName': {'Ref': 'MainCluster'}}"
    }
    assert cluster.watches() == ()
