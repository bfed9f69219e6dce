"""Published versions behind one alias, so that traffic can move gradually and capacity can wait ready."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from troposphere import applicationautoscaling, awslambda, codedeploy
from troposphere.policies import CodeDeployLambdaAliasUpdate, UpdatePolicy

from archlib.components.identity.role import Role
from archlib.components.observability.alarm import Alarm
from archlib.core.values import Value, arn, join
from archlib.wiring.binding import Grant
from archlib.wiring.roles import Target
from archlib.wiring.watch import Watch

if TYPE_CHECKING:
    from archlib.components.functions.function import Function
    from archlib.core.component import Check

Shift = Literal[
    "all-at-once",
    "canary-10-percent-5-minutes",
    "canary-10-percent-10-minutes",
    "canary-10-percent-15-minutes",
    "canary-10-percent-30-minutes",
    "linear-10-percent-every-1-minute",
    "linear-10-percent-every-2-minutes",
    "linear-10-percent-every-3-minutes",
    "linear-10-percent-every-10-minutes",
]

_CONFIGURATIONS = {
    "all-at-once": "AllAtOnce",
    "canary-10-percent-5-minutes": "Canary10Percent5Minutes",
    "canary-10-percent-10-minutes": "Canary10Percent10Minutes",
    "canary-10-percent-15-minutes": "Canary10Percent15Minutes",
    "canary-10-percent-30-minutes": "Canary10Percent30Minutes",
    "linear-10-percent-every-1-minute": "Linear10PercentEvery1Minute",
    "linear-10-percent-every-2-minutes": "Linear10PercentEvery2Minutes",
    "linear-10-percent-every-3-minutes": "Linear10PercentEvery3Minutes",
    "linear-10-percent-every-10-minutes": "Linear10PercentEvery10Minutes",
}


@dataclass(frozen=True, slots=True)
class Live:
    """How new versions of a function go live, behind the alias ``live``.

    Attributes:
        shift: how traffic moves to a new version; anything but ``all-at-once`` creates a CodeDeploy deployment group,
            which goes back to the version before as soon as the new one fails.
        notify: for gradual shifts, who is told of it, usually a topic.
        provisioned: environments kept initialised, billed while they wait; 0: none.
        provisioned_max: scale them up to this number by use; None: fixed.
        utilization_percent: use of the provisioned environments that scaling holds, 10 to 90.
    """

    shift: Shift = "all-at-once"
    notify: Target | None = None
    provisioned: int = 0
    provisioned_max: int | None = None
    utilization_percent: int = 70

    def check(self, check: Check, reserved_concurrency: int | None) -> None:
        """Note what cannot work, given the function's ``reserved_concurrency``."""
        check.one_of("live.shift", self.shift, tuple(_CONFIGURATIONS))
        check.between("live.provisioned", self.provisioned, 0, 10_000)
        check.between("live.utilization_percent", self.utilization_percent, 10, 90)
        check.that(
            self.provisioned_max is None or 1 <= self.provisioned <= self.provisioned_max,
            "live.provisioned_max", "at least live.provisioned, which must then be 1 or more", self.provisioned_max,
        )  # fmt: skip
        most = max(self.provisioned, self.provisioned_max or 0)
        check.that(
            reserved_concurrency is None or most <= reserved_concurrency,
            "live.provisioned", f"at most the reserved concurrency of {reserved_concurrency}", most,
        )  # fmt: skip

    def publish(self, function: Function) -> None:
        """Add version, alias and what they need to ``function``.

        Creates ``<Name>Version`` and ``<Name>LiveAlias``; for gradual shifts ``<Name>Deployments`` (application),
        ``<Name>DeploymentGroup``, its role, and ``<Name>LiveErrorsAlarm``; for scaling ``<Name>ScalableTarget`` and
        ``<Name>ScalingPolicy``.
        """
        # A version is immutable; its description follows the code, so that every change replaces it by a new one.
        version = awslambda.Version(
            function.id("Version"),
            FunctionName=function.ref(),
            Description=function.state,
            UpdateReplacePolicy="Retain",
        )
        version.DeletionPolicy = "Retain"
        function.add(version)
        alias = awslambda.Alias(
            function.id("LiveAlias"),
            Description="What callers invoke",
            FunctionName=function.ref(),
            FunctionVersion=function.attribute("Version", "Version"),
            Name="live",
        )
        if self.provisioned:
            alias.ProvisionedConcurrencyConfig = awslambda.ProvisionedConcurrencyConfiguration(
                ProvisionedConcurrentExecutions=self.provisioned
            )
        function.add(alias)
        if self.shift != "all-at-once":
            alias.UpdatePolicy = self._deployments(function)
        if self.provisioned_max is not None:
            self._scale(function)

    def _deployments(self, function: Function) -> UpdatePolicy:
        role = Role(function.stack, f"{function.name}-deployment", service="codedeploy")
        function_arn = function.attribute("Arn")
        role.allow(
            Grant(
                ("lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"),
                (function_arn, join(function_arn, ":live")),
            ),
            why=f"shifting traffic of {function}",
        )
        application = codedeploy.Application(function.id("Deployments"), ComputePlatform="Lambda")
        function.add(application)
        alarm = self._alarm(function)
        role.allow(Grant(("cloudwatch:DescribeAlarms",), (alarm.arn,)), why=f"rolling {function} back")
        group = codedeploy.DeploymentGroup(
            function.id("DeploymentGroup"),
            AlarmConfiguration=codedeploy.AlarmConfiguration(
                Enabled=True, Alarms=[codedeploy.Alarm(Name=alarm.alarm_name)]
            ),
            ApplicationName=function.ref("Deployments"),
            AutoRollbackConfiguration=codedeploy.AutoRollbackConfiguration(
                Enabled=True, Events=["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
            ),
            DeploymentConfigName=f"CodeDeployDefault.Lambda{_CONFIGURATIONS[self.shift]}",
            DeploymentStyle=codedeploy.DeploymentStyle(
                DeploymentOption="WITH_TRAFFIC_CONTROL", DeploymentType="BLUE_GREEN"
            ),
            ServiceRoleArn=role.arn,
            DependsOn=role.policy,
        )
        function.add(group)
        return UpdatePolicy(
            CodeDeployLambdaAliasUpdate=CodeDeployLambdaAliasUpdate(
                ApplicationName=function.ref("Deployments"), DeploymentGroupName=function.ref("DeploymentGroup")
            )
        )

    def _alarm(self, function: Function) -> Alarm:
        watch = Watch(
            "live-errors",
            f"Errors of {function} behind its alias",
            "AWS/Lambda",
            "Errors",
            {"FunctionName": function.ref(), "Resource": join(function.ref(), ":live")},
            "Sum",
            1,
            period=timedelta(minutes=1),
        )
        return Alarm(function.stack, f"{function.name}-live-errors", watch=watch, notify=self.notify)

    def _scale(self, function: Function) -> None:
        target = applicationautoscaling.ScalableTarget(
            function.id("ScalableTarget"),
            MaxCapacity=self.provisioned_max,
            MinCapacity=self.provisioned,
            ResourceId=join("function:", function.ref(), ":live"),
            RoleARN=_service_linked_role("lambda.application-autoscaling", "LambdaConcurrency"),
            ScalableDimension="lambda:function:ProvisionedConcurrency",
            ServiceNamespace="lambda",
            DependsOn=function.id("LiveAlias"),
        )
        function.add(target)
        policy = applicationautoscaling.ScalingPolicy(
            function.id("ScalingPolicy"),
            PolicyName=f"{function.name}-provisioned",
            PolicyType="TargetTrackingScaling",
            ScalingTargetId=function.ref("ScalableTarget"),
            TargetTrackingScalingPolicyConfiguration=applicationautoscaling.TargetTrackingScalingPolicyConfiguration(
                PredefinedMetricSpecification=applicationautoscaling.PredefinedMetricSpecification(
                    PredefinedMetricType="LambdaProvisionedConcurrencyUtilization"
                ),
                TargetValue=self.utilization_percent / 100,
            ),
        )
        function.add(policy)


def _service_linked_role(service: str, name: str) -> Value:
    return arn(
        "iam",
        join("role/aws-service-role/", service, f".amazonaws.com/AWSServiceRoleForApplicationAutoScaling_{name}"),
        region="",
    )
