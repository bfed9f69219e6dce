"""Canaries: a browser that visits a page again and again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from troposphere import synthetics

from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Component
from archlib.core.naming import fixed_name
from archlib.core.stack import Stack
from archlib.core.values import Value, arn, join
from archlib.units import seconds
from archlib.wiring.binding import Grant
from archlib.wiring.roles import ObjectStore
from archlib.wiring.watch import Watch

RUNTIME = "syn-nodejs-puppeteer-15.0"

# The function of a canary is called cwsyn-<canary>-<id>, and longer names would be cut.
_NAME_MAX = 21
_EVERY = (timedelta(minutes=1), timedelta(hours=1))
_TIMEOUT = (timedelta(seconds=15), timedelta(minutes=14))
_MEMORY = (960, 3008)
_KEEP_DAYS = (1, 455)
_SCRIPT = """\
const synthetics = require('@aws/synthetics-puppeteer');

exports.handler = async () => {
  const page = await synthetics.getPage();
  await synthetics.executeStep('visit', async () => {
    const response = await page.goto(process.env.URL, { waitUntil: 'domcontentloaded', timeout: 30000 });
    if (!response || !response.ok()) {
      throw new Error(`${process.env.URL} answered ${response ? response.status() : 'nothing'}`);
    }
  });
};
"""


class _Canary(synthetics.Canary):
    # troposphere 4.11 knows only runtimes that AWS has withdrawn.
    props = {**synthetics.Canary.props, "RuntimeVersion": (str, True)}  # noqa: RUF012


class Canary(Component):
    """A CloudWatch Synthetics canary: a browser that visits a page and reports whether it was answered.

    Creates ``<Name>Canary``, ``<Name>CanaryRole``, ``<Name>CanaryPolicy`` and ``<Name>CanaryLogGroup``. Screenshots and
    reports go to a bucket, under the canary's name.

    See https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Synthetics_Canaries.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        url: address of the page, which must be answered with 2xx after redirects.
        artifacts: bucket for screenshots and reports.
        every: time between two visits, 1 to 60 whole minutes.
        timeout: how long a visit may take, 15 seconds to 14 minutes, at most ``every``.
        memory_mib: memory of the browser, 960 to 3008, a multiple of 64.
        tracing: send traces to X-Ray.
        keep_days: days that results are kept, 1 to 455; the bucket's own rules decide about screenshots and reports.
        log_retention_days: days a log event is kept.
        key: the KMS key of the log; the app's by default.

    Attributes:
        resource: the ``AWS::Synthetics::Canary``.
        role: its :class:`Role`.
        log_group: its :class:`LogGroup`.

    Raises:
        SettingsError: a setting is outside its range.
    """

    kind = "Canary"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        url: Value,
        artifacts: ObjectStore,
        every: timedelta = timedelta(minutes=5),
        timeout: timedelta = timedelta(minutes=1),
        memory_mib: int = 1024,
        tracing: bool = True,
        keep_days: int = 31,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.that(not isinstance(url, str) or url.startswith("https://"), "url", "an address with https://", url)
            check.between("every", every, *_EVERY)
            check.that(seconds(every) % 60 == 0, "every", "whole minutes", every)
            check.between("timeout", timeout, *_TIMEOUT)
            check.that(timeout <= every, "timeout", "at most every", timeout)
            check.between("memory_mib", memory_mib, *_MEMORY)
            check.that(memory_mib % 64 == 0, "memory_mib", "a multiple of 64", memory_mib)
            check.between("keep_days", keep_days, *_KEEP_DAYS)
            check_retention(check, log_retention_days)
        self.canary_name = fixed_name(stack.app.name, stack.app.environment, name, most=_NAME_MAX)
        self.role = Role(stack, f"{name}-canary", service="lambda", description=f"Role of the canary {name}")
        self._allow(artifacts, tracing=tracing)
        self.resource = _Canary(
            self.id(),
            ArtifactConfig=synthetics.ArtifactConfig(
                S3Encryption=synthetics.S3Encryption(EncryptionMode="SSE_KMS", KmsKeyArn=artifacts.key_arn)
            ),
            ArtifactS3Location=join("s3://", artifacts.bucket_name, f"/{name}"),
            Code=synthetics.Code(Handler="index.handler", Script=_SCRIPT),
            ExecutionRoleArn=self.role.arn,
            FailureRetentionPeriod=keep_days,
            Name=self.canary_name,
            # Its function would stay behind when the canary goes.
            ProvisionedResourceCleanup="AUTOMATIC",
            RunConfig=synthetics.RunConfig(
                ActiveTracing=tracing,
                EnvironmentVariables={"URL": url},
                MemoryInMB=memory_mib,
                TimeoutInSeconds=seconds(timeout),
            ),
            RuntimeVersion=RUNTIME,
            Schedule=synthetics.Schedule(DurationInSeconds="0", Expression=_rate(every)),
            StartCanaryAfterCreation=True,
            SuccessRetentionPeriod=keep_days,
            DependsOn=self.role.policy,
        )
        self.add(self.resource)
        self.log_group = LogGroup(
            stack,
            f"{name}-canary",
            physical_name=join(f"/aws/lambda/cwsyn-{self.canary_name}-", self.attribute("Id")),
            retention_days=log_retention_days,
            key=key,
        )

    def _allow(self, artifacts: ObjectStore, *, tracing: bool) -> None:
        self.role.connect(artifacts.for_writing())
        # It must not make the log group: that one would be neither encrypted nor ever emptied.
        streams = arn("logs", f"log-group:/aws/lambda/cwsyn-{self.canary_name}-*")
        grants: list[tuple[str, tuple[str, ...], Any, dict[str, Any]]] = [
            ("finding the bucket", ("s3:GetBucketLocation",), artifacts.arn, {}),
            ("finding the bucket", ("s3:ListAllMyBuckets",), "*", {}),
            ("writing its log", ("logs:CreateLogStream", "logs:PutLogEvents"), streams, {}),
            (
                "reporting", ("cloudwatch:PutMetricData",), "*",
                {"StringEquals": {"cloudwatch:namespace": "CloudWatchSynthetics"}},
            ),
        ]  # fmt: skip
        if tracing:
            grants.append(("tracing", ("xray:PutTraceSegments",), "*", {}))
        for why, allowed, resource, conditions in grants:
            self.role.allow(Grant(allowed, (resource,), conditions), why=f"{why} of {self}")

    def watches(self) -> tuple[Watch, ...]:
        """Return what shows that the page is not answered."""
        return (
            Watch("success", f"Successful visits of {self}, percent", "CloudWatchSynthetics", "SuccessPercent",
                  {"CanaryName": self.canary_name}, "Average", 90, "<", period=timedelta(minutes=15)),
        )  # fmt: skip


def _rate(every: timedelta) -> str:
    minutes = seconds(every) // 60
    return "rate(1 hour)" if minutes == 60 else f"rate({minutes} minute{'s' * (minutes > 1)})"  # noqa: PLR2004
