"""What runs in a Kubernetes cluster, as AWS sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from troposphere import eks

from archlib.components.containers.kubernetes import KubernetesCluster
from archlib.components.containers.kubernetes_roles import pod_role
from archlib.core.component import Component
from archlib.core.formats import check_variables
from archlib.core.stack import Stack
from archlib.core.values import Deferred, Value, encode, join
from archlib.errors import WiringError
from archlib.wiring.binding import Binding, Grant
from archlib.wiring.connect import connect

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ACCOUNT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class Workload(Component):
    """The rights, addresses and open ports of the pods of one service account of a Kubernetes cluster.

    Creates ``<Name>Workload``, which associates the service account with ``<Name>WorkloadRole`` by EKS Pod Identity,
    and ``<Name>WorkloadPolicy``. Only pods of this service account in this namespace of this cluster can assume the
    role; the AWS SDKs do it by themselves.

    The pods are yours: a Deployment with this service account, applied by the tool of your choice. What it must pass to
    them is in the output ``<Name>Settings`` of the stack, as JSON: ``namespace``, ``serviceAccount`` and
    ``environment``, the variables by name. Secrets are there as ARNs only, to be read with the role.

    See https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html

    Args:
        stack: where the resources go.
        name: kebab-case.
        cluster: the cluster it runs in, on nodes: pods on Fargate get no rights this way.
        namespace: its Kubernetes namespace, which may be made later.
        service_account: its Kubernetes service account, which may be made later; called ``name`` by default.
        environment: plain configuration; secrets are never written here but connected, as ARNs.

    Attributes:
        resource: the ``AWS::EKS::PodIdentityAssociation``.
        role: its :class:`Role`.
        cluster: the cluster it runs in.
        environment: the variables so far.

    Raises:
        SettingsError: a setting is malformed, or the namespace runs on Fargate.
    """

    kind = "Workload"

    def __init__(
        self,
        stack: Stack,
        name: str,
        *,
        cluster: KubernetesCluster,
        namespace: str = "default",
        service_account: str | None = None,
        environment: Mapping[str, Value] | None = None,
    ) -> None:
        super().__init__(stack, name)
        account = name if service_account is None else service_account
        with self.checking() as check:
            check.that(_LABEL.fullmatch(namespace), "namespace", "a name of a-z, 0-9 and -, up to 63", namespace)
            check.that(
                namespace not in cluster.fargate and cluster.node_role is not None,
                "namespace", "one whose pods run on nodes", namespace, "EKS Pod Identity does not work on Fargate",
            )  # fmt: skip
            check.that(
                _ACCOUNT.fullmatch(account), "service_account", "a name of a-z, 0-9, - and ., up to 253", account
            )
            check_variables(check, environment or {})
        self.cluster = cluster
        self.environment: dict[str, Value] = {}
        self.role = pod_role(
            stack,
            f"{name}-workload",
            cluster_name=cluster.cluster_name,
            namespace=namespace,
            service_account=account,
            description=f"Role of workload {name}",
        )
        self.resource = eks.PodIdentityAssociation(
            self.id(),
            ClusterName=cluster.ref(),
            Namespace=namespace,
            RoleArn=self.role.arn,
            ServiceAccount=account,
        )
        self.add(self.resource)
        stack.output(
            f"{name}-settings",
            Deferred(lambda: _settings(namespace, account, self.environment)),
            f"What the pods of {name} must get, as JSON",
        )
        for variable, value in (environment or {}).items():
            self.set_environment(variable, value)

    @property
    def security_group(self) -> Value:
        """Id of the security group of the cluster's nodes, which all pods on them share."""
        return self.cluster.security_group

    def allow(self, grant: Grant, *, why: str) -> None:
        """Add a right to the pods' role."""
        self.role.allow(grant, why=why)

    def set_environment(self, key: str, value: Value) -> None:
        """Add an environment variable; the same one twice is fine, another value for it is not.

        Raises:
            SettingsError: the name is malformed.
            WiringError: the name is taken by another value.
        """
        with self.checking() as check:
            check_variables(check, [key])
        if encode(self.environment.setdefault(key, value)) != encode(value):
            raise WiringError(f"{self}: environment variable {key!r} must have one value, got two; rename a target")

    def set_secret(self, key: str, arn: Value) -> None:
        """Pass the ARN of a secret, which the code resolves at run time."""
        self.set_environment(key, arn)

    def connect(self, *bindings: Binding) -> None:
        """Let the pods use what ``bindings`` describe; see :func:`archlib.wiring.connect.connect`.

        Ports are opened for all pods on the cluster's nodes, by rules in the cluster's stack.
        """
        for binding in bindings:
            self.cluster.reach(binding)
            connect(self, replace(binding, ports=()))


def _settings(namespace: str, account: str, environment: Mapping[str, Value]) -> Value:
    """Return the settings as JSON; values known at deployment only are ids and addresses, which need no escaping."""
    parts: list[Value] = [json.dumps({"namespace": namespace, "serviceAccount": account})[:-1], ', "environment": {']
    for index, (key, value) in enumerate(sorted(environment.items())):
        text = json.dumps(value)[1:-1] if isinstance(value, str) else value
        parts.extend([", " if index else "", f'"{key}": "', text, '"'])
    return join(*parts, "}}")
