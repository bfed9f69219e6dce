"""Relational databases: PostgreSQL and MySQL, on RDS and on Aurora."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from awacs import rds_data
from awacs import secretsmanager as actions
from troposphere import Join, rds, secretsmanager

from archlib.components.data.database_engine import ENGINES, GIB, EngineName, configure
from archlib.components.data.database_proxy import Proxy, check_proxy
from archlib.components.data.database_readers import scale_readers
from archlib.components.data.database_size import Serverless, memory_gib
from archlib.components.data.instance_classes import check_instance_class
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.identity.secret import Secret
from archlib.components.network.security_group import SecurityGroup
from archlib.core.component import Component
from archlib.core.naming import pascal
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import PARTITION, Value, arn, join
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.roles import Network, Target
from archlib.wiring.watch import Watch

__all__ = ["Database", "Serverless"]

D = TypeVar("D", rds.DBCluster, rds.DBInstance)

_AURORA = "'aurora-postgres' or 'aurora-mysql'"
_MONITORING = "policy/service-role/AmazonRDSEnhancedMonitoringRole"
_MONITORING_SECONDS, _INSIGHTS_DAYS = 60, 7
_EVENTS = ("configuration change", "failover", "failure", "maintenance")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_USER = re.compile(r"[a-z][a-z0-9_]{0,31}")
_NAME_FORM = "a-z, 0-9 and _, a letter first, at most"
_RESERVED_USERS = ("admin", "postgres", "rdsadmin", "root")
_PORTS = (1150, 65_535)
_STORAGE = (20, 65_536)
_BACKUP_DAYS = (7, 35)
_REPLICAS_MAX = 15
_DATA_API = (
    rds_data.BatchExecuteStatement,
    rds_data.BeginTransaction,
    rds_data.CommitTransaction,
    rds_data.ExecuteStatement,
    rds_data.RollbackTransaction,
)


class Database(Component):
    """A PostgreSQL or MySQL database on RDS or Aurora: encrypted, TLS only, and closed to all who are not connected.

    Creates ``<Name>Database`` (the RDS instance, or the Aurora cluster), ``<Name>DatabaseSubnets``,
    ``<Name>DatabaseParameters``, ``<Name>DatabaseSecurityGroup`` and ``<Name>DatabaseRole`` for enhanced monitoring;
    for each read replica on RDS ``<Name>DatabaseReplicaN``, for each member of an Aurora cluster
    ``<Name>DatabaseMemberN``; for MySQL on RDS ``<Name>DatabaseOptions``, which keeps an audit log; with ``events``
    also ``<Name>DatabaseEvents``. With ``readers_max`` also ``<Name>DatabaseScalableTarget`` and
    ``<Name>DatabaseScalingPolicy``. With ``proxy`` also ``<Name>DatabaseProxy``, ``<Name>DatabaseProxyTargets``,
    ``<Name>DatabaseProxyRole``, ``<Name>DatabaseProxyPolicy``, ``<Name>DatabaseProxySecurityGroup``,
    ``<Name>ProxyTo<Name><Port>Ingress`` and ``...Egress``, and for an Aurora cluster with readers
    ``<Name>DatabaseProxyReader``.

    AWS generates the password, and nobody sees it. RDS keeps and rotates it, but does not offer that for an instance
    with read replicas: there ``<Name>DatabaseSecret`` with ``<Name>DatabaseSecretAttachment`` keeps it, and its
    :meth:`Secret.rotate_by` rotates it.

    RDS makes the log groups of exported logs itself, such as ``/aws/rds/instance/<id>/postgresql``, without the app's
    key and without an end: ``aws logs associate-kms-key`` and ``aws logs put-retention-policy`` set both.

    See https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_BestPractices.Security.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        network: the VPC; the database is in its isolated subnets, of which there must be two or more. Code that reads
            the password there needs the endpoint ``secretsmanager``.
        engine: ``postgres`` or ``mysql`` for RDS, ``aurora-postgres`` or ``aurora-mysql`` for Aurora.
        version: a current one by default; a major version such as ``18``, which follows minor versions by itself, or an
            exact ``18.4``. For MySQL on RDS always an exact one such as ``8.4.9``, which follows minor versions too.
        instance_class: such as ``db.m7g.large``; for RDS ``db.t4g.medium`` by default, for Aurora serverless. MySQL has
            no Performance Insights on ``micro`` and ``small`` ones.
        serverless: how far Aurora Serverless scales; only for Aurora without ``instance_class``.
        multi_az: RDS keeps a standby in another zone, Aurora at least one reader to fail over to. Doubles the price.
        read_replicas: copies that answer reads, 0 to 15.
        readers_max: for Aurora with at least one reader, the most readers there may be, up to 15; more than those of
            ``multi_az`` and ``read_replicas`` come and go so that their CPU stays at 70 percent.
        storage_gib: for RDS, storage at first, 20 to 65536 GiB; Aurora grows by itself.
        max_storage_gib: for RDS, storage it may grow to; five times ``storage_gib`` by default, and ``storage_gib``
            itself forbids it.
        backup_days: days back to which it can be restored, to the second; 7 to 35.
        port: TCP port, 1150 to 65535; by default 5433 for PostgreSQL and 3307 for MySQL, because scanners want another
            one than the engine's own.
        database_name: the first database; a-z, 0-9 and ``_``.
        user_name: its owner; a-z, 0-9 and ``_``, at most 32 characters, and not what every attacker tries.
        parameters: settings of the engine, such as ``{"log_min_duration_statement": "1000"}``.
        proxy: callers connect through RDS Proxy, which shares few connections among many callers, such as functions,
            and keeps theirs during a failover. Not for RDS with ``read_replicas``, to which it does not lead, nor for
            ``serverless`` that pauses.
        data_api: for Aurora, SQL may also be sent over HTTPS.
        events: a topic that hears of failures, failovers, maintenance and changes.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::RDS::DBInstance`` or ``AWS::RDS::DBCluster``.
        instances: the ``AWS::RDS::DBInstance`` of each replica, or of each member of the cluster.
        secret: the :class:`Secret` with the password; None where RDS keeps it.
        security_group: id of its security group.
        proxy: the :class:`~archlib.components.data.database_proxy.Proxy`; None without one.
        data_api: SQL may also be sent over HTTPS.

    Raises:
        SettingsError: a setting is outside its range, or does not fit the engine.
    """

    kind = "Database"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        engine: EngineName = "postgres",
        version: str | None = None,
        instance_class: str | None = None,
        serverless: Serverless | None = None,
        multi_az: bool = True,
        read_replicas: int = 0,
        readers_max: int | None = None,
        storage_gib: int = 20,
        max_storage_gib: int | None = None,
        backup_days: int = 7,
        port: int | None = None,
        database_name: str = "app",
        user_name: str = "app_owner",
        parameters: Mapping[str, str] | None = None,
        proxy: bool = False,
        data_api: bool = False,
        events: Target | None = None,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        self._engine = ENGINES.get(engine, ENGINES["postgres"])
        aurora = self._engine.aurora
        version = self._engine.version if version is None else version
        port = self._engine.port if port is None else port
        readers = max(read_replicas, int(multi_az))
        max_storage_gib = min(5 * storage_gib, _STORAGE[1]) if max_storage_gib is None else max_storage_gib
        with self.checking() as check:
            check.one_of("engine", engine, ENGINES)
            check.that(
                len(network.isolated_subnets) > 1,
                "network", "one with isolated subnets in two zones or more", len(network.isolated_subnets),
            )  # fmt: skip
            self._engine.check(check, version, parameters or {})
            check_instance_class(check, instance_class, self._engine.name)
            check.that(
                serverless is None or (aurora and instance_class is None),
                "serverless", f"left out unless engine is {_AURORA}, without instance_class", serverless,
            )  # fmt: skip
            (serverless or Serverless()).check(check, "serverless")
            check.between("read_replicas", read_replicas, 0, _REPLICAS_MAX)
            check.that(
                readers_max is None or (aurora and 1 <= readers <= readers_max <= _REPLICAS_MAX),
                "readers_max", f"for Aurora with a reader or more, from their number to {_REPLICAS_MAX}", readers_max,
            )  # fmt: skip
            check.between("storage_gib", storage_gib, *_STORAGE)
            check.that(
                max_storage_gib == storage_gib or 1.1 * storage_gib <= max_storage_gib <= _STORAGE[1],
                "max_storage_gib", f"storage_gib, or from a tenth more to {_STORAGE[1]}", max_storage_gib,
            )  # fmt: skip
            check.between("backup_days", backup_days, *_BACKUP_DAYS)
            check.between("port", port, *_PORTS)
            check.that(_NAME.fullmatch(database_name), "database_name", f"{_NAME_FORM} 63 characters", database_name)
            check.that(_USER.fullmatch(user_name), "user_name", f"{_NAME_FORM} 32 characters", user_name)
            check.that(user_name not in _RESERVED_USERS, "user_name", "a less obvious name", user_name)
            if proxy:
                check_proxy(check, stack, name, replicas=0 if aurora else read_replicas, serverless=serverless)
            check.that(aurora or not data_api, "data_api", f"off unless engine is {_AURORA}", data_api)
        self.engine = engine
        self.port = port
        self.database_name = database_name
        self.storage_gib = storage_gib
        self.serverless = (serverless or Serverless()) if aurora and instance_class is None else None
        self.instance_class = "db.serverless" if self.serverless else instance_class or "db.t4g.medium"
        self.data_api = data_api
        self.key = key or Key.of(stack)
        self.secret: Secret | None = None
        self.instances: list[rds.DBInstance] = []
        self._backup_days = backup_days

        self._place(network)
        configure(self, self._engine, version, parameters or {})
        if aurora:
            self.resource = self._cluster(readers)
        else:
            self.resource = self._standalone(read_replicas, max_storage_gib, multi_az=multi_az)
        self.resource.EngineVersion = version
        self._keep_password(user_name)
        if readers_max is not None:
            scale_readers(self, self.instances, readers_max)
        self.proxy = self._stand_in(network) if proxy else None
        if events is not None:
            self._tell(events)

    @property
    def secret_arn(self) -> Value:
        """ARN of the secret with ``username`` and ``password``."""
        return self.secret.arn if self.secret else self.attribute("MasterUserSecret.SecretArn")

    @property
    def host(self) -> Value:
        """Host name for reading and writing."""
        return self.attribute("Endpoint.Address")

    @property
    def read_host(self) -> Value:
        """Host name for reading; for several replicas on RDS, their names with commas, which drivers try in turn."""
        if self._engine.aurora:
            return self.attribute("ReadEndpoint.Address")
        if not self.instances:
            return self.host
        return Join(",", [replica.get_att("Endpoint.Address") for replica in self.instances])

    def for_connecting(self) -> Binding:
        """Return what a caller needs to connect: the port, the right to read the password, and where to.

        With ``proxy`` that is the proxy, on the engine's own port. Its environment gets ``<NAME>_HOST``,
        ``<NAME>_READ_HOST``, ``<NAME>_PORT``, ``<NAME>_DATABASE`` and ``<NAME>_SECRET_ARN``.

        Connections must use TLS and should verify the certificate (``sslmode=verify-full`` for PostgreSQL,
        ``VERIFY_IDENTITY`` for MySQL): Amazon RDS has its own authority, a proxy one of Amazon Trust Services.
        """
        entry = self.proxy or self
        return Binding(
            self.name,
            f"connecting to {self}",
            (Grant((actions.DescribeSecret, actions.GetSecretValue), (self.secret_arn,)), self.key.for_decrypting()),
            {
                "HOST": entry.host,
                "READ_HOST": entry.read_host,
                "PORT": str(entry.port),
                "DATABASE": self.database_name,
            },
            {"SECRET_ARN": self.secret_arn},
            (entry.port,),
            entry.security_group,
        )

    def for_data_api(self) -> Binding:
        """Return what a caller needs to send SQL over HTTPS, without a connection and from outside the network.

        Its environment gets ``<NAME>_CLUSTER_ARN``, ``<NAME>_DATABASE`` and ``<NAME>_SECRET_ARN``.

        Raises:
            WiringError: the database has no Data API.
        """
        if not self.data_api:
            raise WiringError(
                f"{self}: data_api must be true to send SQL over HTTPS, got false; set it, with engine {_AURORA}"
            )
        cluster = self.attribute("DBClusterArn")
        return Binding(
            self.name,
            f"sending SQL to {self}",
            (Grant(_DATA_API, (cluster,)), *self._reading_password()),
            {"CLUSTER_ARN": cluster, "DATABASE": self.database_name},
            {"SECRET_ARN": self.secret_arn},
        )

    def watches(self) -> Sequence[Watch]:
        """Return what shows that the database is busy, full, or behind."""
        if self.serverless:
            accepted = self._engine.connections(self.serverless.memory_gib, shrinks=self.serverless.shrinks)
        else:
            accepted = self._engine.connections(memory_gib(self.instance_class))
        found = [
            self._watch("cpu", "CPU, percent", "CPUUtilization", 80, statistic="Average"),
            self._watch("connections", "Connections", "DatabaseConnections", accepted * 8 // 10),
        ]
        if self.proxy:
            found.extend(self.proxy.watches())
        if self.serverless:
            found.append(self._watch("capacity", "Used capacity, percent", "ACUUtilization", 90, statistic="Average"))
        if self._engine.aurora:
            if len(self.instances) > 1:
                found.append(self._watch("lag", "Slowest reader, milliseconds", "AuroraReplicaLagMaximum", 1000))
            return found
        # Storage grows when a tenth is free; half of that means that it could not.
        free = self._watch("storage", "Free storage, bytes", "FreeStorageSpace", self.storage_gib * GIB // 20)
        found.append(replace(free, statistic="Minimum", comparison="<"))
        for number, replica in enumerate(self.instances, 1):
            lag = self._watch(f"lag{number}", f"Lag of replica {number}, seconds", "ReplicaLag", 60)
            found.append(replace(lag, dimensions={"DBInstanceIdentifier": replica.ref()}))
        return found

    def _place(self, network: Network) -> None:
        part = f"{self.name}-database"
        self.security_group = SecurityGroup(self.stack, part, vpc_id=network.vpc_id).group_id
        self.add(
            rds.DBSubnetGroup(
                self.id("DatabaseSubnets"),
                DBSubnetGroupDescription=f"Isolated subnets for {self}",
                SubnetIds=list(network.isolated_subnets),
            )
        )
        self._role = Role(
            self.stack, part, service="monitoring.rds.amazonaws.com", description=f"Enhanced monitoring of {self}"
        )
        self._role.resource.ManagedPolicyArns = [join("arn:", PARTITION, ":iam::aws:", _MONITORING)]
        suppress(self._role.resource, "aws-service-role-policy")

    def _cluster(self, readers: int) -> rds.DBCluster:
        cluster = self._protect(
            rds.DBCluster(
                self.id(),
                DatabaseName=self.database_name,
                DBClusterParameterGroupName=self.ref("DatabaseParameters"),
                DBSubnetGroupName=self.ref("DatabaseSubnets"),
                EnableCloudwatchLogsExports=list(self._engine.logs),
                Engine=self._engine.name,
                KmsKeyId=self.key.arn,
                Port=self.port,
                StorageEncrypted=True,
                VpcSecurityGroupIds=[self.security_group],
            )
        )
        if self.data_api:
            cluster.EnableHttpEndpoint = True
        if self.serverless:
            cluster.ServerlessV2ScalingConfiguration = self.serverless.scaling()
        self.add(cluster, stateful=True)
        for number in range(1, readers + 2):
            member = self._instance(f"DatabaseMember{number}")
            member.DBClusterIdentifier = cluster.ref()
            suppress(member, "aurora-instance-inherits")
            self._add_copy(member)
        return cluster

    def _standalone(self, replicas: int, max_storage_gib: int, *, multi_az: bool) -> rds.DBInstance:
        primary = self._rds_instance("Database", max_storage_gib)
        primary.AllocatedStorage = str(self.storage_gib)
        primary.DBName = self.database_name
        primary.KmsKeyId = self.key.arn
        primary.MultiAZ = multi_az
        primary.StorageEncrypted = True
        self.add(primary, stateful=True)
        for number in range(1, replicas + 1):
            replica = self._rds_instance(f"DatabaseReplica{number}", max_storage_gib)
            replica.SourceDBInstanceIdentifier = primary.ref()
            # troposphere 4.11 wants a storage size, which a replica takes over from its source like its encryption.
            replica.no_validation()
            self._add_copy(replica)
        return primary

    def _rds_instance(self, role: str, max_storage_gib: int) -> rds.DBInstance:
        instance = self._protect(self._instance(role))
        instance.DBParameterGroupName = self.ref("DatabaseParameters")
        instance.EnableCloudwatchLogsExports = list(self._engine.logs)
        if self._engine.plugin is not None:
            instance.OptionGroupName = self.ref("DatabaseOptions")
        instance.Port = str(self.port)
        instance.StorageType = "gp3"
        instance.VPCSecurityGroups = [self.security_group]
        if max_storage_gib > self.storage_gib:
            instance.MaxAllocatedStorage = max_storage_gib
        return instance

    def _instance(self, role: str) -> rds.DBInstance:
        instance = rds.DBInstance(
            self.id(role),
            AutoMinorVersionUpgrade=True,
            DBInstanceClass=self.instance_class,
            DBSubnetGroupName=self.ref("DatabaseSubnets"),
            Engine=self._engine.name,
            MonitoringInterval=_MONITORING_SECONDS,
            MonitoringRoleArn=self._role.arn,
            PubliclyAccessible=False,
        )
        if not re.fullmatch(self._engine.no_insights, self.instance_class):
            instance.EnablePerformanceInsights = True
            instance.PerformanceInsightsKMSKeyId = self.key.arn
            instance.PerformanceInsightsRetentionPeriod = _INSIGHTS_DAYS
        suppress(instance, "not-in-backup-plan")
        return instance

    def _protect(self, data: D) -> D:
        data.BackupRetentionPeriod = self._backup_days
        data.CopyTagsToSnapshot = True
        data.DeletionProtection = self.stack.app.removal == "Retain"
        data.EnableIAMDatabaseAuthentication = True
        return data

    def _add_copy(self, instance: rds.DBInstance) -> None:
        # RDS takes no final snapshot of a replica or a member: what they hold is in the primary or the cluster.
        instance.DeletionPolicy = instance.UpdateReplacePolicy = "Delete"
        self.instances.append(self.add(instance))

    def _keep_password(self, user_name: str) -> None:
        self.resource.MasterUsername = user_name
        suppress(self.resource, "master-user-name")
        if self._engine.aurora or not self.instances:
            self.resource.ManageMasterUserPassword = True
            self.resource.MasterUserSecret = rds.MasterUserSecret(KmsKeyId=self.key.arn)
            return
        # RDS refuses to make a replica of an instance whose password it keeps itself.
        self.secret = Secret(self.stack, f"{self.name}-database", username=user_name, key=self.key)
        self.resource.MasterUserPassword = join(
            "{{resolve:secretsmanager:", self.secret.arn, ":SecretString:password}}"
        )
        self.add(
            secretsmanager.SecretTargetAttachment(
                self.id("DatabaseSecretAttachment"),
                SecretId=self.secret.arn,
                TargetId=self.ref(),
                TargetType=self.resource.resource_type,
            )
        )

    def _reading_password(self) -> tuple[Grant, Grant]:
        return Grant((actions.GetSecretValue,), (self.secret_arn,)), self.key.for_decrypting()

    def _stand_in(self, network: Network) -> Proxy:
        login = Binding(
            self.name,
            f"logging in to {self}",
            self._reading_password(),
            ports=(self.port,),
            security_group=self.security_group,
        )
        return Proxy(
            self,
            network=network,
            engine=self._engine,
            login=login,
            secret_arn=self.secret_arn,
            members=self.instances if self._engine.aurora else (),
        )

    def _tell(self, topic: Target) -> None:
        topic.admit("events.rds.amazonaws.com", arn("rds", "*"), label=pascal(self.name))
        self.add(
            rds.EventSubscription(
                self.id("DatabaseEvents"),
                Enabled=True,
                EventCategories=list(_EVENTS),
                SnsTopicArn=topic.arn,
                SourceIds=[self.ref(), *(() if self._engine.aurora else (replica.ref() for replica in self.instances))],
                SourceType="db-cluster" if self._engine.aurora else "db-instance",
            )
        )

    def _watch(self, name: str, title: str, metric: str, threshold: float, *, statistic: str = "Maximum") -> Watch:
        source = "DBClusterIdentifier" if self._engine.aurora else "DBInstanceIdentifier"
        return Watch(
            name, f"{title} of {self}", "AWS/RDS", metric, {source: self.ref()}, statistic, threshold, periods=2
        )
