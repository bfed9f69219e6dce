"""The CloudFormation types that MiniStack lacks: what their schemas say, and which are only recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

REAL = frozenset(
    {
        "AWS::EC2::EIP",
        "AWS::EC2::FlowLog",
        "AWS::EC2::NatGateway",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::Events::Archive",
        "AWS::Route53::HealthCheck",
        "AWS::WAFv2::WebACLAssociation",
    }
)
"""What the overlay creates in MiniStack's own services, so that their APIs show it."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """What the schema of a CloudFormation type says.

    Attributes:
        name: ``AWS::Service::Kind``.
        ref: the properties or attributes that identify a resource.
        attributes: what ``Fn::GetAtt`` gives.
        replace: properties whose change replaces the resource; a path with dots where a part of one does.
    """

    name: str
    ref: tuple[str, ...]
    attributes: tuple[str, ...]
    replace: tuple[str, ...]


@cache
def lacking_types() -> dict[str, ResourceType]:
    """Return the types of CloudFormation that MiniStack lacks, by name."""
    text = resources.files(__package__).joinpath("types.json").read_text(encoding="utf-8")
    return {
        name: ResourceType(name, **{key: tuple(value) for key, value in facts.items()})
        for name, facts in json.loads(text).items()
    }


def recorded_types() -> tuple[str, ...]:
    """Return the types that the local engine only records: it keeps their properties and answers references."""
    return tuple(sorted(lacking_types().keys() - REAL))
