"""The index of an OpenSearch domain that records are delivered to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal, get_args

from archlib.core.component import Check
from archlib.core.values import Value, arn, join
from archlib.wiring.binding import Grant
from archlib.wiring.roles import Network

Rotation = Literal["NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth"]
Backup = Literal["FailedDocumentsOnly", "AllDocuments"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_RETRY_MAX = timedelta(hours=2)
_DESCRIBE = (
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)


@dataclass(frozen=True, slots=True)
class SearchIndex:
    """The index that records become documents of.

    Attributes:
        name: a-z, 0-9, ``.``, ``_`` and ``-``, a letter or digit first, 1 to 80 characters; by default the delivery's.
        rotation: how often a new index begins, whose name has the date after ``name``: ``NoRotation``, ``OneHour``,
            ``OneDay``, ``OneWeek`` or ``OneMonth``. Old documents are best deleted by whole indexes.
        retry: how long to go on trying before a document counts as failed, at most 2 hours.
        backup: what also goes to the bucket: ``FailedDocumentsOnly`` or ``AllDocuments``; another choice later
            replaces the stream.
    """

    SHORT: ClassVar[str] = "name"

    name: str | None = None
    rotation: Rotation = "OneDay"
    retry: timedelta = timedelta(minutes=5)
    backup: Backup = "FailedDocumentsOnly"

    def check(self, check: Check) -> None:
        """Note what is wrong with it."""
        check.that(
            self.name is None or _NAME.fullmatch(self.name),
            "index.name", "a-z, 0-9, ., _ and -, a letter or digit first, 1 to 80 characters", self.name,
        )  # fmt: skip
        check.one_of("index.rotation", self.rotation, get_args(Rotation))
        check.between("index.retry", self.retry, timedelta(0), _RETRY_MAX)
        check.one_of("index.backup", self.backup, get_args(Backup))


def interface_grants(network: Network, security_group: Value) -> Sequence[Grant]:
    """Return the rights Firehose documents to need for interfaces in ``network``: here only in its subnets."""
    interfaces = arn("ec2", "network-interface/*")
    subnets = [arn("ec2", join("subnet/", subnet)) for subnet in network.isolated_subnets]
    group = arn("ec2", join("security-group/", security_group))
    return (
        Grant(_DESCRIBE, ("*",)),
        Grant(("ec2:DescribeVpcAttribute",), (arn("ec2", join("vpc/", network.vpc_id)),)),
        Grant(("ec2:CreateNetworkInterface",), (interfaces, group, *subnets)),
        Grant(
            ("ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"),
            (interfaces,),
            {"ArnEquals": {"ec2:Subnet": subnets}},
        ),
    )
