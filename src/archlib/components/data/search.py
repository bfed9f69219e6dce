"""OpenSearch domains: search and analysis of documents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, get_args

from troposphere import iam, opensearchservice
from troposphere.policies import UpdatePolicy

from archlib.components.data.search_logs import publish_logs
from archlib.components.data.search_size import check_instance, check_nodes, check_storage, data_nodes_of, zones_of
from archlib.components.identity.key import Key
from archlib.components.network.security_group import SecurityGroup
from archlib.core.component import Component
from archlib.core.stack import Stack
from archlib.core.suppression import suppress
from archlib.core.values import ACCOUNT, PARTITION, Value, arn, join
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.policies import VERSION
from archlib.wiring.roles import Network
from archlib.wiring.watch import Watch

SearchVersion = Literal["3.5", "3.3", "3.1", "2.19", "2.17", "2.15", "2.13", "2.11"]

_DOMAIN_NAME = re.compile(r"[a-z][a-z0-9-]{2,27}")
_PORT = 443
_TLS = "Policy-Min-TLS-1-2-PFS-2023-10"
_HOURS = (0, 23)
_MIB_PER_GIB = 1024
_MINUTE = timedelta(minutes=1)
_METHODS = ("Delete", "Get", "Head", "Patch", "Post", "Put")
_LOOK = ("es:ESHttpGet", "es:ESHttpHead")
# Searches have a body, so they are posted, and go on at paths below (scrolls); posting elsewhere would write.
_SEARCHES = ("_search", "_msearch", "_count")
# What Firehose documents to need: it looks at the domain, writes, and reads how the domain and the index are.
_DESCRIBE = ("es:DescribeDomain", "es:DescribeDomainConfig", "es:DescribeDomains")
_DELIVER = ("es:ESHttpPost", "es:ESHttpPut")
_STATE = ("_all/_settings", "_cluster/stats", "_nodes*", "_stats")
_INDEX_STATE = ("_mapping*", "_stats*")
# CloudFormation puts that much of a stack's name before the name of a role.
_STACK_IN_ROLE = 24


class Search(Component):
    """An OpenSearch domain in a VPC: encrypted, TLS only, with an access control of its own on top of IAM.

    Creates ``<Name>SearchDomain``, ``<Name>SearchDomainSecurityGroup``, ``<Name>SearchDomainRole`` (the master role),
    ``<Name>SearchDomainLogsPolicy`` and, for its logs, ``<Name>SearchDomainApplicationLogGroup``, ``...Audit...``,
    ``...IndexSlow...`` and ``...SearchSlow...``.

    IAM decides who may send which requests, and the domain itself which indexes they reach. At first it knows the
    master role only. Whoever is connected :meth:`for_administering` takes that role on and lets others in, once:
    ``PUT /_plugins/_security/api/rolesmapping/all_access {"backend_roles": ["<ARN of a caller's role>"]}``, or a role
    with fewer rights in place of ``all_access``. The audit log too is switched on there
    (``/_plugins/_security/api/audit``), and slow logs by a threshold in the settings of an index.

    The account needs the service-linked role of OpenSearch Service, which only the console makes by itself:
    ``aws iam create-service-linked-role --aws-service-name opensearchservice.amazonaws.com``.

    The domain has a name in AWS because its policies must name it before it exists. Auto-Tune has no setting in
    CloudFormation. A new version is installed in place.

    See https://docs.aws.amazon.com/opensearch-service/latest/developerguide/bp.html

    Args:
        stack: where the resources go.
        name: kebab-case; also the prefix of the callers' environment variables.
        network: the VPC; the domain is in its isolated subnets.
        version: of OpenSearch, such as ``3.3``.
        zones: availability zones, 1 to 3; by default those of the network, at most three.
        data_nodes: nodes that hold data, a multiple of ``zones``, up to 80; by default three in three zones, four in
            two, and one in one.
        data_type: such as ``r7g.large.search``.
        master_nodes: nodes that only manage the others, 3 or 5; 0 leaves that to the data nodes.
        master_type: such as ``m7g.large.search``.
        storage_gib: gp3 storage of each data node, 10 to 24576 GiB; large ones only on large instances.
        iops: of each volume, 3000 to 80000, at most 500 for each GiB; by default what gp3 includes.
        throughput_mibps: of each volume, 125 to 2000 MiB a second, at most a quarter of ``iops``; by default what gp3
            includes.
        off_peak_hour: when AWS may patch it, the hour in UTC at which ten quiet hours begin, 0 to 23.
        domain_name: its name in AWS, 3 to 28 characters; by default ``<app>-<environment>-<name>``.
        master_role_arn: ARN of a role to administer it; by default one that connected code of this app may take on.
        log_retention_days: days a log event is kept.
        key: the KMS key; the app's by default.

    Attributes:
        resource: the ``AWS::OpenSearchService::Domain``.
        network: the VPC.
        master_role_arn: ARN of the role that administers it.
        security_group: id of its security group.

    Raises:
        SettingsError: a setting is outside its range, or does not fit the network.
    """

    kind = "SearchDomain"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        version: SearchVersion = "3.3",
        zones: int | None = None,
        data_nodes: int | None = None,
        data_type: str = "m7g.large.search",
        master_nodes: int = 3,
        master_type: str = "m7g.large.search",
        storage_gib: int = 50,
        iops: int | None = None,
        throughput_mibps: int | None = None,
        off_peak_hour: int = 2,
        domain_name: str | None = None,
        master_role_arn: Value | None = None,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        subnets = network.isolated_subnets
        zones = zones_of(zones, len(subnets))
        data_nodes = data_nodes_of(data_nodes, zones)
        if domain_name is None:
            domain_name = f"{stack.app.name}-{stack.app.environment}-{name}"
        with self.checking() as check:
            check.one_of("version", version, get_args(SearchVersion))
            check_nodes(check, zones=zones, subnets=len(subnets), data_nodes=data_nodes, master_nodes=master_nodes)
            check_instance(check, "data_type", data_type)
            check_instance(check, "master_type", master_type)
            check_storage(check, storage_gib, iops, throughput_mibps)
            check.between("off_peak_hour", off_peak_hour, *_HOURS)
            check.that(
                _DOMAIN_NAME.fullmatch(domain_name),
                "domain_name", "a-z, 0-9 and -, a letter first, 3 to 28 characters", domain_name, "set a shorter one",
            )  # fmt: skip
        self.network = network
        self.data_nodes = data_nodes
        self.master_nodes = master_nodes
        self.storage_gib = storage_gib
        self.key = key or Key.of(stack)
        self.domain_name = domain_name
        self.security_group: Value = SecurityGroup(stack, f"{name}-search-domain", vpc_id=network.vpc_id).group_id
        self.master_role_arn: Value = self._master() if master_role_arn is None else master_role_arn
        published, policy = publish_logs(
            self, domain_name, self._named_arn, retention_days=log_retention_days, key=self.key
        )
        self.resource = opensearchservice.Domain(
            self.id(),
            AccessPolicies=self._policy(),
            AdvancedSecurityOptions=opensearchservice.AdvancedSecurityOptionsInput(
                Enabled=True,
                InternalUserDatabaseEnabled=False,
                MasterUserOptions=opensearchservice.MasterUserOptions(MasterUserARN=self.master_role_arn),
            ),
            ClusterConfig=opensearchservice.ClusterConfig(
                InstanceCount=data_nodes,
                InstanceType=data_type,
                DedicatedMasterEnabled=master_nodes > 0,
                ZoneAwarenessEnabled=zones > 1,
            ),
            DomainEndpointOptions=opensearchservice.DomainEndpointOptions(EnforceHTTPS=True, TLSSecurityPolicy=_TLS),
            DomainName=domain_name,
            EBSOptions=opensearchservice.EBSOptions(EBSEnabled=True, VolumeSize=storage_gib, VolumeType="gp3"),
            # The key's id, not its ARN, is what the property documents.
            EncryptionAtRestOptions=opensearchservice.EncryptionAtRestOptions(Enabled=True, KmsKeyId=self.key.ref()),
            EngineVersion=f"OpenSearch_{version}",
            LogPublishingOptions=published,
            NodeToNodeEncryptionOptions=opensearchservice.NodeToNodeEncryptionOptions(Enabled=True),
            OffPeakWindowOptions=opensearchservice.OffPeakWindowOptions(
                Enabled=True,
                OffPeakWindow=opensearchservice.OffPeakWindow(
                    WindowStartTime=opensearchservice.WindowStartTime(Hours=off_peak_hour, Minutes=0)
                ),
            ),
            SoftwareUpdateOptions=opensearchservice.SoftwareUpdateOptions(AutoSoftwareUpdateEnabled=True),
            VPCOptions=opensearchservice.VPCOptions(
                SecurityGroupIds=[self.security_group], SubnetIds=list(subnets[:zones])
            ),
            # Without it, a new version would make a new, empty domain.
            UpdatePolicy=UpdatePolicy(EnableVersionUpgrade=True),
            DependsOn=policy,
        )
        config, volume = self.resource.ClusterConfig, self.resource.EBSOptions
        if master_nodes:
            config.DedicatedMasterCount, config.DedicatedMasterType = master_nodes, master_type
        if zones > 1:
            config.ZoneAwarenessConfig = opensearchservice.ZoneAwarenessConfig(AvailabilityZoneCount=zones)
        if iops is not None:
            volume.Iops = iops
        if throughput_mibps is not None:
            volume.Throughput = throughput_mibps
        suppress(self.resource, "opensearch-newer-tls-policy", "vpc-domain-ip-policy")
        self.add(self.resource, stateful=True)

    @property
    def arn(self) -> Value:
        """ARN of the domain."""
        return self.attribute("Arn")

    def for_searching(self) -> Binding:
        """Return what a caller needs to search and to get documents; its environment gets ``<NAME>_ENDPOINT``.

        The domain must let its role in as well, see the class. Requests are signed for the service ``es``.
        """
        paths = [join(self.arn, f"/{index}{path}*") for path in _SEARCHES for index in ("", "*/")]
        grants = (Grant(_LOOK, (join(self.arn, "/*"),)), Grant(("es:ESHttpPost",), paths))
        return self._binding("searching", grants)

    def for_indexing(self) -> Binding:
        """Return what a caller needs to search, and to write documents and indexes; see :meth:`for_searching`."""
        return self._binding("indexing", (Grant(_requests(), (join(self.arn, "/*"),)),))

    def for_delivering(self, index: str) -> Binding:
        """Return what Firehose needs to write documents to ``index`` and what rotation makes of it.

        The domain must let its role in as well; :class:`~archlib.components.messaging.delivery.Delivery` says how.
        """
        state = [*(f"/{path}" for path in _STATE), *(f"/{index}*/{path}" for path in _INDEX_STATE)]
        grants = (
            Grant(_DESCRIBE, (self.arn,)),
            Grant(_DELIVER, (join(self.arn, "/*"),)),
            Grant(("es:ESHttpGet",), [join(self.arn, path) for path in state]),
        )
        return self._binding("delivering to", grants)

    def for_administering(self) -> Binding:
        """Return what a caller needs to take on the master role, whose ARN is in ``<NAME>_MASTER_ROLE_ARN``.

        It is also told ``<NAME>_ENDPOINT``. In a network it needs the endpoint ``sts``.
        """
        grants = (Grant(("sts:AssumeRole",), (self.master_role_arn,)),)
        return self._binding("administering", grants, {"MASTER_ROLE_ARN": self.master_role_arn})

    def watches(self) -> Sequence[Watch]:
        """Return what shows that it loses data, is full, busy, or fails."""
        quarter = self.storage_gib * _MIB_PER_GIB // 4
        found = [
            self._watch("red", "Red status, data are missing", "ClusterStatus.red", 1),
            self._watch("yellow", "Yellow status, copies are missing", "ClusterStatus.yellow", 1, periods=5),
            self._watch("blocked", "Writes are blocked", "ClusterIndexWritesBlocked", 1, periods=5),
            self._watch(
                "storage", "Free storage of the fullest node, MiB", "FreeStorageSpace", quarter, statistic="Minimum",
                comparison="<=",
            ),
            self._watch("cpu", "CPU of the busiest node, percent", "CPUUtilization", 80, periods=45),
            self._watch("jvm", "Memory pressure, percent", "JVMMemoryPressure", 95, periods=3),
            self._watch("failures", "Requests that failed inside", "5xx", 10, statistic="Sum", periods=5),
            self._watch("snapshots", "Snapshots that failed", "AutomatedSnapshotFailure", 1),
            self._watch("key", "The KMS key cannot be used", "KMSKeyError", 1),
        ]  # fmt: skip
        if self.master_nodes:
            found += [
                self._watch("master-cpu", "CPU of a master node, percent", "MasterCPUUtilization", 50, periods=45),
                self._watch("master-jvm", "Memory pressure of a master, percent", "MasterJVMMemoryPressure", 95),
            ]
        return found

    @property
    def _named_arn(self) -> Value:
        """The same ARN before the domain exists."""
        return arn("es", f"domain/{self.domain_name}")

    def _master(self) -> Value:
        app = self.stack.app
        own_roles = f"{app.name}-{app.environment}-"[:_STACK_IN_ROLE]
        role = iam.Role(
            self.id("SearchDomainRole"),
            AssumeRolePolicyDocument={
                "Version": VERSION,
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": join("arn:", PARTITION, ":iam::", ACCOUNT, ":root")},
                        "Action": "sts:AssumeRole",
                        "Condition": {
                            "ArnLike": {"aws:PrincipalArn": arn("iam", f"role/{own_roles}*", region="")},
                        },
                    }
                ],
            },
            Description=f"Administers {self}",
        )
        return self.add(role).get_att("Arn")

    def _policy(self) -> dict[str, Any]:
        return {
            "Version": VERSION,
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": self.master_role_arn},
                    "Action": _requests(),
                    "Resource": join(self._named_arn, "/*"),
                }
            ],
        }

    def _binding(self, access: str, grants: Sequence[Grant], environment: dict[str, Value] | None = None) -> Binding:
        return Binding(
            self.name,
            f"{access} {self}",
            grants,
            {"ENDPOINT": join("https://", self.attribute("DomainEndpoint")), **(environment or {})},
            ports=(_PORT,),
            security_group=self.security_group,
        )

    def _watch(
        self,
        name: str,
        title: str,
        metric: str,
        threshold: float,
        *,
        statistic: str = "Maximum",
        comparison: Literal[">=", "<="] = ">=",
        periods: int = 1,
    ) -> Watch:
        dimensions = {"ClientId": ACCOUNT, "DomainName": self.ref()}
        return Watch(
            name,
            f"{title}, of {self}",
            "AWS/ES",
            metric,
            dimensions,
            statistic,
            threshold,
            comparison,
            _MINUTE,
            periods,
        )


def _requests() -> list[str]:
    return [f"es:ESHttp{method}" for method in _METHODS]
