"""Which requests a rule of an application load balancer is for, and in which order rules are tried."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from troposphere import elasticloadbalancingv2 as elb

from archlib.core.component import Check
from archlib.core.formats import check_block
from archlib.core.origin import Origin, here
from archlib.errors import Problem, WiringError

RULES_MAX = 100
PRIORITIES = (1, 49_000)
_VALUES_MAX = 5
_LENGTH_MAX = 128
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PATH = re.compile(r"/[A-Za-z0-9_.$/~\"'@:+&*?=-]*")
_HOST = re.compile(r"[a-z0-9*?]([a-z0-9*?-]*[a-z0-9*?])?(\.[a-z0-9*?]([a-z0-9*?-]*[a-z0-9*?])?)+")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}")
_BAND = 4_900
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Condition:
    """Which requests a rule is for; every part that is given must hold.

    Attributes:
        paths: patterns such as ``/orders/*``; one of them must match.
        hosts: patterns such as ``api.example.com`` or ``*.example.com``; one of them must match.
        methods: HTTP methods.
        headers: header -> patterns of its value.
        addresses: blocks of addresses (CIDR) the request comes from.
    """

    paths: Sequence[str] = ()
    hosts: Sequence[str] = ()
    methods: Sequence[str] = ()
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    addresses: Sequence[str] = ()

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        values = [*self.paths, *self.hosts, *self.methods, *self.addresses, *chain(*self.headers.values())]
        check.that(values, "paths", "given, or hosts, methods, headers or addresses", tuple(self.paths))
        check.that(
            len(values) <= _VALUES_MAX,
            "paths", f"at most {_VALUES_MAX} values in all conditions of one rule", len(values), "make two routes",
        )  # fmt: skip
        for path in self.paths:
            ok = _PATH.fullmatch(path) and len(path) <= _LENGTH_MAX
            check.that(ok, "paths", f"patterns such as '/orders/*', up to {_LENGTH_MAX} characters", path)
        for host in self.hosts:
            ok = _HOST.fullmatch(host) and len(host) <= _LENGTH_MAX
            advice = f"write {host.lower()!r}" if host != host.lower() and _HOST.fullmatch(host.lower()) else ""
            check.that(ok, "hosts", f"patterns such as 'api.example.com', up to {_LENGTH_MAX} characters", host, advice)
        for block in self.addresses:
            check_block(check, "addresses", block)
        for method in self.methods:
            check.one_of("methods", method, _METHODS)
        for header, patterns in self.headers.items():
            check.that(_HEADER.fullmatch(header), "headers", "named as HTTP names headers", header)
            check.that(patterns, f"headers.{header}", "one or more patterns", patterns)

    def render(self) -> list[elb.Condition]:
        """Return it as CloudFormation has it."""
        found = []
        if self.hosts:
            hosts = elb.HostHeaderConfig(Values=list(self.hosts))
            found.append(elb.Condition(Field="host-header", HostHeaderConfig=hosts))
        if self.paths:
            paths = elb.PathPatternConfig(Values=list(self.paths))
            found.append(elb.Condition(Field="path-pattern", PathPatternConfig=paths))
        if self.methods:
            methods = elb.HttpRequestMethodConfig(Values=list(self.methods))
            found.append(elb.Condition(Field="http-request-method", HttpRequestMethodConfig=methods))
        for header, patterns in sorted(self.headers.items()):
            values = elb.HttpHeaderConfig(HttpHeaderName=header, Values=list(patterns))
            found.append(elb.Condition(Field="http-header", HttpHeaderConfig=values))
        if self.addresses:
            addresses = elb.SourceIpConfig(Values=list(self.addresses))
            found.append(elb.Condition(Field="source-ip", SourceIpConfig=addresses))
        return found

    @property
    def band(self) -> int:
        """Where its rules stand among all: 0 for the most particular, 9 for the most general."""
        depth = max((_depth(path) for path in self.paths), default=0)
        return 9 - min(depth, _DEEPEST) - (5 if self.hosts else 0)


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    condition: Condition
    priority: int | None
    origin: Origin | None


class Rules:
    """The rules of one listener, tried in the order of their priorities.

    A rule that is not given a priority gets one from its own name and conditions, so that adding or removing a rule
    leaves the others where they are: rules for a host and deeper paths come first.

    Args:
        subject: the load balancer, as messages call it.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._rules: dict[str, _Rule] = {}
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._rules)

    def add(self, name: str, condition: Condition, priority: int | None) -> None:
        """Take the rule ``name``.

        Raises:
            WiringError: another rule has the name, the conditions or the priority, or there are too many.
        """
        for other in self._rules.values():
            clash = {
                "name": name == other.name,
                "conditions": condition == other.condition,
                "priority": priority is not None and priority == other.priority,
            }
            for what, same in clash.items():
                if same:
                    raise WiringError(
                        Problem(
                            f"{self._subject}: {what} of route {name!r} must be its own, but route {other.name!r} "
                            f"({other.origin}) has the same; change one of them",
                            here(),
                        )
                    )
        if len(self._rules) >= RULES_MAX:
            raise WiringError(
                f"{self._subject}: there must be at most {RULES_MAX} routes, got more; make another load balancer"
            )
        self._rules[name] = _Rule(name, condition, priority, here())
        self._numbers = {}

    def priority(self, name: str) -> int:
        """Return the priority of the rule ``name``, when all rules are there."""
        self._numbers = self._numbers or self._priorities()
        return self._numbers[name]

    def _priorities(self) -> dict[str, int]:
        given = {rule.name: rule.priority for rule in self._rules.values() if rule.priority is not None}
        taken = set(given.values())
        for name, rule in sorted(self._rules.items()):
            if name not in given:
                number = PRIORITIES[0] + rule.condition.band * _BAND + _hash(name) % _BAND
                while number in taken:
                    number += 1
                taken.add(number)
                given[name] = number
        return given


def _depth(path: str) -> int:
    """Return how many segments of ``path`` come before its first wildcard."""
    plain = re.split(r"[*?]", path)[0]
    return len([segment for segment in plain.split("/") if segment])


def _hash(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
