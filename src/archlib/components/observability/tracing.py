"""Which requests X-Ray records, and how the traces are grouped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from troposphere import AWSObject, xray

from archlib.core.component import Check, Component
from archlib.core.naming import check_name, pascal
from archlib.core.stack import Stack

_NAME_MAX = 32
_PRIORITY = (1, 9999)
_METHOD = re.compile(r"\*|[A-Z]{1,10}")
_DEFAULT_GROUPS = {"faults": "fault = true OR error = true", "slow": "responsetime > 1"}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many of the requests that match are recorded; ``*`` and ``?`` are wildcards.

    Attributes:
        name: kebab-case, unique in the component.
        rate: part of the requests recorded beyond the reservoir, 0 to 1.
        reservoir: requests recorded in each second before the rate counts, 0 or more.
        priority: rules are tried from the lowest, 1 to 9999; AWS's own default comes after all of them.
        service: name of the service, as the traces show it.
        service_type: its type, such as ``AWS::ApiGateway::Stage``.
        host: host name of the request.
        method: HTTP method.
        path: path of the URL.
    """

    name: str
    rate: float = 0.05
    reservoir: int = 1
    priority: int = 1000
    service: str = "*"
    service_type: str = "*"
    host: str = "*"
    method: str = "*"
    path: str = "*"


class Tracing(Component):
    """X-Ray sampling rules, and groups of traces with insights that notice when faults pile up.

    Creates ``<Name><Rule>SamplingRule`` and ``<Name><Group>TraceGroup``. X-Ray demands physical names of at most 32
    characters; they are ``<app>-<environment>-<rule or group>``, with the app's name cut where it is too long.

    See https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        rules: sampling rules; by default one that records a request each second and 5 % of the rest.
        groups: kebab-case name -> filter expression; by default ``faults``, and ``slow`` for answers that take over
            a second.
        insights: let X-Ray look for anomalies in each group.

    Attributes:
        resource: the first ``AWS::XRay::SamplingRule`` or ``AWS::XRay::Group``.

    Raises:
        SettingsError: a number, method or name is out of range, or there is neither a rule nor a group.
    """

    kind = "Tracing"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        rules: Sequence[Sampling] = (Sampling("requests"),),
        groups: Mapping[str, str] | None = None,
        insights: bool = True,
    ) -> None:
        super().__init__(stack, name)
        groups = _DEFAULT_GROUPS if groups is None else groups
        with self.checking() as check:
            check.that(bool(rules or groups), "rules", "one or more where groups is empty", list(rules))
            for rule in rules:
                _check_rule(check, rule)
            for group in groups:
                check_name(group, "trace group")
            for part in (*(rule.name for rule in rules), *groups):
                left = _NAME_MAX - len(stack.app.environment) - len(part) - 2
                check.that(left > 0, "name", f"{_NAME_MAX} characters or less with the environment", part, "shorten it")
        resources: list[AWSObject] = [
            *(self._rule(rule) for rule in rules),
            *(self._group(group, expression, insights=insights) for group, expression in groups.items()),
        ]
        for resource in resources:
            self.add(resource)
        self.resource = resources[0]

    def _rule(self, rule: Sampling) -> xray.SamplingRule:
        return xray.SamplingRule(
            self.id(f"{pascal(rule.name)}SamplingRule"),
            SamplingRule=xray.SamplingRuleProperty(
                FixedRate=rule.rate,
                HTTPMethod=rule.method,
                Host=rule.host,
                Priority=rule.priority,
                ReservoirSize=rule.reservoir,
                ResourceARN="*",
                RuleName=self._physical_name(rule.name),
                ServiceName=rule.service,
                ServiceType=rule.service_type,
                URLPath=rule.path,
                Version=1,
            ),
        )

    def _group(self, group: str, expression: str, *, insights: bool) -> xray.Group:
        return xray.Group(
            self.id(f"{pascal(group)}TraceGroup"),
            FilterExpression=expression,
            GroupName=self._physical_name(group),
            InsightsConfiguration=xray.InsightsConfiguration(InsightsEnabled=insights, NotificationsEnabled=insights),
        )

    def _physical_name(self, part: str) -> str:
        tail = f"-{self.stack.app.environment}-{part}"
        return self.stack.app.name[: _NAME_MAX - len(tail)] + tail


def _check_rule(check: Check, rule: Sampling) -> None:
    check_name(rule.name, "sampling rule")
    check.between(f"rate of {rule.name!r}", rule.rate, 0, 1)
    check.that(rule.reservoir >= 0, f"reservoir of {rule.name!r}", "0 or more", rule.reservoir)
    check.between(f"priority of {rule.name!r}", rule.priority, *_PRIORITY)
    check.that(bool(_METHOD.fullmatch(rule.method)), f"method of {rule.name!r}", "* or such as GET", rule.method)
