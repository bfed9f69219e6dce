from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from archlib import Stack
from archlib.components.apis.vpc_link import VpcLink
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, Grant

Rendered = Callable[[], dict[str, Any]]


@pytest.fixture
def link(stack: Stack) -> VpcLink:
    network: Any = SimpleNamespace(vpc_id="vpc-0a", private_subnets=["subnet-0a", "subnet-0b"])
    return VpcLink(stack, "inside", network=network)


def test_its_interfaces_are_in_private_subnets_and_lead_nowhere(link: VpcLink, rendered: Rendered) -> None:
    made = rendered()

    assert made["InsideVpcLink"]["Properties"]["SubnetIds"] == ["subnet-0a", "subnet-0b"]
    assert made["InsideVpcLink"]["Properties"]["SecurityGroupIds"] == [
        {"Fn::GetAtt": ["InsideVpcLinkSecurityGroup", "GroupId"]}
    ]
    assert [rule["CidrIp"] for rule in made["InsideVpcLinkSecurityGroup"]["Properties"]["SecurityGroupEgress"]] == [
        "127.0.0.1/32"
    ]


def test_opens_the_way_to_a_load_balancer_and_takes_nothing_else_from_it(link: VpcLink, rendered: Rendered) -> None:
    link.connect(
        Binding(
            "balancer", "requests to it", (), {"URL": "https://x"}, {"A": "b"}, ports=(443,), security_group="sg-0a"
        )
    )

    made = rendered()

    assert made["InsideToBalancer443Ingress"]["Properties"]["GroupId"] == "sg-0a"
    assert made["InsideToBalancer443Egress"]["Properties"]["DestinationSecurityGroupId"] == "sg-0a"
    assert len(made) == 4


def test_cannot_get_rights(link: VpcLink) -> None:
    with pytest.raises(WiringError, match="has no role that could get rights for reading, got s3:GetObject"):
        link.connect(Binding("files", "reading", (Grant(("s3:GetObject",), ("arn:aws:s3:::files/a",)),)))
