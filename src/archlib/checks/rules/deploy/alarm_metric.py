"""W9134: alarms watch a metric that exists."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase

from cfnlint.template import Template

from archlib.checks.rules.base import Found, Rule
from archlib.checks.rules.deploy._metrics import METRICS, NAMESPACES
from archlib.checks.rules.read import Place, resources


class AlarmMetric(Rule):
    """An alarm watches a namespace or metric that AWS does not have, so it never fires."""

    id = "W9134"
    shortdesc = "Alarms watch metrics that exist"
    description = "Correct Namespace and MetricName; both are case-sensitive."
    source_url = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/aws-services-cloudwatch-metrics.html"

    def find(self, cfn: Template) -> Found:
        """Yield each unknown namespace of AWS, and each unknown metric of the services known here."""
        for path, metric in _metrics(cfn):
            if not isinstance(metric, dict):
                continue
            namespace, name = metric.get("Namespace"), metric.get("MetricName")
            if not isinstance(namespace, str) or not namespace.startswith("AWS/"):
                continue
            if "/".join(namespace.split("/")[:2]) not in NAMESPACES:
                near = get_close_matches(namespace, NAMESPACES, n=1)
                yield (*path, "Namespace"), f"AWS has no namespace {namespace}{_hint(near)}"
            known = METRICS.get(namespace)
            if known and isinstance(name, str) and not any(fnmatchcase(name, pattern) for pattern in known):
                near = get_close_matches(name, known, n=1)
                yield (*path, "MetricName"), f"{namespace} has no metric {name}{_hint(near)}"


def _hint(near: list[str]) -> str:
    return f"; use {near[0]}" if near and "*" not in near[0] else "; correct it"


def _metrics(cfn: Template) -> Iterator[Place]:
    for alarm in resources(cfn, "AWS::CloudWatch::Alarm").values():
        yield from alarm.find()
        yield from alarm.find("Metrics", "*", "MetricStat", "Metric")
