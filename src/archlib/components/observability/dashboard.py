"""CloudWatch dashboards of the whole architecture, laid out by tier."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from troposphere import Sub, cloudwatch

from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Deferred, Value, encode
from archlib.units import seconds
from archlib.wiring.watch import Overview, Watch, Watched

_COLUMNS, _WIDTH, _HEIGHT, _HEADING = 24, 8, 6, 1
_WIDGETS_MAX = 500


class Dashboard(Component):
    """A CloudWatch dashboard with a heading for each tier and a graph, with its threshold, for each watch.

    Of a component with ``overviews()`` it also shows those: a graph of everything that is there when somebody looks.

    Creates ``<Name>Dashboard``. What components watch is read when the template is rendered, so everything wired
    after the dashboard was made is on it too.

    See https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html

    Args:
        stack: where the dashboard goes.
        name: kebab-case.
        tiers: heading -> the components below it, from top to bottom.

    Attributes:
        resource: the ``AWS::CloudWatch::Dashboard``.

    Raises:
        SettingsError: no tier has a component.
    """

    kind = "Dashboard"

    def __init__(self, stack: Stack, name: str, *, tiers: Mapping[str, Sequence[Watched]]) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check.that(any(tiers.values()), "tiers", "a heading with at least one component", dict(tiers))
        self._tiers = tiers
        self.resource = cloudwatch.Dashboard(self.id(), DashboardBody=Deferred(self._body))
        self.add(self.resource)

    def _body(self) -> Sub:
        values = _Values()
        widgets: list[dict[str, Any]] = []
        top = 0
        for heading, components in self._tiers.items():
            graphs = [
                *(_graph(watch, values) for component in components for watch in component.watches()),
                *(_overview(each, values) for component in components for each in _overviews(component)),
            ]
            if not graphs:
                continue
            title = {"background": "transparent", "markdown": values.plain(f"## {heading}")}
            place = {"x": 0, "y": top, "width": _COLUMNS, "height": _HEADING}
            widgets.append({"type": "text", **place, "properties": title})
            top += _HEADING
            for index, graph in enumerate(graphs):
                row, column = divmod(index, _COLUMNS // _WIDTH)
                place = {"x": column * _WIDTH, "y": top + row * _HEIGHT, "width": _WIDTH, "height": _HEIGHT}
                widgets.append({"type": "metric", **place, "properties": graph})
            top += _HEIGHT * -(-len(graphs) // (_COLUMNS // _WIDTH))
        if len(widgets) > _WIDGETS_MAX:
            raise ValueError(f"{self} must have at most {_WIDGETS_MAX} widgets, got {len(widgets)}; split the tiers")
        return Sub(json.dumps({"widgets": widgets}), values.variables)


class _Values:
    """Texts of the body: the plain ones, and the variables that stand for values known only at deployment."""

    def __init__(self) -> None:
        self.variables: dict[str, Value] = {}
        self._names: dict[str, str] = {}

    def plain(self, text: str) -> str:
        return text.replace("${", "${!")

    def of(self, value: Value) -> str:
        if isinstance(value, str):
            return self.plain(value)
        key = json.dumps(encode(value), sort_keys=True)
        name = self._names.setdefault(key, f"Value{len(self._names) + 1}")
        self.variables[name] = value
        return f"${{{name}}}"


def _graph(watch: Watch, values: _Values) -> dict[str, Any]:
    dimensions = [text for name, value in sorted(watch.dimensions.items()) for text in (name, values.of(value))]
    return {
        "title": values.plain(watch.title),
        "metrics": [[watch.namespace, watch.metric, *dimensions]],
        "stat": watch.statistic,
        "period": seconds(watch.period),
        "region": watch.region or "${AWS::Region}",
        "view": "timeSeries",
        "stacked": False,
        "yAxis": {"left": {"min": 0}},
        "annotations": {
            "horizontal": [{"label": f"alarm {watch.comparison} {watch.threshold:g}", "value": watch.threshold}]
        },
    }


def _overviews(component: Watched) -> Sequence[Overview]:
    found: Sequence[Overview] = getattr(component, "overviews", tuple)()
    return found


def _overview(overview: Overview, values: _Values) -> dict[str, Any]:
    schema = ",".join((overview.namespace, *overview.dimensions))
    chosen = " ".join(f'{name}="{values.of(value)}"' for name, value in sorted(overview.where.items()))
    search = f'{{{schema}}} {chosen} MetricName="{overview.metric}"'
    return {
        "title": values.plain(overview.title),
        "metrics": [[{"expression": f"SEARCH('{search}', '{overview.statistic}', 60)"}]],
        "region": "${AWS::Region}",
        "view": "timeSeries",
        "stacked": False,
        "yAxis": {"left": {"min": 0}},
    }
