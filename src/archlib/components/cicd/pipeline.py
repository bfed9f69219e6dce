"""CodePipeline pipelines: from a change to every environment, with people in between."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from troposphere import codepipeline, events, iam

from archlib.components.cicd.artifacts import ArtifactBucket
from archlib.components.cicd.project import BuildProject
from archlib.components.cicd.sources import RepositorySource, Source
from archlib.components.cicd.stages import Approval, Build, Stage, action_type
from archlib.components.identity.role import Role
from archlib.components.observability.dead_letters import DeadLetters
from archlib.core.component import Check, Component
from archlib.core.naming import fixed_name, logical_id, pascal
from archlib.core.stack import Stack
from archlib.core.values import Value, arn
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.permissions import Permissions
from archlib.wiring.roles import Target
from archlib.wiring.watch import Watch

Mode = Literal["QUEUED", "SUPERSEDED", "PARALLEL"]

_NAME_MAX = 100
_SOURCES = "sources"
_SOURCES_MAX = 50
_STAGES_MAX = 49
_RESERVED = ("codepipeline", "variables")
_VARIABLES_MAX = 50
_VARIABLE = re.compile(r"[A-Za-z0-9@_-]{1,128}")
_VALUE_MAX = 1000


class Pipeline(Component):
    """A CodePipeline pipeline of type V2: it fetches sources, builds, asks and deploys, stage by stage.

    Creates ``<Name>Pipeline``, ``<Name>PipelineRole`` and ``<Name>PipelinePolicy``; for each project
    ``<Project>In<Name>Policy``, which lets its builds use the artifacts; unless ``artifacts`` are given
    ``<Name>ArtifactBucket`` and its policy; for each source that EventBridge notices
    ``<Name>PipelineFrom<Source>Rule``, with ``<Name>PipelineStartRole``, ``<Name>PipelineStartPolicy`` and
    ``<Name>PipelineDeadLetterQueue``; with ``notify`` ``<Name>PipelineFailedRule`` and
    ``<Name>PipelineApprovalRule``. It is called ``<app>-<environment>-<name>``, so that its role can name it.

    See https://docs.aws.amazon.com/codepipeline/latest/userguide/pipeline-types.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        sources: what starts it, and what it works on, 1 to 50; they are fetched together in the stage ``sources``.
        stages: what it does, in order, 1 to 49.
        variables: name -> default value, at most 50 of 1 to 1000 characters; actions use ``#{variables.<name>}``.
        mode: what happens to an execution while another one runs: ``QUEUED`` waits for it, ``SUPERSEDED`` lets the
            newest one overtake, ``PARALLEL`` runs beside it, without rollback.
        artifacts: the bucket for what the actions hand on; one of its own by default.
        notify: who is told when it failed, and when it waits for an approval; usually a topic, in the same stack.

    Attributes:
        resource: the ``AWS::CodePipeline::Pipeline``.
        role: its :class:`Role`.
        artifacts: its :class:`ArtifactBucket`.

    Raises:
        SettingsError: a setting is outside its range, a name is taken, or an input does not exist at that point.
        WiringError: EventBridge cannot deliver to ``notify``, or a bucket has no events.
    """

    kind = "Pipeline"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        sources: Sequence[Source],
        stages: Sequence[Stage],
        variables: Mapping[str, str] | None = None,
        mode: Mode = "QUEUED",
        artifacts: ArtifactBucket | None = None,
        notify: Target | None = None,
    ) -> None:
        super().__init__(stack, name)
        variables = variables or {}
        with self.checking() as check:
            check.one_of("mode", mode, get_args(Mode))
            _check_variables(check, variables)
            check.that(1 <= len(sources) <= _SOURCES_MAX, "sources", f"1 to {_SOURCES_MAX}", len(sources))
            check.that(1 <= len(stages) <= _STAGES_MAX, "stages", f"1 to {_STAGES_MAX}", len(stages))
            check.that(
                notify is None or notify.stack is stack,
                "notify", f"in stack {stack.name!r}", notify and notify.stack.name, "make a topic there",
            )  # fmt: skip
            for number, source in enumerate(sources):
                check.name(f"sources.{number}.name", source.name, "source")
                source.check(check, f"sources.{number}")
            for number, stage in enumerate(stages):
                stage.check(check, f"stages.{number}")
                check.that(
                    mode != "PARALLEL" or not stage.rollback, f"stages.{number}.rollback", "false in mode PARALLEL",
                    stage.rollback,
                )  # fmt: skip
            _check_names(check, sources, stages)
            _check_inputs(check, sources, stages)
        self._physical_name = fixed_name(stack.app.name, stack.app.environment, name, most=_NAME_MAX)
        self.artifacts = artifacts or ArtifactBucket(stack, name)
        self._failures = DeadLetters(self, key=self.artifacts.key)
        self._starter: Role | None = None

        part = f"{name}-pipeline"
        self.role = Role(stack, part, service="codepipeline", description=f"Role of pipeline {name}", source=self.arn)
        self.role.connect(self.artifacts.for_reading_and_writing(), *(source.binding() for source in sources))
        policies = self._admit(sources, stages)
        self.resource = codepipeline.Pipeline(
            self.id(),
            ArtifactStore=codepipeline.ArtifactStore(
                EncryptionKey=codepipeline.EncryptionKey(Id=self.artifacts.key.arn, Type="KMS"),
                Location=self.artifacts.bucket_name,
                Type="S3",
            ),
            ExecutionMode=mode,
            Name=self._physical_name,
            PipelineType="V2",
            RestartExecutionOnUpdate=False,
            RoleArn=self.role.arn,
            Stages=[
                codepipeline.Stages(Actions=[_fetch(source) for source in sources], Name=_SOURCES),
                *(stage.rendered(sources[0].name) for stage in stages),
            ],
            # It starts as soon as it is there: the rights must be there before.
            DependsOn=[self.role.policy, *policies],
        )
        if variables:
            self.resource.Variables = [
                codepipeline.VariableDeclaration(DefaultValue=value, Name=variable)
                for variable, value in variables.items()
            ]
        if triggers := [trigger for source in sources if (trigger := source.trigger()) is not None]:
            self.resource.Triggers = triggers
        self.add(self.resource)
        for source in sources:
            if (pattern := source.event_pattern()) is not None:
                self._start_on(f"PipelineFrom{pascal(source.name)}Rule", pattern)
        if notify is not None:
            self._notify(notify, stages)

    def _admit(self, sources: Sequence[Source], stages: Sequence[Stage]) -> list[str]:
        """Give the pipeline and its projects the rights they need, and return the logical ids of the latter's."""
        projects: dict[BuildProject, list[Binding]] = {}
        cloned = {source.name: source for source in sources if isinstance(source, RepositorySource) and source.history}
        for stage in stages:
            for condition in stage.before:
                for grant in condition.grants():
                    self.role.allow(grant, why=f"conditions of stage {stage.name!r}")
            for action in stage.actions:
                if isinstance(action, Build):
                    given = projects.setdefault(action.project, [self.artifacts.for_reading_and_writing()])
                    inputs = action.inputs or (sources[0].name,)
                    given.extend(cloned[each].binding() for each in inputs if each in cloned)
                elif action.topic is not None:
                    for grant in action.topic.start_grants():
                        self.role.allow(grant, why=f"asking for {action.name!r}")
        return [self._admit_project(project, bindings) for project, bindings in projects.items()]

    def _admit_project(self, project: BuildProject, bindings: Sequence[Binding]) -> str:
        self.role.connect(project.for_building())
        # Beside the pipeline, so that the stack of the project does not depend on that of the pipeline.
        title = logical_id(project.name, f"In{pascal(self.name)}Policy")
        policy = iam.ManagedPolicy(
            title, Description=f"Rights of {project.name} in {self.name}", Roles=[project.role.ref()]
        )
        permissions = Permissions(policy, self.stack.permissions.setdefault(title, []))
        for binding in bindings:
            for grant in binding.grants:
                permissions.allow(grant, why=binding.access)
        self.add(policy)
        return title

    def _start_on(self, role: str, pattern: Mapping[str, Any]) -> None:
        rule = self.attribute("Arn", role)
        if self._starter is None:
            self._starter = Role(
                self.stack, f"{self.name}-pipeline-start", service="events", description=f"Starts pipeline {self.name}"
            )
            for grant in self.start_grants():
                self._starter.allow(grant, why=f"starting {self}")
        target = events.Target(
            Arn=self.arn,
            DeadLetterConfig=events.DeadLetterConfig(Arn=self.dead_letters_for("events", rule)),
            Id="pipeline",
            RoleArn=self._starter.arn,
        )
        self._rule(role, pattern, target).DependsOn = self._starter.policy

    def _notify(self, notify: Target, stages: Sequence[Stage]) -> None:
        wanted: dict[str, tuple[str, dict[str, Any]]] = {
            "PipelineFailedRule": ("Pipeline Execution State Change", {"state": ["FAILED"]})
        }
        if any(isinstance(action, Approval) for stage in stages for action in stage.actions):
            manual = {"category": ["Approval"], "owner": ["AWS"], "provider": ["Manual"]}
            wanted["PipelineApprovalRule"] = ("Action Execution State Change", {"state": ["STARTED"], "type": manual})
        for role, (what, detail) in wanted.items():
            rule = self.attribute("Arn", role)
            if not notify.admit("events", rule, label=f"{pascal(self.name)}{role}"):
                raise WiringError(f"{self}: notify must be a topic, a queue or a function, got {notify.name!r}")
            self._rule(
                role,
                {
                    "source": ["aws.codepipeline"],
                    "detail-type": [f"CodePipeline {what}"],
                    "detail": {"pipeline": [self._physical_name], **detail},
                },
                events.Target(
                    Arn=notify.arn,
                    DeadLetterConfig=events.DeadLetterConfig(Arn=notify.dead_letters_for("events", rule)),
                    Id="notify",
                ),
            )

    def _rule(self, role: str, pattern: Mapping[str, Any], target: events.Target) -> events.Rule:
        return self.add(events.Rule(self.id(role), EventPattern=dict(pattern), State="ENABLED", Targets=[target]))

    @property
    def arn(self) -> Value:
        """ARN of the pipeline."""
        return arn("codepipeline", self._physical_name)

    @property
    def pipeline_name(self) -> Value:
        """Name of the pipeline in AWS."""
        return self.ref()

    def start_grants(self) -> Sequence[Grant]:
        """Return the right a role needs to start it."""
        return (Grant(("codepipeline:StartPipelineExecution",), (self.arn,)),)

    def admit(self, service: str, source: Value, *, label: str = "") -> bool:  # noqa: ARG002  (there is no policy)
        """Return that a service needs a role to start it; see ``Target``."""
        return False

    def dead_letters_for(self, service: str, source: Value) -> Value:
        """Return the ARN of the queue where ``service`` may keep what it could not start."""
        return self._failures.admit(service, source)

    def watches(self) -> Sequence[Watch]:
        """Return what shows that executions fail, or could not be started."""
        return (
            Watch(
                "failed-executions", f"Failed executions of {self}", "AWS/CodePipeline", "FailedPipelineExecutions",
                {"PipelineName": self.pipeline_name}, "Sum", 1,
            ),
            *self._failures.watches(),
        )  # fmt: skip


def _fetch(source: Source) -> codepipeline.Actions:
    provider, configuration = source.configuration()
    return codepipeline.Actions(
        ActionTypeId=action_type("Source", provider),
        Configuration=configuration,
        Name=source.name,
        Namespace=source.name,
        OutputArtifacts=[codepipeline.OutputArtifacts(Name=source.name)],
        RunOrder=1,
    )


def _check_variables(check: Check, variables: Mapping[str, str]) -> None:
    check.that(len(variables) <= _VARIABLES_MAX, "variables", f"at most {_VARIABLES_MAX}", len(variables))
    for name, value in variables.items():
        check.that(_VARIABLE.fullmatch(name), "variables", "named by letters, digits, @, - and _", name, "rename it")
        check.that(1 <= len(value) <= _VALUE_MAX, f"variables.{name}", f"1 to {_VALUE_MAX} characters", len(value))


def _check_names(check: Check, sources: Sequence[Source], stages: Sequence[Stage]) -> None:
    actions = [*(each.name for each in sources), *(each.name for stage in stages for each in stage.actions)]
    for name in set(actions).intersection(_RESERVED):
        # It is the namespace of the action's variables, too.
        check.that(False, "stages", "free of actions called codepipeline or variables", name, "rename it")
    for what, names in (("action", actions), ("stage", [_SOURCES, *(stage.name for stage in stages)])):
        taken = sorted({name for name in names if names.count(name) > 1})
        check.that(not taken, "stages", f"ones with a different name for each {what}", ", ".join(taken), "rename some")


def _check_inputs(check: Check, sources: Sequence[Source], stages: Sequence[Stage]) -> None:
    """Note builds that work on what is not there before them; those that start together do not wait for each other."""
    known = [source.name for source in sources]
    for number, stage in enumerate(stages):
        fresh: list[str] = []
        for index, action in enumerate(stage.actions):
            if not action.together:
                known, fresh = [*known, *fresh], []
            if isinstance(action, Build):
                for each in action.inputs:
                    check.one_of(
                        f"stages.{number}.actions.{index}.inputs", each, known, "name what was handed on before"
                    )
                fresh += [action.name] if action.output else []
        known += fresh
