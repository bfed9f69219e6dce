from __future__ import annotations

from datetime import timedelta
from typing import Any

from archlib import Stack
from archlib.components.compute.group import WarmPool
from archlib.components.compute.instances import Instances
from archlib.components.network.vpc import Vpc
from archlib.wiring.scaling import Scaling
from unit.components.compute.conftest import Rendered


def test_one_type_is_named_by_its_template(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, max_lifetime_days=30)

    found = rendered()["AppInstances"]["Properties"]
    assert found["LaunchTemplate"] == {
        "LaunchTemplateId": {"Ref": "AppInstancesTemplate"},
        "Version": {"Fn::GetAtt": ["AppInstancesTemplate", "LatestVersionNumber"]},
    }
    assert "MixedInstancesPolicy" not in found
    assert "CapacityRebalance" not in found
    assert found["MaxInstanceLifetime"] == 30 * 86_400


def mixed(found: dict[str, Any]) -> dict[str, Any]:
    """Return the distribution of instances, and their types."""
    policy = found["MixedInstancesPolicy"]
    types = [each["InstanceType"] for each in policy["LaunchTemplate"]["Overrides"]]
    return {**policy["InstancesDistribution"], "types": types}


def test_several_types_are_tried_in_order(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, types=["m7g.large", "m6g.large"])

    found = rendered()["AppInstances"]["Properties"]
    assert mixed(found) == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 0,
        "OnDemandPercentageAboveBaseCapacity": 100,
        "types": ["m7g.large", "m6g.large"],
    }
    assert not {"CapacityRebalance", "LaunchTemplate"} & set(found)


def test_spot_instances_are_replaced_before_they_are_taken(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, spot=70, on_demand=2)

    found = rendered()["AppInstances"]["Properties"]
    assert mixed(found) == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 2,
        "OnDemandPercentageAboveBaseCapacity": 30,
        "SpotAllocationStrategy": "price-capacity-optimized",
        "types": ["t4g.small"],
    }
    assert found["CapacityRebalance"] is True


def test_the_number_is_set_once_unless_asked(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, scaling=Scaling(minimum=1, maximum=4))
    Instances(stack, "other", network=vpc, scaling=Scaling(minimum=1, maximum=4, desired=3))

    found = rendered()
    app, other = found["AppInstances"], found["OtherInstances"]
    assert (app["Properties"]["MinSize"], app["Properties"]["MaxSize"]) == ("1", "4")
    assert "DesiredCapacity" not in app["Properties"]
    assert other["Properties"]["DesiredCapacity"] == "3"
    assert (app["CreationPolicy"]["ResourceSignal"]["Count"], other["CreationPolicy"]["ResourceSignal"]["Count"]) == (
        1,
        3,
    )


def test_an_update_replaces_one_after_the_other(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, start_timeout=timedelta(minutes=5), scaling=Scaling(2, 2))

    found = rendered()["AppInstances"]
    rolling = found["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert (rolling["MinInstancesInService"], rolling["MaxBatchSize"], rolling["PauseTime"]) == (1, 1, "PT300S")
    assert rolling["WaitOnResourceSignals"] is True
    assert found["CreationPolicy"]["ResourceSignal"]["Timeout"] == "PT300S"
    assert found["Properties"]["HealthCheckGracePeriod"] == 300
    assert found["UpdatePolicy"]["AutoScalingScheduledAction"] == {"IgnoreUnmodifiedGroupSizeProperties": True}


def test_a_refresh_is_left_to_auto_scaling(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, update="refresh")

    policy = rendered()["AppInstances"]["UpdatePolicy"]
    assert "AutoScalingRollingUpdate" not in policy
    assert policy["AutoScalingInstanceRefresh"] == {
        "Strategy": "Rolling",
        "Preferences": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110, "SkipMatching": True},
    }


def test_a_group_may_start_empty(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, scaling=Scaling(minimum=0, maximum=1))

    found = rendered()["AppInstances"]
    assert "CreationPolicy" not in found
    assert found["UpdatePolicy"]["AutoScalingRollingUpdate"]["MinInstancesInService"] == 0


def test_a_warm_pool_waits(stack: Stack, vpc: Vpc, rendered: Rendered) -> None:
    Instances(stack, "app", network=vpc, warm_pool=WarmPool(2, "Running", reuse=True))

    assert rendered()["AppInstancesWarmPool"]["Properties"] == {
        "AutoScalingGroupName": {"Ref": "AppInstances"},
        "InstanceReusePolicy": {"ReuseOnScaleIn": True},
        "MinSize": 2,
        "PoolState": "Running",
    }
