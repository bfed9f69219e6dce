from __future__ import annotations

from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.compute.instances import Instances
from archlib.components.compute.rollout import InPlaceRollout
from archlib.components.network.vpc import Vpc
from archlib.components.observability.alarm import Alarm
from archlib.errors import SettingsError
from unit.components.compute.conftest import Rendered, script, target_group


@pytest.fixture
def instances(app: App, stack: Stack) -> Instances:
    return Instances(stack, "app", network=Vpc(Stack(app, "network"), "main", nat="one"), internet=True)


def statements(found: dict[str, Any]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = found["AppRolloutPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    return made


def test_instances_change_behind_their_load_balancer(stack: Stack, instances: Instances, rendered: Rendered) -> None:
    instances.join(target_group("arn:one", ready="AppInstancesPolicy"))
    InPlaceRollout(stack, "app", instances=instances, batch="one")

    found = rendered()
    properties = found["AppRollout"]["Properties"]
    assert properties["AutoScalingGroups"] == [{"Ref": "AppInstances"}]
    assert properties["DeploymentConfigName"] == "CodeDeployDefault.OneAtATime"
    assert properties["DeploymentStyle"] == {
        "DeploymentOption": "WITH_TRAFFIC_CONTROL",
        "DeploymentType": "IN_PLACE",
    }
    (group,) = properties["LoadBalancerInfo"]["TargetGroupInfoList"]
    assert group == {"Name": {"Fn::Select": [1, {"Fn::Split": ["/", "targetgroup/app/1"]}]}}
    moving = next(each for each in statements(found) if "elasticloadbalancing:RegisterTargets" in each["Action"])
    assert moving["Resource"] == ["arn:one"]


def test_an_alarm_takes_a_deployment_back(stack: Stack, instances: Instances, rendered: Rendered) -> None:
    alarm = Alarm(stack, "busy", watch=instances.watches()[2])
    InPlaceRollout(stack, "app", instances=instances, alarms=[alarm])

    found = rendered()
    properties = found["AppRollout"]["Properties"]
    assert properties["AlarmConfiguration"] == {"Enabled": True, "Alarms": [{"Name": {"Ref": "BusyAlarm"}}]}
    assert properties["AutoRollbackConfiguration"] == {
        "Enabled": True,
        "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"],
    }
    looking = next(each for each in statements(found) if "cloudwatch:DescribeAlarms" in each["Action"])
    assert looking["Resource"] == [{"Fn::GetAtt": ["BusyAlarm", "Arn"]}]


def test_without_load_balancer_and_alarm_it_takes_failures_back(
    stack: Stack, instances: Instances, rendered: Rendered
) -> None:
    InPlaceRollout(stack, "app", instances=instances)

    properties = rendered()["AppRollout"]["Properties"]
    assert properties["DeploymentStyle"]["DeploymentOption"] == "WITHOUT_TRAFFIC_CONTROL"
    assert properties["AutoRollbackConfiguration"]["Events"] == ["DEPLOYMENT_FAILURE"]
    assert not {"AlarmConfiguration", "LoadBalancerInfo"} & set(properties)


def test_instances_install_the_agent(stack: Stack, instances: Instances, rendered: Rendered) -> None:
    InPlaceRollout(stack, "app", instances=instances)

    assert "https://aws-codedeploy-${AWS::Region}.s3.${AWS::Region}.${AWS::URLSuffix}/latest/install" in script(
        rendered()
    )


def test_the_role_changes_this_group_only(stack: Stack, instances: Instances, rendered: Rendered) -> None:
    InPlaceRollout(stack, "app", instances=instances)

    for statement in statements(rendered()):
        describing = all(action.partition(":")[2].startswith("Describe") for action in statement["Action"])
        assert describing == (statement["Resource"] == ["*"])
    hooks = next(each for each in statements(rendered()) if "autoscaling:PutLifecycleHook" in each["Action"])
    assert hooks["Resource"] == [{"Fn::GetAtt": ["AppInstances", "AutoScalingGroupARN"]}]


def test_needs_the_internet_and_a_batch(stack: Stack, vpc: Vpc) -> None:
    closed = Instances(stack, "app", network=vpc)
    batch: Any = "two"

    with pytest.raises(SettingsError) as caught:
        InPlaceRollout(stack, "app", instances=closed, batch=batch)

    assert "rollout 'app': batch must be one of one, half, all, got 'two'" in str(caught.value)
    assert "rollout 'app': instances must be ones with a way to the internet, got 'app'" in str(caught.value)
