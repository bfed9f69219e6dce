"""Security groups that open nothing by themselves."""

from __future__ import annotations

from troposphere import ec2

from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value


class SecurityGroup(Component):
    """A security group without a single open port; connecting components adds rules to it.

    Creates ``<Name>SecurityGroup``. Its one egress rule leads to the loopback address, which replaces the
    allow-everything rule that EC2 would add.

    See https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        vpc_id: the VPC it belongs to.
        description: one sentence; what the group is for.

    Attributes:
        resource: the ``AWS::EC2::SecurityGroup``.
    """

    kind = "SecurityGroup"

    def __init__(self, stack: Stack, name: str, *, vpc_id: Value, description: str = "") -> None:
        super().__init__(stack, name)
        self.resource = ec2.SecurityGroup(
            self.id(),
            GroupDescription=description or f"Traffic of {name}",
            VpcId=vpc_id,
            SecurityGroupEgress=[
                ec2.SecurityGroupRule(
                    Description="Nothing beyond the rules added beside this group",
                    CidrIp="127.0.0.1/32",
                    IpProtocol="tcp",
                    FromPort=443,
                    ToPort=443,
                )
            ],
        )
        self.add(self.resource)

    @property
    def group_id(self) -> Value:
        """Id of the group."""
        return self.attribute("GroupId")
