"""What a pipeline does after it was started, stage by stage."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol, get_args
from zoneinfo import available_timezones

from troposphere import codepipeline

from archlib.components.cicd.project import BuildProject
from archlib.core.component import Check
from archlib.core.formats import VARIABLE
from archlib.core.values import Value
from archlib.wiring.binding import Grant
from archlib.wiring.roles import Target

Retry = Literal["none", "failed", "all"]
Day = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]

_RULES_MAX = 5
_INPUTS_MAX = 5
_MESSAGE_MAX = 1000
_WAIT = (timedelta(minutes=1), timedelta(hours=1))
_APPROVAL = (timedelta(minutes=5), timedelta(minutes=86_400))
_LINK = re.compile(r"https://\S+")
_MODES = {"failed": "FAILED_ACTIONS", "all": "ALL_ACTIONS"}
_MINUTE = timedelta(minutes=1)


class WatchedAlarm(Protocol):
    """An alarm of CloudWatch."""

    @property
    def arn(self) -> Value:
        """ARN of the alarm."""
        ...

    @property
    def alarm_name(self) -> Value:
        """Name of the alarm in AWS."""
        ...


@dataclass(frozen=True, slots=True)
class Quiet:
    """The condition that an alarm does not go off.

    Attributes:
        alarm: the alarm.
        wait: how long it is watched, 1 minute to 1 hour, in whole minutes.
    """

    alarm: WatchedAlarm
    wait: timedelta = timedelta(minutes=1)

    provider = "CloudWatchAlarm"

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.between(f"{field}.wait", self.wait, *_WAIT)
        check.that(self.wait % _MINUTE == timedelta(0), f"{field}.wait", "whole minutes", self.wait)

    def grants(self) -> Sequence[Grant]:
        """Return the right to look at it."""
        return (Grant(("cloudwatch:DescribeAlarms",), (self.alarm.arn,)),)

    def configuration(self) -> dict[str, Value]:
        """Return it as CodePipeline has it."""
        return {"AlarmName": self.alarm.alarm_name, "WaitTime": str(self.wait // _MINUTE)}


@dataclass(frozen=True, slots=True)
class Window:
    """The condition that it is the time for deployments.

    Attributes:
        first_hour: the hour it opens, 0 to 23.
        last_hour: the last hour it is open, to its end, ``first_hour`` to 23.
        days: days of the week.
        timezone: name of the time zone of the hours.
    """

    first_hour: int = 9
    last_hour: int = 16
    days: Sequence[Day] = ("MON", "TUE", "WED", "THU", "FRI")
    timezone: str = "UTC"

    provider = "DeploymentWindow"

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it, as setting ``field``."""
        check.between(f"{field}.first_hour", self.first_hour, 0, 23)
        check.between(f"{field}.last_hour", self.last_hour, self.first_hour, 23)
        check.that(self.days, f"{field}.days", "at least one day", list(self.days))
        for day in self.days:
            check.one_of(f"{field}.days", day, get_args(Day))
        zones = available_timezones()
        # Empty on a machine without a time zone database; then AWS has to say it.
        check.that(
            not zones or self.timezone in zones,
            f"{field}.timezone",
            "an IANA name such as Europe/Berlin",
            self.timezone,
        )

    def grants(self) -> Sequence[Grant]:
        """Return the rights it needs: none."""
        return ()

    def configuration(self) -> dict[str, Value]:
        """Return it as CodePipeline has it: seconds, minutes, hours, day of month, month, day of week, year."""
        return {
            "Cron": f"* * {self.first_hour}-{self.last_hour} ? * {','.join(self.days)} *",
            "TimeZone": self.timezone,
        }


@dataclass(frozen=True, slots=True)
class Build:
    """A build of a project: it builds, tests or deploys what it gets, as the project's buildspec says.

    Attributes:
        name: kebab-case, unique in the pipeline; also the namespace of the variables it exports, for
            ``#{<name>.<VARIABLE>}``.
        project: the project.
        inputs: names of sources and of earlier builds with ``output``, at most 5; the first is where it starts. By
            default the first source.
        output: the artifacts of its buildspec are handed on, under its name.
        environment: more environment variables; the values may use ``#{variables.<name>}``.
        test: it is shown as a test.
        together: it starts together with the action before it, instead of after it.
    """

    name: str
    project: BuildProject
    inputs: Sequence[str] = ()
    output: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    test: bool = False
    together: bool = False

    def check(self, check: Check, where: str) -> None:
        """Note what is wrong with it, as setting ``where``."""
        check.that(
            len(self.inputs) <= _INPUTS_MAX and len(set(self.inputs)) == len(self.inputs),
            f"{where}.inputs", f"at most {_INPUTS_MAX} different ones", list(self.inputs),
        )  # fmt: skip
        for key in self.environment:
            check.that(
                VARIABLE.fullmatch(key) and not key.startswith("CODEBUILD_"),
                f"{where}.environment", "named by letters, digits and _, not starting with a digit or CODEBUILD_", key,
            )  # fmt: skip

    def action(self, inputs: Sequence[str]) -> codepipeline.Actions:
        """Return it as CloudFormation has it."""
        configuration: dict[str, Any] = {"ProjectName": self.project.project_name}
        if len(inputs) > 1:
            configuration["PrimarySource"] = inputs[0]
        if self.environment:
            variables = [{"name": key, "type": "PLAINTEXT", "value": value} for key, value in self.environment.items()]
            configuration["EnvironmentVariables"] = json.dumps(variables)
        action = codepipeline.Actions(
            ActionTypeId=action_type("Test" if self.test else "Build", "CodeBuild"),
            Configuration=configuration,
            InputArtifacts=[codepipeline.InputArtifacts(Name=each) for each in inputs],
            Name=self.name,
            Namespace=self.name,
        )
        if self.output:
            action.OutputArtifacts = [codepipeline.OutputArtifacts(Name=self.name)]
        return action


@dataclass(frozen=True, slots=True)
class Approval:
    """A person has to agree before the pipeline goes on.

    Attributes:
        name: kebab-case, unique in the pipeline.
        message: what they read, at most 1000 characters; it may use variables, such as ``#{plan.SUMMARY}``.
        link: the page they look at, ``https://...``; it may use variables.
        topic: who is asked, with message and link.
        timeout: how long the pipeline waits, 5 minutes to 60 days, in whole minutes; then the stage has failed.
    """

    name: str
    message: str = ""
    link: str = ""
    topic: Target | None = None
    timeout: timedelta = timedelta(days=7)

    together = False

    def check(self, check: Check, where: str) -> None:
        """Note what is wrong with it, as setting ``where``."""
        check.that(
            len(self.message) <= _MESSAGE_MAX,
            f"{where}.message", f"at most {_MESSAGE_MAX} characters", len(self.message), "shorten it",
        )  # fmt: skip
        check.that(not self.link or _LINK.fullmatch(self.link), f"{where}.link", "an https:// address", self.link)
        check.between(f"{where}.timeout", self.timeout, *_APPROVAL)
        check.that(self.timeout % _MINUTE == timedelta(0), f"{where}.timeout", "whole minutes", self.timeout)

    def action(self, inputs: Sequence[str]) -> codepipeline.Actions:  # noqa: ARG002  (people need no artifacts)
        """Return it as CloudFormation has it."""
        configuration: dict[str, Value] = {}
        if self.message:
            configuration["CustomData"] = self.message
        if self.link:
            configuration["ExternalEntityLink"] = self.link
        if self.topic is not None:
            configuration["NotificationArn"] = self.topic.arn
        action = codepipeline.Actions(
            ActionTypeId=action_type("Approval", "Manual"),
            Name=self.name,
            TimeoutInMinutes=self.timeout // _MINUTE,
        )
        if configuration:
            action.Configuration = configuration
        return action


@dataclass(frozen=True, slots=True)
class Stage:
    """Actions that succeed or fail together, such as all that deploys one environment.

    Attributes:
        name: kebab-case, unique in the pipeline.
        actions: one after another, unless a build is ``together`` with the one before it.
        before: conditions for the stage to begin, at most 5; it fails if one does not hold.
        skip: it is skipped instead, and the pipeline goes on.
        retry: after a failure the ``failed`` actions, or ``all`` of them, are tried once more.
        rollback: after a failure it runs again with what succeeded last; not with ``retry``.
    """

    name: str
    actions: Sequence[Build | Approval]
    before: Sequence[Quiet | Window] = ()
    skip: bool = False
    retry: Retry = "none"
    rollback: bool = False

    def check(self, check: Check, where: str) -> None:
        """Note what is wrong with it, as setting ``where``."""
        check.name(f"{where}.name", self.name, "stage")
        check.that(self.actions, f"{where}.actions", "at least one", list(self.actions))
        check.that(
            not self.actions or not self.actions[0].together,
            f"{where}.actions.0.together", "false, since there is none before it", True,
        )  # fmt: skip
        check.that(len(self.before) <= _RULES_MAX, f"{where}.before", f"at most {_RULES_MAX}", len(self.before))
        check.that(self.before or not self.skip, f"{where}.skip", "false without before", self.skip)
        check.one_of(f"{where}.retry", self.retry, get_args(Retry))
        check.that(not self.rollback or self.retry == "none", f"{where}.rollback", "false with retry", self.rollback)
        for number, condition in enumerate(self.before):
            condition.check(check, f"{where}.before.{number}")
        for number, action in enumerate(self.actions):
            check.name(f"{where}.actions.{number}.name", action.name, "action")
            action.check(check, f"{where}.actions.{number}")

    def rendered(self, first_source: str) -> codepipeline.Stages:
        """Return it as CloudFormation has it, for a pipeline whose first source is called ``first_source``."""
        actions, order = [], 0
        for each in self.actions:
            order += 0 if each.together else 1
            action = each.action((each.inputs or (first_source,)) if isinstance(each, Build) else ())
            action.RunOrder = order
            actions.append(action)
        stage = codepipeline.Stages(Actions=actions, Name=self.name)
        if self.before:
            rules = [
                codepipeline.RuleDeclaration(
                    Configuration=condition.configuration(),
                    Name=f"{self.name}-before-{number}",
                    RuleTypeId=codepipeline.RuleTypeId(
                        Category="Rule", Owner="AWS", Provider=condition.provider, Version="1"
                    ),
                )
                for number, condition in enumerate(self.before, start=1)
            ]
            condition = codepipeline.Condition(Result="SKIP" if self.skip else "FAIL", Rules=rules)
            stage.BeforeEntry = codepipeline.BeforeEntryConditions(Conditions=[condition])
        if self.rollback:
            stage.OnFailure = codepipeline.FailureConditions(Result="ROLLBACK")
        elif self.retry != "none":
            stage.OnFailure = codepipeline.FailureConditions(
                Result="RETRY", RetryConfiguration=codepipeline.RetryConfiguration(RetryMode=_MODES[self.retry])
            )
        return stage


def action_type(category: str, provider: str) -> codepipeline.ActionTypeId:
    """Return the type of an action that AWS offers."""
    return codepipeline.ActionTypeId(Category=category, Owner="AWS", Provider=provider, Version="1")
