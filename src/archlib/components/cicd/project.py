"""CodeBuild projects: build, test and deploy on machines that exist only for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, Protocol, get_args

from troposphere import codebuild

from archlib.components.cicd.artifacts import use_key
from archlib.components.cicd.buildspec import Buildspec, Report
from archlib.components.cicd.machine import Machine
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.network.security_group import SecurityGroup
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Check, Component
from archlib.core.formats import VARIABLE
from archlib.core.naming import fixed_name, pascal
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Deferred, Value, arn, encode, join
from archlib.errors import WiringError
from archlib.units import seconds
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import connect
from archlib.wiring.roles import Named, Network
from archlib.wiring.watch import Watch

LocalCache = Literal["source", "docker-layers", "files"]

_LOCAL = {"source": "LOCAL_SOURCE_CACHE", "docker-layers": "LOCAL_DOCKER_LAYER_CACHE", "files": "LOCAL_CUSTOM_CACHE"}
_NAME_MAX = 100
_REPORT_NAME_MAX = 128
_TIMEOUT = (timedelta(minutes=5), timedelta(minutes=2160))
_QUEUED = (timedelta(minutes=5), timedelta(minutes=480))
_LAMBDA_TIMEOUT = timedelta(minutes=15)
_RETRIES = (0, 10)
_SUBNETS_MAX = 16
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_REPORT = (
    *("codebuild:BatchPutCodeCoverages", "codebuild:BatchPutTestCases"),
    *("codebuild:CreateReport", "codebuild:UpdateReport"),
)
_INTERFACES = (
    *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeDhcpOptions"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
)


class CacheStore(Named, Protocol):
    """What keeps the files that the next build gets again: a bucket."""

    @property
    def bucket_name(self) -> Value:
        """Name of the bucket in AWS."""
        ...

    def for_reading_and_writing(self, prefix: str = "") -> Binding:
        """Return the rights to read and put objects under ``prefix``, including the key's."""
        ...


class BuildProject(Component):
    """A CodeBuild project that pipelines start: its source, and what it hands on, are artifacts of the pipeline.

    Creates ``<Name>Project``, ``<Name>ProjectRole``, ``<Name>ProjectPolicy`` and ``<Name>ProjectLogGroup``; for each of
    the ``reports`` ``<Name><Report>ReportGroup``; with ``network`` also ``<Name>ProjectSecurityGroup``. Builds get the
    rights that are connected, and those to log and to report; a pipeline adds those on its artifacts. The project is
    called ``<app>-<environment>-<name>``, so that its role and its reports can name it.

    See https://docs.aws.amazon.com/codebuild/latest/userguide/welcome.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        buildspec: what a build does: a file in the source, ``buildspec.yml`` in its root by default, or steps.
        machine: what it runs on: arm64 and small by default.
        docker: builds make container images: Docker runs in privileged mode, which lets a build become the machine.
        environment: environment variables -> plain configuration; what is secret is connected, or injected.
        reports: name -> results of tests or coverage, at most 5; a file in the source uses the same names.
        timeout: longest build, 5 to 2160 minutes; 1 hour by default. On Lambda it is always 15 minutes.
        queued_timeout: how long a build may wait for a machine, 5 to 480 minutes; 8 hours by default. Not on Lambda.
        retries: new tries of a build that failed, 0 to 10.
        concurrency: builds at a time, 1 or more; by default as many as the account may have.
        local_cache: what a machine keeps for the next build, if that gets the same one: ``source``, ``docker-layers``
            (with ``docker``) or ``files`` that the buildspec names.
        cache_in: the bucket that keeps the files that the buildspec names, under ``cache/<name>/``; slower, but it is
            there for every build. Not with ``local_cache``.
        network: the VPC it runs in, with at most 16 private subnets; only for builds that must reach something
            inside one. Tools are downloaded only with ``internet``.
        internet: allow HTTPS to every address, through the network's NAT; builds outside a network have it anyway.
        log_retention_days: days a log event is kept.
        key: the KMS key of artifacts and log; the app's by default.

    Attributes:
        resource: the ``AWS::CodeBuild::Project``.
        role: its :class:`Role`.
        log_group: its :class:`LogGroup`.
        security_group: id of its security group; None outside a network.

    Raises:
        SettingsError: a setting is outside its range, or does not fit the machine.
    """

    kind = "Project"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        buildspec: Buildspec | None = None,
        machine: Machine | None = None,
        docker: bool = False,
        environment: Mapping[str, Value] | None = None,
        reports: Mapping[str, Report] | None = None,
        timeout: timedelta | None = None,
        queued_timeout: timedelta | None = None,
        retries: int = 0,
        concurrency: int | None = None,
        local_cache: Sequence[LocalCache] = (),
        cache_in: CacheStore | None = None,
        network: Network | None = None,
        internet: bool = False,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        buildspec = buildspec or Buildspec("buildspec.yml")
        machine, reports = machine or Machine(), reports or {}
        self._physical_name = fixed_name(stack.app.name, stack.app.environment, name, most=_NAME_MAX)
        with self.checking() as check:
            check_retention(check, log_retention_days)
            machine.check(check)
            buildspec.check(check, reports)
            check.between("timeout", timeout, *_TIMEOUT)
            check.between("queued_timeout", queued_timeout, *_QUEUED)
            for field, limit in (("timeout", timeout), ("queued_timeout", queued_timeout)):
                check.that(limit is None or limit % timedelta(minutes=1) == timedelta(0), field, "whole minutes", limit)
            check.between("retries", retries, *_RETRIES)
            check.that(concurrency is None or concurrency >= 1, "concurrency", "1 or more, or left out", concurrency)
            _check_cache(check, buildspec, local_cache, cache_in, docker=docker)
            for report in reports:
                most = _REPORT_NAME_MAX - len(self._physical_name) - 1
                check.that(len(report) <= most, f"reports.{report}", f"at most {most} characters", len(report))
            if network is None:
                check.that(not internet, "internet", "left out without network", internet, "builds have it anyway")
            else:
                count = len(network.private_subnets)
                check.that(count <= _SUBNETS_MAX, "network", f"one with at most {_SUBNETS_MAX} private subnets", count)
            if machine.on_lambda:
                _check_lambda(
                    check,
                    {
                        "docker": docker, "network": network, "local_cache": local_cache, "cache_in": cache_in,
                        "timeout": timeout, "queued_timeout": queued_timeout, "buildspec.runtimes": buildspec.runtimes,
                    },
                )  # fmt: skip
        self._timeout = _LAMBDA_TIMEOUT if machine.on_lambda else timeout or timedelta(hours=1)
        self.key = key or Key.of(stack)
        self._variables: dict[str, tuple[str, Value]] = {}

        part = f"{name}-project"
        self.log_group = LogGroup(stack, part, retention_days=log_retention_days, key=self.key)
        self.role = Role(stack, part, service="codebuild", description=f"Role of project {name}", source=self.arn)
        self.role.connect(self.log_group.for_writing())
        self.role.allow(use_key(self.key), why=f"artifacts of {self}")

        self.resource = codebuild.Project(
            self.id(),
            Artifacts=codebuild.Artifacts(EncryptionDisabled=False, Type="CODEPIPELINE"),
            AutoRetryLimit=retries,
            BadgeEnabled=False,
            Cache=self._cache(local_cache, cache_in),
            Description=f"Builds {name} of {stack.app.name} ({stack.app.environment})",
            EncryptionKey=self.key.arn,
            Environment=machine.environment(docker=docker),
            LogsConfig=codebuild.LogsConfig(
                CloudWatchLogs=codebuild.CloudWatchLogs(GroupName=self.log_group.group_name, Status="ENABLED")
            ),
            Name=self._physical_name,
            ServiceRole=self.role.arn,
            Source=codebuild.Source(BuildSpec=buildspec.text(reports), Type="CODEPIPELINE"),
            Visibility="PRIVATE",
            # CodeBuild tries the rights on networks when the project is made.
            DependsOn=self.role.policy,
        )
        if not machine.on_lambda:
            self.resource.TimeoutInMinutes = _minutes(self._timeout)
            self.resource.QueuedTimeoutInMinutes = _minutes(queued_timeout or _QUEUED[1])
        if concurrency is not None:
            self.resource.ConcurrentBuildLimit = concurrency
        suppress(self.resource, "codepipeline-source", *(["docker-build"] if docker else []))
        self.add(self.resource)

        for report, settings in reports.items():
            self._report(report, settings)
        self.security_group: Value | None = None
        if network is not None:
            self._join(network, internet=internet)
        for variable, value in (environment or {}).items():
            self.set_environment(variable, value)

    def _cache(self, local: Sequence[LocalCache], store: CacheStore | None) -> codebuild.ProjectCache:
        if local:
            return codebuild.ProjectCache(Modes=[_LOCAL[mode] for mode in local], Type="LOCAL")
        if store is None:
            return codebuild.ProjectCache(Type="NO_CACHE")
        prefix = f"cache/{self.name}"
        self.role.connect(store.for_reading_and_writing(f"{prefix}/"))
        return codebuild.ProjectCache(Location=join(store.bucket_name, f"/{prefix}"), Type="S3")

    def _report(self, name: str, report: Report) -> None:
        # A buildspec finds the group that is called after the project and the report.
        group = f"{self._physical_name}-{name}"
        self.add(
            codebuild.ReportGroup(
                self.id(f"{pascal(name)}ReportGroup"),
                # Reports last for 30 days at most; a group that has some could not be deleted.
                DeleteReports=True,
                ExportConfig=codebuild.ReportExportConfig(ExportConfigType="NO_EXPORT"),
                Name=group,
                Type=report.type,
            )
        )
        self.role.allow(Grant(_REPORT, (arn("codebuild", f"report-group/{group}"),)), why=f"report {name!r} of {self}")

    def _join(self, network: Network, *, internet: bool) -> None:
        group = SecurityGroup(self.stack, f"{self.name}-project", vpc_id=network.vpc_id)
        self.security_group = group.group_id
        why = f"network interfaces of {self}"
        self.role.allow(Grant(_INTERFACES, ("*",)), why=why)
        only: dict[str, dict[str, Any]] = {
            "ArnEquals": {"ec2:Subnet": [arn("ec2", join("subnet/", each)) for each in network.private_subnets]},
            "StringEquals": {"ec2:AuthorizedService": "codebuild.amazonaws.com"},
        }
        self.role.allow(
            Grant(("ec2:CreateNetworkInterfacePermission",), (arn("ec2", "network-interface/*"),), only), why=why
        )
        self.resource.VpcConfig = codebuild.VpcConfig(
            SecurityGroupIds=[group.group_id], Subnets=list(network.private_subnets), VpcId=network.vpc_id
        )
        apis = network.for_aws_apis()
        if apis is not None:
            self.connect(apis)
        # Source and artifacts are in S3; EC2 refuses the same rule twice, and the way to AWS APIs may have it.
        gateway = network.for_gateway("s3")
        if apis is None or set(apis.ranges).isdisjoint(gateway.ranges):
            self.connect(gateway)
        if internet:
            self.connect(network.for_internet())

    @property
    def arn(self) -> Value:
        """ARN of the project."""
        return arn("codebuild", f"project/{self._physical_name}")

    @property
    def project_name(self) -> Value:
        """Name of the project in AWS."""
        return self.ref()

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right to the role of the builds."""
        self.role.allow(grant, why=why)

    def set_environment(self, key: str, value: Value) -> None:
        """Add an environment variable; the same one twice is fine, another value for it is not.

        Raises:
            SettingsError: the key is malformed, reserved by CodeBuild, or one of credentials.
            WiringError: the key is taken by another value.
        """
        self._set(key, "PLAINTEXT", value)

    def set_secret(self, key: str, arn: Value) -> None:
        """Pass the ARN of a secret, which the build resolves when it needs it."""
        self.set_environment(key, arn)

    def inject(self, secret: Binding, key: str, *, json_key: str | None = None) -> None:
        """Put the value of a secret into the environment variable ``key``; CodeBuild hides it in the log.

        CodeBuild reads it when a build starts, with the right that this adds.

        Args:
            secret: ``for_reading()`` of a secret, or another binding with one secret.
            key: name of the variable.
            json_key: the key inside a secret that is JSON; by default all of it.

        Raises:
            SettingsError: the key is malformed, or the key inside the secret.
            WiringError: the key is taken by another value, or the binding does not have one secret.
        """
        with self.checking() as check:
            ok = json_key is None or (json_key and ":" not in json_key)
            check.that(ok, "json_key", "the name of a key without ':'", json_key)
        if len(secret.secrets) != 1:
            raise WiringError(
                f"{self}: variable {key!r} must come from one secret, got {len(secret.secrets)} "
                f"from {secret.target!r}; give for_reading() of a secret"
            )
        (where,) = secret.secrets.values()
        self._set(key, "SECRETS_MANAGER", where if json_key is None else join(where, f":{json_key}"))
        self.role.connect(secret)

    def _set(self, key: str, kind: str, value: Value) -> None:
        with self.checking() as check:
            check.that(
                VARIABLE.fullmatch(key) and not key.startswith("CODEBUILD_"),
                "environment", "named by letters, digits and _, not starting with a digit or CODEBUILD_", key,
                "rename it",
            )  # fmt: skip
            check.that(
                key not in _CREDENTIALS, "environment", "free of credentials", key, "allow the role what it needs"
            )
        first = self._variables.setdefault(key, (kind, value))
        if (first[0], encode(first[1])) != (kind, encode(value)):
            raise WiringError(f"{self}: environment variable {key!r} must have one value, got two; rename one of them")
        self.resource.Environment.EnvironmentVariables = Deferred(self._rendered_variables)

    def _rendered_variables(self) -> list[dict[str, Any]]:
        return [{"Name": key, "Type": kind, "Value": value} for key, (kind, value) in sorted(self._variables.items())]

    def connect(self, *bindings: Binding) -> None:
        """Let the builds use what ``bindings`` describe; see :func:`archlib.wiring.connect.connect`."""
        connect(self, *bindings)

    def for_building(self) -> Binding:
        """Return what a pipeline needs to start builds, to follow them and to stop them."""
        actions = ("codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild")
        return Binding(self.name, f"building {self}", (Grant(actions, (self.arn,)),), {"PROJECT": self.project_name})

    def watches(self) -> Sequence[Watch]:
        """Return what shows that builds fail, or get close to their timeout."""
        dimensions = {"ProjectName": self.project_name}
        close = seconds(self._timeout) * 0.8
        return (
            Watch("failed-builds", f"Failed builds of {self}", "AWS/CodeBuild", "FailedBuilds", dimensions, "Sum", 1),
            Watch(
                "duration", f"Duration of builds of {self}, seconds", "AWS/CodeBuild", "Duration", dimensions,
                "Maximum", close,
            ),
        )  # fmt: skip


def _minutes(duration: timedelta) -> int:
    return duration // timedelta(minutes=1)


def _check_cache(
    check: Check, buildspec: Buildspec, local: Sequence[LocalCache], store: CacheStore | None, *, docker: bool
) -> None:
    for mode in local:
        check.one_of("local_cache", mode, get_args(LocalCache))
    check.that(len(set(local)) == len(local), "local_cache", "different ones", list(local))
    check.that(
        docker or "docker-layers" not in local, "local_cache", "without docker-layers unless docker is set", list(local)
    )
    check.that(not (local and store), "cache_in", "left out with local_cache", store and store.name)
    check.that(
        not buildspec.cached_files or store is not None or "files" in local,
        "buildspec.cached_files", "left out without cache_in or local_cache 'files'", list(buildspec.cached_files),
    )  # fmt: skip


def _check_lambda(check: Check, settings: Mapping[str, object]) -> None:
    for field, value in settings.items():
        check.that(not value, field, "left out on Lambda", value, "choose a processor without -lambda")
