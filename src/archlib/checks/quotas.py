"""Quotas of AWS accounts that stacks may exceed together, where no template alone shows it.

See https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archlib.checks.finding import Finding
from archlib.core.artifact import StackArtifact

URL = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups"
RULES_MOST = 60
# A prefix list counts as the addresses it may hold.
_WEIGHTS = {"cloudfront": 55}

Place = tuple[str, str]
"""Physical name of a stack, and a logical id in it."""


def crowded_groups(stacks: Sequence[StackArtifact]) -> Iterator[Finding]:
    """Yield a finding for each security group that gets more rules from all ``stacks`` than an account allows."""
    links = _Links(stacks)
    counts: Counter[tuple[Place, str, str]] = Counter()
    for stack in stacks:
        for reference, way, rule in _rules(stack):
            group = links.resource(stack, reference)
            # Rules for another group or a prefix list count for both versions of IP.
            for version, other in (("IPv4", "CidrIpv6"), ("IPv6", "CidrIp")):
                if group is not None and other not in rule:
                    counts[group, way, version] += _weight(stack, rule)
    most: dict[tuple[Place, str], int] = {}
    for (group, way, _), number in counts.items():
        most[group, way] = max(number, most.get((group, way), 0))
    for ((name, title), way), number in most.items():
        if number > RULES_MOST:
            yield Finding(
                "warning", name, title, "W9002",
                f"security group gets {number} {way.lower()} rules from all stacks, and an account allows {RULES_MOST} "
                "by default; have the quota 'Inbound or outbound rules per security group' raised before deploying",
                url=URL, path=("Resources", title),
            )  # fmt: skip


def _rules(stack: StackArtifact) -> Iterator[tuple[Any, str, Mapping[str, Any]]]:
    """Yield the group, the direction and the properties of each rule in ``stack``, inside and beside the groups."""
    for title, resource in _mapping(stack.template.get("Resources")).items():
        kind, properties = _mapping(resource).get("Type"), _mapping(_mapping(resource).get("Properties"))
        for way in ("Ingress", "Egress"):
            if kind == f"AWS::EC2::SecurityGroup{way}":
                yield properties.get("GroupId"), way, properties
            inside = properties.get(f"SecurityGroup{way}") if kind == "AWS::EC2::SecurityGroup" else ()
            for rule in inside if isinstance(inside, list) else ():
                yield {"Ref": title}, way, _mapping(rule)


def _weight(stack: StackArtifact, rule: Mapping[str, Any]) -> int:
    """Return how many rules ``rule`` counts as."""
    match rule.get("SourcePrefixListId", rule.get("DestinationPrefixListId")):
        case {"Ref": str(name)} if name in stack.parameters:
            return _WEIGHTS.get(stack.parameters[name].output, 1)
        case _:
            return 1


class _Links:
    """Finds the resource that a value stands for, from stack to stack."""

    def __init__(self, stacks: Sequence[StackArtifact]) -> None:
        self._stacks = {stack.name: stack for stack in stacks}
        self._exports = {
            name: (stack, _mapping(output).get("Value"))
            for stack in stacks
            for output in _mapping(stack.template.get("Outputs")).values()
            if isinstance(name := _mapping(_mapping(output).get("Export")).get("Name"), str)
        }

    def resource(self, stack: StackArtifact, value: Any) -> Place | None:
        """Return where the resource is that ``value`` in ``stack`` refers to; None if that cannot be told."""
        match value:
            case {"Ref": str(name)} if (source := stack.parameters.get(name)) is not None:
                return self._output(source.stack, source.output)
            case {"Fn::GetStackOutput": {"StackName": str(name), "OutputName": str(output)}}:
                return self._output(name, output)
            case {"Fn::ImportValue": str(name)} if name in self._exports:
                return self.resource(*self._exports[name])
            case {"Ref": str(title)} | {"Fn::GetAtt": [str(title), str()]}:
                return stack.name, title
            case {"Fn::GetAtt": str(text)}:
                return stack.name, text.partition(".")[0]
            case _:
                return None

    def _output(self, name: str, output: str) -> Place | None:
        stack = self._stacks.get(name)
        if stack is None:
            return None
        return self.resource(stack, _mapping(_mapping(stack.template.get("Outputs")).get(output)).get("Value"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
