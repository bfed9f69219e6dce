"""Security groups that open nothing by themselves."""

from __future__ import annotations

from troposphere import ec2

from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import Value

_ANYWHERE, _ANYWHERE_V6 = "0.0.0.0/0", "::/0"


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

    def admit_everyone(self, port: int, *, protocol: str = "tcp", ipv6: bool = False) -> None:
        """Open ``port`` to the internet: only for what stands at the public entry."""
        suppress(self.resource, "public-entry-point")
        for field, block in (("CidrIp", _ANYWHERE), *((("CidrIpv6", _ANYWHERE_V6),) if ipv6 else ())):
            rule = ec2.SecurityGroupRule(
                Description=f"Everyone on port {port}", IpProtocol=protocol, FromPort=port, ToPort=port
            )
            setattr(rule, field, block)
            # Beside the group, not as a resource of its own: there alone every scanner reads why it is open.
            self.resource.SecurityGroupIngress = [*self.resource.properties.get("SecurityGroupIngress", ()), rule]

    @property
    def group_id(self) -> Value:
        """Id of the group."""
        return self.attribute("GroupId")
