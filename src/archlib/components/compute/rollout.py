"""New versions of the code on instances that stay (CodeDeploy)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from troposphere import Select, Split, codedeploy

from archlib.components.compute.instances import Instances
from archlib.components.identity.role import Role
from archlib.components.observability.alarm import Alarm
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import REGION, URL_SUFFIX, Value
from archlib.wiring.binding import Grant

Batch = Literal["one", "half", "all"]

_CONFIGURATIONS = {"one": "OneAtATime", "half": "HalfAtATime", "all": "AllAtOnce"}
_HOOKS = (
    *("autoscaling:CompleteLifecycleAction", "autoscaling:DeleteLifecycleHook", "autoscaling:PutLifecycleHook"),
    *("autoscaling:RecordLifecycleActionHeartbeat", "autoscaling:ResumeProcesses", "autoscaling:SuspendProcesses"),
)
_LOOKING = (
    *("autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks", "ec2:DescribeInstances"),
    *("ec2:DescribeInstanceStatus", "elasticloadbalancing:DescribeTargetGroups"),
    "elasticloadbalancing:DescribeTargetHealth",
)
_MOVING = ("elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets")


class InPlaceRollout(Component):
    """A CodeDeploy application that brings new versions of the code to the instances of a group, batch by batch.

    Creates ``<Name>Rollout``, ``<Name>RolloutApplication``, ``<Name>RolloutRole`` and ``<Name>RolloutPolicy``. Each
    instance leaves the load balancer while it changes; a failed deployment, or an alarm, brings the last version back.
    New instances get the last version before they take requests. Versions are archives in S3 with an ``appspec.yml``,
    which the instances must be allowed to read: connect them with the bucket.

    The instances install CodeDeploy's agent when they start, for which they need the internet.

    See https://docs.aws.amazon.com/codedeploy/latest/userguide/integrations-aws-auto-scaling.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        instances: the group, with its routes made before.
        batch: how many instances change at a time: ``one``, ``half`` or ``all``.
        alarms: what stops a deployment and takes it back.

    Attributes:
        resource: the ``AWS::CodeDeploy::DeploymentGroup``.
        role: its :class:`Role`.

    Raises:
        SettingsError: ``batch`` is none of these, or the instances do not reach the internet.
    """

    kind = "Rollout"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        instances: Instances,
        batch: Batch = "half",
        alarms: Sequence[Alarm] = (),
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.one_of("batch", batch, tuple(_CONFIGURATIONS))
            check.that(instances.internet, "instances", "ones with a way to the internet", instances.name)
        instances.run_first(*_install_agent())
        self.role = Role(stack, f"{name}-rollout", service="codedeploy", description=f"Role of {self.label} {name}")
        why = f"deploying to {instances}"
        self.role.allow(Grant(_HOOKS, (instances.arn,)), why=why)
        self.role.allow(Grant(_LOOKING, ("*",)), why=why)
        for each in instances.groups:
            self.role.allow(Grant(_MOVING, (each.arn,)), why=why)
        if alarms:
            found = tuple(alarm.arn for alarm in alarms)
            self.role.allow(Grant(("cloudwatch:DescribeAlarms",), found), why=f"taking deployments of {self} back")
        application = self.add(codedeploy.Application(self.id("RolloutApplication"), ComputePlatform="Server"))
        events = ["DEPLOYMENT_FAILURE", *(["DEPLOYMENT_STOP_ON_ALARM"] if alarms else [])]
        self.resource = codedeploy.DeploymentGroup(
            self.id(),
            ApplicationName=application.ref(),
            AutoRollbackConfiguration=codedeploy.AutoRollbackConfiguration(Enabled=True, Events=events),
            AutoScalingGroups=[instances.group_name],
            DeploymentConfigName=f"CodeDeployDefault.{_CONFIGURATIONS[batch]}",
            DeploymentStyle=codedeploy.DeploymentStyle(
                DeploymentOption="WITH_TRAFFIC_CONTROL" if instances.groups else "WITHOUT_TRAFFIC_CONTROL",
                DeploymentType="IN_PLACE",
            ),
            OutdatedInstancesStrategy="UPDATE",
            ServiceRoleArn=self.role.arn,
            DependsOn=self.role.policy,
        )
        if alarms:
            self.resource.AlarmConfiguration = codedeploy.AlarmConfiguration(
                Enabled=True, Alarms=[codedeploy.Alarm(Name=alarm.alarm_name) for alarm in alarms]
            )
        if instances.groups:
            names = [Select(1, Split("/", each.full_name)) for each in instances.groups]
            self.resource.LoadBalancerInfo = codedeploy.LoadBalancerInfo(
                TargetGroupInfoList=[codedeploy.TargetGroupInfo(Name=each) for each in names]
            )
        self.add(self.resource)


def _install_agent() -> tuple[Value, ...]:
    return (
        "dnf install -y ruby\ncurl --silent --fail --output /tmp/install https://aws-codedeploy-",
        REGION,
        ".s3.",
        REGION,
        ".",
        URL_SUFFIX,
        "/latest/install\nchmod +x /tmp/install\n/tmp/install auto\nrm /tmp/install\n",
    )
