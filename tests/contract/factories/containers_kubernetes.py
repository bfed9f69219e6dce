from archlib import Component, Stack
from archlib.components.containers.kubernetes import NEEDS_ENDPOINTS, KubernetesCluster
from archlib.components.containers.kubernetes_nodes import NodeGroup
from archlib.components.containers.kubernetes_workload import Workload
from archlib.components.messaging.queue import Queue
from archlib.components.network.vpc import Vpc

ADMINS = {"operators": "people/Operators"}


def network(stack: Stack) -> Vpc:
    return Vpc(stack, "main", endpoints=NEEDS_ENDPOINTS)


def kubernetes_cluster(stack: Stack) -> Component:
    return KubernetesCluster(stack, "main", network=network(stack), admins=ADMINS)


def kubernetes_cluster_with_everything(stack: Stack) -> Component:
    return KubernetesCluster(
        stack,
        "main",
        network=network(stack),
        version="1.34",
        nodes={
            "general": NodeGroup(),
            "batch": NodeGroup("x86_64", ["m7i.large", "m6i.large"], 0, 20, spot=True, labels={"work": "batch"}),
        },
        fargate=["reports"],
        admins=ADMINS,
        public_cidrs=["198.51.100.0/24"],
        volumes=True,
        addon_versions={"metrics-server": "v0.8.0-eksbuild.2"},
    )


def kubernetes_cluster_without_nodes(stack: Stack) -> Component:
    return KubernetesCluster(stack, "main", network=network(stack), admins=ADMINS, fargate=["kube-system", "default"])


def workload(stack: Stack) -> Component:
    orders = Workload(stack, "orders", cluster=KubernetesCluster(stack, "main", network=network(stack), admins=ADMINS))
    orders.connect(Queue(stack, "emails").for_sending())
    return orders


FACTORIES = (
    kubernetes_cluster,
    kubernetes_cluster_with_everything,
    kubernetes_cluster_without_nodes,
    workload,
)
