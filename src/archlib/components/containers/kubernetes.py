"""Kubernetes clusters, managed by EKS."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network

from troposphere import ec2, eks

from archlib.components.containers.container import NO_WAY
from archlib.components.containers.kubernetes_nodes import NodeGroup
from archlib.components.containers.kubernetes_roles import BLOCK_STORAGE, INTERFACES, PULLING, fargate_role, pod_role
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.components.network.security_group import SecurityGroup
from archlib.components.observability.log_group import LogGroup, check_retention
from archlib.core.component import Check, Component
from archlib.core.naming import logical_id, pascal
from archlib.core.stack import Stack
from archlib.core.values import ACCOUNT, PARTITION, Value, arn, join
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import open_ports
from archlib.wiring.roles import Network
from archlib.wiring.watch import Watch

NEEDS_ENDPOINTS = (
    *("autoscaling", "ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth"),
    *("elasticloadbalancing", "logs", "sts"),
)
"""Interface endpoints that nodes and the usual controllers need in a network without internet.

Beside these a way to S3, where the layers of images are (``prefix_lists`` of the VPC), and the endpoints of the APIs
that the pods call.
"""

_OLDEST = 34
_VERSION = re.compile(r"1\.(\d\d)")
_NAME_MAX = 100
_SUBNETS_MIN = 2
_WIDEST = 8
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAMESPACES_MAX = 5
_ROLE = re.compile(r"(arn:aws[a-z-]*:iam::\d{12}:role/)?[\w+=,.@-]+(/[\w+=,.@-]+)*")
_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
_SYSTEM = "kube-system"
_API = 443
# The kubelet, and where webhooks and metrics usually listen; pods may listen elsewhere, but not be called from there.
_CALLED_BACK = (443, 4443, 8443, 9443, 10_250)
_ADMINISTRATION = "AmazonEKSClusterAdminPolicy"


class KubernetesCluster(Component):
    """An EKS cluster whose API is private, whose records are kept, and whose nodes update and repair themselves.

    Creates ``<Name>KubernetesCluster``, ``<Name>KubernetesRole``, ``<Name>KubernetesPolicy`` and
    ``<Name>KubernetesLogGroup``; for each node group ``<Name><Group>Nodes`` and ``<Name><Group>NodesTemplate``, and for
    all of them ``<Name>NodesRole``, ``<Name>NodesPolicy``, ``<Name>NodesSecurityGroup`` with its rules, and
    ``<Name>VpcCniRole`` with ``<Name>VpcCniPolicy``. Add-ons are ``<Name><AddOn>Addon``, administrators
    ``<Name><Admin>Administrator``; with ``fargate`` also ``<Name>FargateProfile``, ``<Name>FargateRole`` and
    ``<Name>FargatePolicy``, with ``volumes`` ``<Name>EbsCsiRole`` and ``<Name>EbsCsiPolicy``.

    The cluster is called ``<app>-<environment>-<name>``: EKS logs to the group of that name, which exists first so that
    it is encrypted and ends. What cannot be changed in place (``key``, the name) needs a second cluster under another
    name. After its standard support, EKS upgrades a version by itself: raise ``version`` before that, one at a time;
    nodes follow.

    Whoever deploys needs ``kms:CreateGrant`` and ``kms:DescribeKey`` on the key: EKS makes its grant in their name, and
    without the condition ``kms:GrantIsForAWSResource``. So the key's policy, which refuses other grants to people, lets
    EKS make them; the control CT.KMS.PR.3 of AWS Control Tower knows no such exception, and reports it.

    Only ``admins`` may use the Kubernetes API at first, and whoever gets an access entry later. The cluster's role lets
    Kubernetes manage nodes; it does not make load balancers by itself: add the AWS Load Balancer Controller for that,
    as a :class:`~archlib.components.containers.kubernetes_workload.Workload` with its rights.

    Pods on nodes share the nodes' security group: what one may reach, all may. Rights and secrets are each workload's
    own; NetworkPolicies, which the nodes enforce, keep pods apart. Pods on Fargate are in a security group that EKS
    makes, which lets everything out, and have no rights in AWS.

    See https://docs.aws.amazon.com/eks/latest/best-practices/security.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        network: the VPC it runs in, with interface endpoints for :data:`NEEDS_ENDPOINTS` unless ``internet`` is on, and
            private subnets in two zones or more.
        admins: name -> IAM role that may do everything in the cluster: its name, with its path, or its ARN; one or
            more, since not even who creates a cluster may use its API.
        version: of Kubernetes, 1.34 or newer, as ``1.35``.
        nodes: name -> :class:`NodeGroup`; one group ``default`` unless ``fargate`` is set.
        fargate: namespaces whose pods run on Fargate, up to 5; with ``kube-system`` a cluster needs no nodes.
        public_cidrs: IPv4 blocks, /8 or smaller, that may also call the API over the internet; without them it answers
            inside the network only.
        volumes: pods may have EBS volumes, which the add-on ``aws-ebs-csi-driver`` makes for them.
        addon_versions: name of an add-on -> its version, such as ``v1.19.0-eksbuild.1``; by default EKS takes the one
            that goes with ``version`` when it is made, and leaves it there. An add-on that is not there yet is added;
            it has no rights in AWS.
        internet: open HTTPS connections from the nodes to the internet, through the network's NAT.
        log_retention_days: days the records of the control plane are kept.
        key: the KMS key of the Kubernetes API's data and of the records; the app's by default.

    Attributes:
        resource: the ``AWS::EKS::Cluster``.
        network: the VPC it runs in.
        cluster_name: its name in AWS.
        security_group: id of the nodes' security group; without nodes that of the cluster.
        node_role: the nodes' :class:`Role`; None without nodes.
        fargate: the namespaces whose pods run on Fargate.

    Raises:
        SettingsError: a setting is outside its range, or settings contradict each other.
    """

    kind = "KubernetesCluster"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        network: Network,
        admins: Mapping[str, Value],
        version: str = "1.35",
        nodes: Mapping[str, NodeGroup] | None = None,
        fargate: Sequence[str] = (),
        public_cidrs: Sequence[str] = (),
        volumes: bool = False,
        addon_versions: Mapping[str, str] | None = None,
        internet: bool = False,
        log_retention_days: int = 365,
        key: Key | None = None,
    ) -> None:
        super().__init__(stack, name)
        if nodes is None:
            nodes = {} if fargate else {"default": NodeGroup()}
        self.cluster_name = f"{stack.app.name}-{stack.app.environment}-{name}"
        self.network, self.fargate = network, tuple(fargate)
        self._versions = dict(addon_versions or {})
        # What pods run on, and the security groups of pods by name, that of nodes first.
        self._hosts: list[str] = []
        self._groups: dict[str, Value] = {}
        with self.checking() as check:
            self._check(check, version, nodes, public_cidrs)
            self._check_ways(check, internet=internet)
            check_retention(check, log_retention_days)
            check.that(admins, "admins", "one or more", None, "name a role of yours: nobody else may enter the cluster")
            for admin, role in admins.items():
                _check_admin(check, admin, role)
            for addon in self._versions:
                check.name(f"addon_versions.{addon}", addon, "add-on")
            check.that(nodes or not volumes, "volumes", "left out without nodes", volumes, "Fargate has no EBS volumes")

        self.resource = self._cluster(version, public_cidrs, key or Key.of(stack), log_retention_days)
        self.node_role = self._nodes(nodes, version) if nodes else None
        if fargate:
            self._profile()
        self._open(internet=internet)
        self._add_services(volumes=volumes)
        for admin, role in admins.items():
            self.admit(admin, role)

    @property
    def arn(self) -> Value:
        """ARN of the cluster."""
        return self.attribute("Arn")

    @property
    def endpoint(self) -> Value:
        """URL of the Kubernetes API."""
        return self.attribute("Endpoint")

    @property
    def cluster_group(self) -> Value:
        """Id of the security group that EKS makes, for the control plane and pods on Fargate."""
        return self.attribute("ClusterSecurityGroupId")

    @property
    def security_group(self) -> Value:
        """Id of the nodes' security group; without nodes that of the cluster."""
        return next(iter(self._groups.values()))

    def admit(self, name: str, role: Value) -> None:
        """Let the IAM role ``role`` do everything in the cluster.

        Creates ``<Name><Admin>Administrator``.

        Args:
            name: kebab-case; who it is.
            role: name of the role in this account, with its path, or its ARN.

        Raises:
            SettingsError: a name or the ARN is malformed.
        """
        with self.checking() as check:
            _check_admin(check, name, role)
        if isinstance(role, str) and not role.startswith("arn:"):
            role = join("arn:", PARTITION, ":iam::", ACCOUNT, ":role/", role)
        policy = join("arn:", PARTITION, f":eks::aws:cluster-access-policy/{_ADMINISTRATION}")
        self.add(
            eks.AccessEntry(
                self.id(f"{pascal(name)}Administrator"),
                AccessPolicies=[eks.AccessPolicy(AccessScope=eks.AccessScope(Type="cluster"), PolicyArn=policy)],
                ClusterName=self.ref(),
                PrincipalArn=role,
                Type="STANDARD",
            )
        )

    def reach(self, binding: Binding) -> None:
        """Open the ports of ``binding`` for all pods on nodes; workloads call this when they are connected.

        The rules are in the cluster's stack, once for all workloads that use the target.
        """
        open_ports(next(iter(self._groups)), self.security_group, binding, stack=self.stack)

    def for_calling(self) -> Binding:
        """Return what a caller needs to reach the Kubernetes API; :meth:`admit` its role too."""
        return Binding(
            self.name,
            f"calling the API of {self}",
            (Grant(("eks:DescribeCluster",), (self.arn,)),),
            {"CLUSTER_NAME": self.cluster_name},
            ports=(_API,),
            security_group=self.cluster_group,
        )

    def watches(self) -> Sequence[Watch]:
        """Return what EKS itself measures: pods without a place, and failures of the API.

        Metrics of nodes and pods need an agent in the cluster.
        """
        dimensions: dict[str, Value] = {"ClusterName": self.cluster_name}
        return (
            Watch(
                "unschedulable", f"Pods of {self} for which no node has room", "AWS/EKS",
                "scheduler_pending_pods_UNSCHEDULABLE", dimensions, "Sum", 1, periods=3,
            ),
            Watch(
                "api-errors", f"Failed requests to the API of {self}", "AWS/EKS", "apiserver_request_total_5XX",
                dimensions, "Sum", 25, periods=2,
            ),
        )  # fmt: skip

    def _check(self, check: Check, version: str, nodes: Mapping[str, NodeGroup], public_cidrs: Sequence[str]) -> None:
        check.that(
            len(self.cluster_name) <= _NAME_MAX,
            "name", f"at most {_NAME_MAX} characters with those of app and environment", self.cluster_name,
        )  # fmt: skip
        found = _VERSION.fullmatch(version)
        check.that(
            found and int(found[1]) >= _OLDEST, "version", f"1.{_OLDEST} or newer, as '1.35'", version,
            "older ones have no standard support",
        )  # fmt: skip
        check.that(
            nodes or _SYSTEM in self.fargate,
            "nodes", f"one group or more, unless fargate has {_SYSTEM!r}", dict(nodes),
        )  # fmt: skip
        for group, settings in nodes.items():
            check.name(f"nodes.{group}", group, "node group")
            settings.check(check, f"nodes.{group}")
        check.between("fargate", len(self.fargate), 0, _NAMESPACES_MAX)
        for namespace in self.fargate:
            check.that(_NAMESPACE.fullmatch(namespace), "fargate", "names of namespaces", namespace)
        for block in public_cidrs:
            check.that(
                _is_narrow(block), "public_cidrs", f"IPv4 blocks of /{_WIDEST} or smaller without host bits", block,
                "name the networks people work in",
            )  # fmt: skip

    def _check_ways(self, check: Check, *, internet: bool) -> None:
        subnets = len(self.network.private_subnets)
        check.that(
            subnets >= _SUBNETS_MIN, "network", "one with private subnets in two zones or more", subnets,
            "give it more",
        )  # fmt: skip
        apis = self.network.for_aws_apis()
        check.that(
            internet or (apis is not None and apis.security_group is not None),
            "network", f"one with endpoints of {', '.join(NEEDS_ENDPOINTS)}", None,
            NO_WAY,
        )  # fmt: skip

    def _cluster(self, version: str, public_cidrs: Sequence[str], key: Key, retention_days: int) -> eks.Cluster:
        part = f"{self.name}-kubernetes"
        key.serve("eks")
        role = Role(self.stack, part, service="eks", description=f"Control plane of {self.cluster_name}")
        for grant in _control_plane(key):
            role.allow(grant, why=f"control plane of {self}")
        records = LogGroup(
            self.stack,
            part,
            retention_days=retention_days,
            physical_name=f"/aws/eks/{self.cluster_name}/cluster",
            key=key,
        )
        access = eks.ResourcesVpcConfig(
            EndpointPrivateAccess=True,
            EndpointPublicAccess=bool(public_cidrs),
            SubnetIds=list(self.network.private_subnets),
        )
        if public_cidrs:
            access.PublicAccessCidrs = list(public_cidrs)
        cluster = eks.Cluster(
            self.id(),
            AccessConfig=eks.AccessConfig(AuthenticationMode="API", BootstrapClusterCreatorAdminPermissions=False),
            # Those that EKS would put in by itself could not be updated by the add-ons.
            BootstrapSelfManagedAddons=False,
            DeletionProtection=self.stack.app.removal == "Retain",
            # The key encrypts all data of the API; EKS ignores the resources, but scanners look for them.
            EncryptionConfig=[eks.EncryptionConfig(Provider=eks.Provider(KeyArn=key.arn), Resources=["secrets"])],
            Logging=eks.Logging(
                ClusterLogging=eks.ClusterLogging(EnabledTypes=[eks.LoggingTypeConfig(Type=kind) for kind in _LOGS])
            ),
            Name=self.cluster_name,
            ResourcesVpcConfig=access,
            RoleArn=role.arn,
            UpgradePolicy=eks.UpgradePolicy(SupportType="STANDARD"),
            Version=version,
        )
        # EKS tries the role at once, and makes the log group itself if there is none.
        cluster.resource["DependsOn"] = [records.id(), role.policy]
        return self.add(cluster)

    def _nodes(self, nodes: Mapping[str, NodeGroup], version: str) -> Role:
        part = f"{self.name}-nodes"
        role = Role(self.stack, part, service="ec2", description=f"Nodes of {self.cluster_name}")
        own = arn("eks", f"cluster/{self.cluster_name}")
        for grant in (
            Grant(("ec2:DescribeInstances", "ec2:DescribeInstanceTypes"), ("*",)),
            Grant(("eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity"), (own,)),
            *PULLING,
        ):
            role.allow(grant, why=f"nodes of {self}")
        self._groups[part] = SecurityGroup(self.stack, part, vpc_id=self.network.vpc_id).group_id
        network = self._service_role("vpc-cni", "aws-node", INTERFACES)
        ready = [
            role.policy,
            network[1].policy,
            self._addon("eks-pod-identity-agent"),
            self._addon("kube-proxy"),
            self._addon("vpc-cni", {"enableNetworkPolicy": "true"}, role=network),
        ]
        for name, settings in nodes.items():
            title = f"{pascal(name)}Nodes"
            template = settings.launch_template(
                self.id(f"{title}Template"),
                security_group=self.security_group,
                tags={**self.stack.app.tags, "Name": f"{self.cluster_name}-{name}"},
            )
            group = settings.render(
                self.id(title),
                cluster_name=self.ref(),
                version=version,
                role=role.arn,
                subnets=self.network.private_subnets,
                template=self.add(template),
            )
            # Nodes are ready, which EKS waits for, only with these rights and add-ons.
            group.resource["DependsOn"] = ready
            self._hosts.append(self.id(title))
            self.add(group)
        return role

    def _profile(self) -> None:
        part = f"{self.name}-fargate"
        self._groups[part] = self.cluster_group
        role = fargate_role(self.stack, part, cluster_name=self.cluster_name)
        profile = eks.FargateProfile(
            self.id("FargateProfile"),
            ClusterName=self.ref(),
            PodExecutionRoleArn=role.arn,
            Selectors=[eks.Selector(Namespace=namespace) for namespace in self.fargate],
            Subnets=list(self.network.private_subnets),
        )
        profile.resource["DependsOn"] = role.policy
        self._hosts.append(self.id("FargateProfile"))
        self.add(profile)

    def _add_services(self, *, volumes: bool) -> None:
        """Add the add-ons that run as pods, which need somewhere to run."""
        self._addon("coredns", {} if self.node_role else {"computeType": "Fargate"}, after=self._hosts)
        if volumes:
            role = self._service_role("ebs-csi", "ebs-csi-controller-sa", BLOCK_STORAGE)
            self._addon("aws-ebs-csi-driver", after=[*self._hosts, role[1].policy], role=role)
        for name in self._versions:
            if self.id(f"{pascal(name)}Addon") not in self.stack.template.resources:
                self._addon(name, after=self._hosts)

    def _addon(
        self,
        name: str,
        configuration: Mapping[str, str] | None = None,
        *,
        after: Sequence[str] = (),
        role: tuple[str, Role] | None = None,
    ) -> str:
        addon = eks.Addon(
            self.id(f"{pascal(name)}Addon"), AddonName=name, ClusterName=self.ref(), ResolveConflicts="OVERWRITE"
        )
        if name in self._versions:
            addon.AddonVersion = self._versions[name]
        if configuration:
            addon.ConfigurationValues = json.dumps(configuration)
        if role is not None:
            account, owner = role
            addon.PodIdentityAssociations = [
                eks.PodIdentityAssociationProperty(RoleArn=owner.arn, ServiceAccount=account)
            ]
        if after:
            addon.resource["DependsOn"] = list(after)
        return str(self.add(addon).title)

    def _service_role(self, addon: str, account: str, grants: Sequence[Grant]) -> tuple[str, Role]:
        role = pod_role(
            self.stack,
            f"{self.name}-{addon}",
            cluster_name=self.cluster_name,
            namespace=_SYSTEM,
            service_account=account,
            description=f"Add-on {addon} of {self.cluster_name}",
        )
        for grant in grants:
            role.allow(grant, why=f"add-on {addon} of {self}")
        return account, role

    def _open(self, *, internet: bool) -> None:
        """Open what Kubernetes itself needs, and the ways to images and AWS APIs."""
        groups = self._groups
        for way in self._ways(internet=internet):
            for name, group in groups.items():
                open_ports(name, group, way, stack=self.stack)
        if self.node_role is not None:
            plane, nodes = f"{self.name}-control-plane", next(iter(groups))
            calls = Binding(plane, "the Kubernetes API", ports=(_API,), security_group=self.cluster_group)
            answers = Binding(nodes, "nodes and webhooks", ports=_CALLED_BACK, security_group=self.security_group)
            open_ports(nodes, self.security_group, calls, stack=self.stack)
            open_ports(plane, self.cluster_group, answers, stack=self.stack)
            # Pods reach each other wherever they are; EKS itself opens the group of those on Fargate to itself.
            for other in groups:
                self._open_wholly(nodes, other)
                if other != nodes:
                    self._open_wholly(other, nodes)

    def _open_wholly(self, source: str, target: str) -> None:
        pair, words = f"{logical_id(source, 'To')}{pascal(target)}", f"Pods of {source} to pods of {target}"
        for protocol in ("tcp", "udp"):
            title = f"{pair}{protocol.capitalize()}"
            way_in = ec2.SecurityGroupIngress(
                f"{title}Ingress", GroupId=self._groups[target], SourceSecurityGroupId=self._groups[source]
            )
            way_out = ec2.SecurityGroupEgress(
                f"{title}Egress", GroupId=self._groups[source], DestinationSecurityGroupId=self._groups[target]
            )
            for rule in (way_in, way_out):
                rule.Description, rule.IpProtocol = f"{words}, {protocol.upper()}", protocol
                rule.FromPort, rule.ToPort = 0, 65_535
                self.add(rule)

    def _ways(self, *, internet: bool) -> list[Binding]:
        apis, images = self.network.for_aws_apis(), self.network.for_gateway("s3")
        found = [] if apis is None else [apis]
        # EC2 refuses the same rule twice, and the way to AWS APIs may have it.
        if apis is None or images.ranges.keys().isdisjoint(apis.ranges):
            found.append(images)
        return [*found, self.network.for_internet()] if internet else found


def _control_plane(key: Key) -> Sequence[Grant]:
    """Return what AWS documents for clusters whose Kubernetes makes no load balancers, and the use of the key."""
    return (
        Grant(
            (
                *("ec2:DescribeAvailabilityZones", "ec2:DescribeDhcpOptions", "ec2:DescribeInstances"),
                *("ec2:DescribeInstanceTopology", "ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs"),
            ),
            ("*",),
        ),
        Grant(
            ("ec2:CreateTags",),
            (arn("ec2", "instance/*"),),
            {"ForAnyValue:StringLike": {"aws:TagKeys": "kubernetes.io/cluster/*"}},
        ),
        Grant(("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ListGrants"), (key.arn,)),
    )


def _check_admin(check: Check, name: str, role: Value) -> None:
    check.name(f"admins.{name}", name, "administrator")
    check.that(
        not isinstance(role, str) or _ROLE.fullmatch(role), f"admins.{name}", "name or ARN of an IAM role", role,
        "people sign in with roles, not as users",
    )  # fmt: skip


def _is_narrow(block: str) -> bool:
    try:
        return IPv4Network(block).prefixlen >= _WIDEST
    except ValueError:
        return False
