"""Containers that run beside the main one in each task."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from troposphere import ecs

from archlib.components.containers.image import Image
from archlib.core.component import Check
from archlib.core.formats import check_variables
from archlib.core.values import Value
from archlib.units import seconds
from archlib.wiring.binding import Grant

COLLECTOR = "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.3"
"""The AWS Distro for OpenTelemetry collector, in AWS's public registry."""

TRACING = Grant(
    (
        *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
        *("xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:GetSamplingStatisticSummaries"),
    ),
    ("*",),
)
"""What the collector needs to send traces."""

MAIN = "main"
"""Name of the main container, and of its port."""

LEAST_MIB = 6
"""Least memory that a container can have."""

_USER = re.compile(r"([0-9]{1,10})(:([0-9]{1,10}))?")
_ID_MAX = 2**31 - 1
_INTERVAL = (timedelta(seconds=5), timedelta(seconds=300))
_TIMEOUT = (timedelta(seconds=2), timedelta(seconds=60))
_START = (timedelta(0), timedelta(seconds=300))
OTLP = 4318


@dataclass(frozen=True, slots=True)
class ContainerHealth:
    """How ECS finds out whether a container is well: by a command inside it.

    Attributes:
        command: the command line, for the container's shell: ``curl -f http://localhost:8080/health || exit 1``.
        interval: time between two runs, 5 seconds to 5 minutes.
        timeout: longest run, 2 seconds to 1 minute.
        retries: failures in a row after which the container is not well, 1 to 10.
        start: time after the start in which failures do not count, up to 5 minutes.
        shell: run the command by the container's shell; false: it is one program and its arguments, separated by
            spaces, for images without a shell.
    """

    command: str
    interval: timedelta = timedelta(seconds=30)
    timeout: timedelta = timedelta(seconds=5)
    retries: int = 3
    start: timedelta = timedelta(seconds=30)
    shell: bool = True

    SHORT: ClassVar[str] = "command"
    """The attribute that text alone stands for in settings."""

    def check(self, check: Check, field: str) -> None:
        """Note what is wrong with it."""
        check.that(self.command.strip(), f"{field}.command", "a command line", self.command)
        check.between(f"{field}.interval", self.interval, *_INTERVAL)
        check.between(f"{field}.timeout", self.timeout, *_TIMEOUT)
        check.between(f"{field}.retries", self.retries, 1, 10)
        check.between(f"{field}.start", self.start, *_START)

    def render(self) -> ecs.HealthCheck:
        """Return it as CloudFormation has it."""
        return ecs.HealthCheck(
            Command=["CMD-SHELL", self.command] if self.shell else ["CMD", *self.command.split()],
            Interval=seconds(self.interval),
            Retries=self.retries,
            StartPeriod=seconds(self.start),
            Timeout=seconds(self.timeout),
        )


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A container beside the main one, in the same task.

    Attributes:
        name: kebab-case.
        image: the image.
        command: replaces that of the image.
        environment: plain configuration.
        essential: the task ends with it; otherwise ECS starts it again.
        port: TCP port it listens on; the main container reaches it at ``localhost``, nothing outside does.
        memory_mib: its share of the task's memory, 6 MiB or more.
        user: user and group it runs as, by number.
        health: how ECS finds out whether it is well; the main container waits for an essential one.
    """

    name: str
    image: Image | str
    command: Sequence[str] = ()
    environment: Mapping[str, Value] = field(default_factory=dict)
    essential: bool = False
    port: int | None = None
    memory_mib: int = 128
    user: str = "1000:1000"
    health: ContainerHealth | None = None

    def check(self, check: Check, field: str, *, internet: bool) -> None:
        """Note what is wrong with it."""
        check.name(f"{field}.name", self.name, "sidecar")
        check.that(self.name != MAIN, f"{field}.name", f"another than {MAIN!r}", self.name)
        Image.of(self.image).check(check, f"{field}.image", internet=internet)
        check.between(f"{field}.port", self.port, 1, 65_535)
        check.that(self.memory_mib >= LEAST_MIB, f"{field}.memory_mib", f"{LEAST_MIB} or more", self.memory_mib)
        check_user(check, f"{field}.user", self.user)
        check_variables(check, self.environment, f"{field}.environment")
        if self.health is not None:
            self.health.check(check, f"{field}.health")


def check_user(check: Check, field: str, user: str) -> None:
    """Note a user or a group that is root, or no number."""
    found = _USER.fullmatch(user)
    ids = [int(part) for part in found.group(1, 3) if part] if found else []
    check.that(
        ids and all(1 <= each <= _ID_MAX for each in ids),
        field, f"a user or user:group by numbers from 1 to {_ID_MAX}, such as '1000:1000'", user,
    )  # fmt: skip


def collector(image: Image | str) -> Sidecar:
    """Return the sidecar that takes traces by OpenTelemetry at ``localhost:4318`` and sends them to X-Ray."""
    pipeline = {"receivers": ["otlp"], "processors": ["memory_limiter", "batch"], "exporters": ["awsxray"]}
    configuration = {
        "extensions": {"health_check": {}},
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"localhost:{OTLP}"}}}},
        "processors": {"memory_limiter": {"check_interval": "1s", "limit_mib": 100}, "batch": {"timeout": "5s"}},
        "exporters": {"awsxray": {}},
        "service": {"extensions": ["health_check"], "pipelines": {"traces": pipeline}},
    }
    return Sidecar(
        "collector",
        image,
        # The collector reads YAML, which JSON is a part of.
        environment={"AOT_CONFIG_CONTENT": json.dumps(configuration, sort_keys=True)},
        user="4317:4317",
        health=ContainerHealth("/healthcheck", shell=False),
    )


def tracing_environment(name: str) -> dict[str, str]:
    """Return what tells an OpenTelemetry SDK where the collector is, and that it traces service ``name``."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://localhost:{OTLP}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_PROPAGATORS": "xray",
        "OTEL_SERVICE_NAME": name,
        "OTEL_TRACES_EXPORTER": "otlp",
    }
