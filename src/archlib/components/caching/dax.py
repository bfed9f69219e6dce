"""DynamoDB Accelerator: a cache before a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from troposphere import dax

from archlib.components.caching.network import check_network
from archlib.components.caching.node_types import DAX_NODES, check_node_type
from archlib.components.identity.role import Role
from archlib.components.network.security_group import SecurityGroup
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.permissions import action_name
from archlib.wiring.roles import Network
from archlib.wiring.watch import Watch

_PORT = 9111  # that of TLS; nobody can choose it
_NODES = (1, 11)
_TTL = (timedelta(0), timedelta(days=30))
_MILLISECOND = timedelta(milliseconds=1)
_CONNECTIONS_MAX = 40_000
# What DAX answers; everything else of a table's rights is about the table itself.
_ANSWERED = frozenset(
    {
        *("BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "Scan"),
        *("BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"),
    }
)


class Dax(Component):
    """A DAX cluster that answers reads of a table from memory: encrypted, TLS only, with no more rights than the table.

    Creates ``<Name>Dax``, ``<Name>DaxSubnets``, ``<Name>DaxParameters``, ``<Name>DaxSecurityGroup``, ``<Name>DaxRole``
    and ``<Name>DaxPolicy``.

    Whoever may use the cluster reads and writes with the cluster's rights, so give it those its callers may have. They
    use a DAX client library in place of that for DynamoDB. For a further table, connect :attr:`role` to it.

    See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DAX.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        network: the VPC; the nodes are in its isolated subnets, of which there must be two or more.
        table: what the cluster may do with the table, such as ``orders.for_reading_and_writing()``.
        node_type: such as ``dax.r7i.large``.
        nodes: one that takes writes and copies of it in other zones, 1 to 11; three survive the loss of one zone.
        item_ttl: how long an item is answered from memory, up to 30 days; 0 for as long as there is room.
        query_ttl: the same for the results of queries and scans.

    Attributes:
        resource: the ``AWS::DAX::Cluster``.
        role: the :class:`Role` with which it uses the table.
        security_group: id of its security group.

    Raises:
        SettingsError: a setting is outside its range.
    """

    kind = "Dax"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        table: Binding,
        node_type: str = "dax.t3.small",
        nodes: int = 3,
        item_ttl: timedelta = timedelta(minutes=5),
        query_ttl: timedelta = timedelta(minutes=5),
    ) -> None:
        super().__init__(stack, name)
        with self.checking() as check:
            check_network(check, network)
            check.that(_answered(table), "table", "rights to read or write its items", table.access)
            check_node_type(check, node_type, DAX_NODES)
            check.between("nodes", nodes, *_NODES)
            check.between("item_ttl", item_ttl, *_TTL)
            check.between("query_ttl", query_ttl, *_TTL)
        self._table = table
        part = f"{name}-dax"
        self.security_group: Value = SecurityGroup(stack, part, vpc_id=network.vpc_id).group_id
        self.role = Role(stack, part, service="dax", description=f"Use of the table behind {self}")
        self.role.connect(table)
        self.add(
            dax.SubnetGroup(
                self.id("DaxSubnets"),
                Description=f"Isolated subnets for {self}",
                SubnetIds=list(network.isolated_subnets),
            )
        )
        self.add(
            dax.ParameterGroup(
                self.id("DaxParameters"),
                Description=f"Settings of {self}",
                ParameterNameValues={
                    "query-ttl-millis": str(query_ttl // _MILLISECOND),
                    "record-ttl-millis": str(item_ttl // _MILLISECOND),
                },
            )
        )
        self.resource = dax.Cluster(
            self.id(),
            ClusterEndpointEncryptionType="TLS",
            Description=f"{name} of {stack.app.name} ({stack.app.environment})",
            IAMRoleARN=self.role.arn,
            NodeType=node_type,
            ParameterGroupName=self.ref("DaxParameters"),
            ReplicationFactor=nodes,
            SecurityGroupIds=[self.security_group],
            SSESpecification=dax.SSESpecification(SSEEnabled=True),
            SubnetGroupName=self.ref("DaxSubnets"),
            DependsOn=self.role.policy,
        )
        self.add(self.resource)

    @property
    def arn(self) -> Value:
        """ARN of the cluster."""
        return self.attribute("Arn")

    def for_using(self) -> Binding:
        """Return what a caller needs to use the table through the cluster: the port, the same rights, and where to.

        Its environment gets ``<NAME>_DAX_ENDPOINT`` (``daxs://...``) and ``<NAME>_TABLE``.
        """
        return Binding(
            self.name,
            f"using {self}",
            (Grant([f"dax:{name}" for name in _answered(self._table)], (self.arn,)),),
            {"DAX_ENDPOINT": self.attribute("ClusterDiscoveryEndpointURL"), **self._table.environment},
            ports=(_PORT,),
            security_group=self.security_group,
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that it is busy, full, or cannot answer."""
        dimensions = {"ClusterId": self.ref()}
        return [
            Watch(name, f"{title}, of {self}", "AWS/DAX", metric, dimensions, statistic, threshold, periods=2)
            for name, title, metric, statistic, threshold in (
                ("faults", "Requests that failed inside", "FaultRequestCount", "Sum", 1),
                ("throttles", "Requests that were throttled", "ThrottledRequestCount", "Sum", 1),
                ("cpu", "CPU of the busiest node, percent", "CPUUtilization", "Maximum", 80),
                ("memory", "Used memory of a node, percent", "CacheMemoryUtilization", "Maximum", 95),
                ("connections", "Connections to a node", "ClientConnections", "Maximum", _CONNECTIONS_MAX * 8 // 10),
            )
        ]


def _answered(table: Binding) -> list[str]:
    """Return what of the rights on ``table`` DAX has answers for."""
    allowed = {action_name(action).partition(":")[2] for grant in table.grants for action in grant.actions}
    return sorted(allowed & _ANSWERED)
