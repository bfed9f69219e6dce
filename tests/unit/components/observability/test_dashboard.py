from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.queue import Queue
from archlib.components.observability.dashboard import Dashboard
from archlib.errors import SettingsError
from archlib.wiring.watch import Watch

Rendered = Callable[[], dict[str, Any]]
INLINE = Code(inline="def handler(event, context):\n    return event\n")


class Watchful:
    """A component with any number of watches."""

    def __init__(self, stack: Stack, *watches: Watch) -> None:
        self.stack, self.name, self.label = stack, "watchful", "thing"
        self._watches = watches

    def watches(self) -> tuple[Watch, ...]:
        return self._watches


def watch(title: str = "errors", dimensions: Mapping[str, str] | None = None) -> Watch:
    return Watch("errors", title, "App", "Errors", dimensions or {}, "Sum", 1)


def widgets(found: dict[str, Any], name: str = "MainDashboard") -> list[dict[str, Any]]:
    """Resolve the body as CloudFormation would, and return its widgets."""
    body = found[name]["Properties"]["DashboardBody"]["Fn::Sub"]
    text, variables = (body, {}) if isinstance(body, str) else body
    known = {**{key: f"value of {json.dumps(value)}" for key, value in variables.items()}, "AWS::Region": "eu-west-1"}

    def resolve(match: re.Match[str]) -> str:
        return json.dumps(known[match[1]])[1:-1]

    resolved = re.sub(r"\$\{([^!}]+)\}", resolve, text).replace("${!", "${")
    made: list[dict[str, Any]] = json.loads(resolved)["widgets"]
    return made


def test_has_a_heading_for_each_tier_and_a_graph_for_each_watch(stack: Stack, rendered: Rendered) -> None:
    worker, jobs = Function(stack, "worker", code=INLINE), Queue(stack, "jobs")

    Dashboard(stack, "main", tiers={"Logic": [worker], "Messages": [jobs]})

    found = widgets(rendered())
    texts = [found[0], found[1 + len(worker.watches())]]
    assert [text["properties"]["markdown"] for text in texts] == ["## Logic", "## Messages"]
    titles = [widget["properties"]["title"] for widget in found if widget["type"] == "metric"]
    assert titles == [watched.title for watched in (*worker.watches(), *jobs.watches())]


def test_a_graph_shows_the_metric_where_it_is_and_its_threshold(stack: Stack, rendered: Rendered) -> None:
    Dashboard(stack, "main", tiers={"Logic": [Function(stack, "worker", code=INLINE, timeout=timedelta(seconds=10))]})

    graph = widgets(rendered())[3]["properties"]
    assert graph["metrics"] == [["AWS/Lambda", "Duration", "FunctionName", 'value of {"Ref": "WorkerFunction"}']]
    assert (graph["stat"], graph["period"], graph["region"]) == ("p99", 300, "eu-west-1")
    assert graph["annotations"] == {"horizontal": [{"label": "alarm >= 8000", "value": 8000}]}


def test_widgets_fill_the_rows_without_overlap(stack: Stack, rendered: Rendered) -> None:
    tiers = {"One": [Watchful(stack, *[watch()] * 4)], "Two": [Watchful(stack, *[watch()] * 3)]}

    Dashboard(stack, "main", tiers=tiers)

    taken = [
        (x, y)
        for widget in widgets(rendered())
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(taken) == len(set(taken))
    assert {x for x, _ in taken} == set(range(24))
    assert {y for _, y in taken} == set(range(1 + 12 + 1 + 6))


def test_a_tier_without_watches_is_left_out(stack: Stack, rendered: Rendered) -> None:
    Dashboard(stack, "main", tiers={"Quiet": [Watchful(stack)], "Loud": [Watchful(stack, watch())]})

    assert [widget["y"] for widget in widgets(rendered())] == [0, 1]


def test_text_that_looks_like_a_variable_stays_text(stack: Stack, rendered: Rendered) -> None:
    Dashboard(stack, "main", tiers={"${Tier}": [Watchful(stack, watch('say "${x}"', dimensions={"Name": "${y}"}))]})

    heading, graph = widgets(rendered())
    assert heading["properties"]["markdown"] == "## ${Tier}"
    assert graph["properties"]["title"] == 'say "${x}"'
    assert graph["properties"]["metrics"] == [["App", "Errors", "Name", "${y}"]]


def test_what_is_wired_later_is_on_it(stack: Stack, rendered: Rendered) -> None:
    worker = Function(stack, "worker", code=INLINE)
    Dashboard(stack, "main", tiers={"Logic": [worker]})
    before = len(widgets(rendered()))

    worker.failures()

    assert len(widgets(rendered())) == before + 1


@pytest.mark.parametrize("links", ["parameters", "exports"])
def test_reaches_components_of_other_stacks(links: Any) -> None:
    app = App("shop", "test", links=links)
    jobs = Queue(Stack(app, "data"), "jobs")
    Dashboard(Stack(app, "monitoring"), "main", tiers={"Messages": [jobs]})

    artifact = app.assemble()[-1]

    assert artifact.depends_on == {"shop-test-data"}
    metrics = widgets(artifact.template["Resources"])[1]["properties"]["metrics"]
    assert "JobsQueueQueueName" in metrics[0][-1]


@pytest.mark.parametrize("tiers", [{}, {"Logic": []}])
def test_refuses_to_be_empty(stack: Stack, tiers: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="dashboard 'main': tiers must be a heading with at least one component"):
        Dashboard(stack, "main", tiers=tiers)


def test_refuses_more_widgets_than_cloudwatch_shows(app: App, stack: Stack) -> None:
    Dashboard(stack, "main", tiers={"Logic": [Watchful(stack, *[watch()] * 500)]})

    with pytest.raises(SettingsError, match="must have at most 500 widgets, got 501"):
        app.assemble()


def test_a_metric_of_one_region_is_shown_from_there(stack: Stack, rendered: Rendered) -> None:
    there = replace(watch(), region="us-east-1")
    Dashboard(stack, "main", tiers={"App": [Watchful(stack, there, watch())]})

    regions = [each["properties"].get("region") for each in widgets(rendered())]

    assert regions == [None, "us-east-1", "eu-west-1"]
