from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from archlib.components.containers.sidecar import ContainerHealth, Sidecar, collector, tracing_environment
from archlib.core.component import Check
from archlib.core.values import encode


def problems(sidecar: Sidecar) -> list[str]:
    check = Check("service 'orders'")
    sidecar.check(check, "sidecars.x", internet=True)
    return [problem.message for problem in check.problems]


def test_health_is_asked_by_the_shell_or_by_a_program() -> None:
    assert encode(ContainerHealth("curl -f localhost || exit 1").render()) == {
        "Command": ["CMD-SHELL", "curl -f localhost || exit 1"],
        "Interval": 30,
        "Retries": 3,
        "StartPeriod": 30,
        "Timeout": 5,
    }
    assert ContainerHealth("/health --quick", shell=False).render().Command == ["CMD", "/health", "--quick"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"name": "main"}, "sidecars.x.name must be another than 'main', got 'main'"),
        ({"image": "router"}, "sidecars.x.image must be a name with a tag"),
        ({"port": 0}, "sidecars.x.port must be 1 to 65535, got 0"),
        ({"memory_mib": 5}, "sidecars.x.memory_mib must be 6 or more, got 5"),
        ({"health": ContainerHealth(" ")}, "sidecars.x.health.command must be a command line, got ' '"),
        ({"health": ContainerHealth("x", retries=11)}, "sidecars.x.health.retries must be 1 to 10, got 11"),
        (
            {"health": ContainerHealth("x", interval=timedelta(seconds=1))},
            "sidecars.x.health.interval must be 5s to 5m, got 1s",
        ),
        (
            {"health": ContainerHealth("x", timeout=timedelta(minutes=2))},
            "sidecars.x.health.timeout must be 2s to 1m, got 2m",
        ),
        (
            {"health": ContainerHealth("x", start=timedelta(minutes=6))},
            "sidecars.x.health.start must be 0s to 5m, got 6m",
        ),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, Any], problem: str) -> None:
    (found,) = problems(Sidecar(**{"name": "router", "image": "router:1", **settings}))

    assert problem in found


def test_a_name_is_kebab_case() -> None:
    (found,) = problems(Sidecar("LogRouter", "router:1"))

    assert found.startswith("sidecar 'LogRouter': name must be kebab-case")


def test_the_collector_takes_what_the_code_sends() -> None:
    found = collector("123456789012.dkr.ecr.eu-west-1.amazonaws.com/collector:1")

    configuration = json.loads(str(found.environment["AOT_CONFIG_CONTENT"]))
    listens = configuration["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    (pipeline,) = configuration["service"]["pipelines"].values()

    assert tracing_environment("orders")["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://{listens}"
    assert set(pipeline["receivers"]) == set(configuration["receivers"])
    assert set(pipeline["processors"]) == set(configuration["processors"])
    assert set(pipeline["exporters"]) == set(configuration["exporters"]) == {"awsxray"}
    assert problems(found) == []
