"""RDS Proxy: the pool of connections in front of a database."""

from __future__ import annotations

from collections.abc import Sequence

from troposphere import rds

from archlib.components.data.database_engine import Engine
from archlib.components.data.database_size import Serverless
from archlib.components.identity.role import Role
from archlib.components.network.security_group import SecurityGroup
from archlib.core.component import Check, Component
from archlib.core.stack import Stack
from archlib.core.values import Value
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import connect
from archlib.wiring.roles import Network
from archlib.wiring.watch import Watch

_NAME_MAX = 63
_READER = "-reader"
_IDLE_SECONDS = 1800
# The rest is for whoever connects to the database itself, such as to repair it.
_CONNECTIONS_PERCENT = 90
_WAIT_MICROSECONDS = 1_000_000


class Proxy:
    """Takes the connections of callers, and shares those to the database among them.

    It listens with TLS only, logs in with the secret of the database, and takes the same user and password from its
    callers. To the database it is a :class:`~archlib.wiring.roles.Caller`.

    See https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.html

    Args:
        database: the component it belongs to and adds its resources to.
        network: the VPC.
        engine: the engine of the database.
        login: how to reach the database and read its secret.
        secret_arn: the secret with user and password.
        members: the members of an Aurora cluster; none on RDS.

    Attributes:
        name: name of the database with ``-proxy``.
        stack: where its resources are.
        port: TCP port it listens on, which RDS Proxy does not let one choose.
        security_group: id of its security group.
        resource: the ``AWS::RDS::DBProxy``.
        host: host name for reading and writing.
        read_host: host name for reading; the same as ``host`` unless an Aurora cluster has readers.
    """

    def __init__(
        self,
        database: Component,
        *,
        network: Network,
        engine: Engine,
        login: Binding,
        secret_arn: Value,
        members: Sequence[rds.DBInstance],
    ) -> None:
        self.name = f"{database.name}-proxy"
        self.stack = database.stack
        self.port = engine.proxy_port
        part = f"{database.name}-database-proxy"
        self.security_group: Value = SecurityGroup(self.stack, part, vpc_id=network.vpc_id).group_id
        self._database = database
        self._role = Role(self.stack, part, service="rds", description=f"Proxy of {database}")
        before = set(self.stack.template.resources)
        connect(self, login)
        wiring = sorted(set(self.stack.template.resources) - before)
        physical_name = _physical_name(self.stack, database.name)
        self.resource = database.add(
            rds.DBProxy(
                database.id("DatabaseProxy"),
                # Left out, how callers log in is the best that the engine knows: SCRAM or caching SHA-2.
                Auth=[rds.AuthFormat(AuthScheme="SECRETS", IAMAuth="DISABLED", SecretArn=secret_arn)],
                DBProxyName=physical_name,
                DebugLogging=False,
                EngineFamily=engine.proxy_family,
                IdleClientTimeout=_IDLE_SECONDS,
                RequireTLS=True,
                RoleArn=self._role.arn,
                VpcSecurityGroupIds=[self.security_group],
                VpcSubnetIds=list(network.isolated_subnets),
                # It looks for the database at once: the rights and the way there must exist.
                DependsOn=wiring,
            )
        )
        targets = rds.DBProxyTargetGroup(
            database.id("DatabaseProxyTargets"),
            ConnectionPoolConfigurationInfo=rds.ConnectionPoolConfigurationInfoFormat(
                MaxConnectionsPercent=_CONNECTIONS_PERCENT
            ),
            DBProxyName=self.resource.ref(),
            TargetGroupName="default",
        )
        if members:
            targets.DBClusterIdentifiers = [database.ref()]
            targets.DependsOn = [member.title for member in members]
        else:
            targets.DBInstanceIdentifiers = [database.ref()]
        database.add(targets)
        self.host: Value = self.resource.get_att("Endpoint")
        self.read_host = self.host
        # Without a reader, a read-only endpoint answers nobody.
        if len(members) > 1:
            reader = database.add(
                rds.DBProxyEndpoint(
                    database.id("DatabaseProxyReader"),
                    DBProxyEndpointName=f"{physical_name}{_READER}",
                    DBProxyName=self.resource.ref(),
                    TargetRole="READ_ONLY",
                    VpcSecurityGroupIds=[self.security_group],
                    VpcSubnetIds=list(network.isolated_subnets),
                )
            )
            self.read_host = reader.get_att("Endpoint")

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right to its role."""
        self._role.allow(grant, why=why)

    def set_environment(self, key: str, value: Value) -> None:
        """Do nothing: it runs no code."""

    def set_secret(self, key: str, arn: Value) -> None:
        """Do nothing: it runs no code."""

    def watches(self) -> Sequence[Watch]:
        """Return what shows that it cannot log in to the database, or has too few connections for its callers."""
        proxy = {"ProxyName": self.resource.ref()}
        failed = f"Failed logins of the proxy of {self._database}"
        wait = f"Wait for a connection of the proxy of {self._database}, microseconds"
        return (
            Watch("proxy-failed", failed, "AWS/RDS", "DatabaseConnectionsSetupFailed", proxy, "Sum", 1, periods=2),
            Watch(
                "proxy-wait", wait, "AWS/RDS", "DatabaseConnectionsBorrowLatency", proxy, "Average",
                _WAIT_MICROSECONDS, periods=2,
            ),
        )  # fmt: skip


def check_proxy(check: Check, stack: Stack, name: str, *, replicas: int, serverless: Serverless | None) -> None:
    """Note if database ``name`` cannot have a proxy.

    It has RDS ``replicas``, it is ``serverless`` and pauses, or the name AWS demands gets too long.
    """
    check.that(not replicas, "proxy", "off for RDS with read_replicas", True, "use Aurora, where it leads to readers")
    check.that(
        serverless is None or serverless.minimum > 0,
        "proxy", "off for serverless with minimum 0", True, "a proxy stays connected, so that it would never pause",
    )  # fmt: skip
    longest = f"{_physical_name(stack, name)}{_READER}"
    check.that(
        len(longest) <= _NAME_MAX,
        "proxy", f"off unless its name is at most {_NAME_MAX} characters", longest, "shorten a name",
    )  # fmt: skip


def _physical_name(stack: Stack, name: str) -> str:
    return f"{stack.app.name}-{stack.app.environment}-{name}"
