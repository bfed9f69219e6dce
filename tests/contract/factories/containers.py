from dataclasses import replace
from datetime import timedelta

from troposphere import elasticloadbalancingv2 as elb

from archlib import Component, Stack
from archlib.components.containers.cluster import Cluster
from archlib.components.containers.deployment import Deployment
from archlib.components.containers.discovery import Namespace
from archlib.components.containers.repository import Repository
from archlib.components.containers.service import FargateService
from archlib.components.containers.sidecar import ContainerHealth, Sidecar
from archlib.components.containers.task import Task
from archlib.components.identity.secret import Secret
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.wiring.binding import TargetGroup
from archlib.wiring.mount import FileSystemMount
from archlib.wiring.scaling import Scaling, ScheduledSize, Step

NETWORK = Vpc.lookup(
    vpc_id="vpc-0123456789abcdef0",
    private_subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    endpoints_group="sg-0123456789abcdef0",
    internet=True,
)
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:1.4"
MOUNT = FileSystemMount(
    "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0123456789abcdef0",
    "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0123456789abcdef0",
    security_group="sg-0123456789abcdef1",
)


def target_group(stack: Stack, *, second: bool = False) -> TargetGroup:
    """Return what a load balancer makes for the service ``orders``."""
    balancer = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/public/0123456789abcdef"
    titles = ["OrdersPublicTargetGroup", *(["OrdersPublicAlternateTargetGroup"] if second else [])]
    groups = []
    for title in titles:
        made = elb.TargetGroup(title, Port=8080, Protocol="HTTP", TargetType="ip", VpcId=NETWORK.vpc_id)
        stack.add(made)
        groups.append(
            TargetGroup(
                made.ref(),
                made.get_att("TargetGroupFullName"),
                "app/public/0123456789abcdef",
                "OrdersPublicRule",
                timedelta(seconds=30),
            )
        )
    weights = [elb.TargetGroupTuple(TargetGroupArn=group.arn, Weight=0) for group in groups]
    weights[0].Weight = 1
    stack.add(
        elb.ListenerRule(
            "OrdersPublicRule",
            Actions=[elb.ListenerRuleAction(Type="forward", ForwardConfig=elb.ForwardConfig(TargetGroups=weights))],
            Conditions=[
                elb.Condition(Field="path-pattern", PathPatternConfig=elb.PathPatternConfig(Values=["/orders/*"]))
            ],
            ListenerArn=f"{balancer}/0123456789abcdef",
            Priority=1,
        )
    )
    return replace(groups[0], alternate=groups[1]) if second else groups[0]


def cluster(stack: Stack) -> Component:
    return Cluster(stack, "main")


def cluster_with_instances(stack: Stack) -> Component:
    return Cluster(stack, "main", instances="batch")


def namespace(stack: Stack) -> Component:
    return Namespace(stack, "main")


def repository(stack: Stack) -> Component:
    return Repository(stack, "orders")


def repository_for_functions(stack: Stack) -> Component:
    return Repository(stack, "orders", functions=True)


def service(stack: Stack) -> Component:
    image = Repository(stack, "orders").image("1.4")
    return FargateService(stack, "orders", cluster=Cluster(stack, "main"), network=NETWORK, image=image)


def service_behind_a_load_balancer(stack: Stack) -> Component:
    orders = FargateService(
        stack,
        "orders",
        cluster=Cluster(stack, "main"),
        network=NETWORK,
        image=IMAGE,
        scaling=Scaling(
            maximum=50,
            memory=80,
            requests=500,
            steps=[Step("latency", 2, above=200), Step("errors", 1, above=5), Step("cpu", -1, below=20)],
            schedule={"night": ScheduledSize("cron(0 20 * * ? *)", minimum=1)},
        ),
        spot=50,
    )
    orders.join(target_group(stack))
    return orders


def service_that_moves_requests(stack: Stack) -> Component:
    orders = FargateService(
        stack,
        "orders",
        cluster=Cluster(stack, "main"),
        network=NETWORK,
        image=IMAGE,
        deployment=Deployment("canary", shift_percent=5, notify=Topic(stack, "alarms")),
    )
    orders.join(target_group(stack, second=True))
    return orders


def service_with_everything(stack: Stack) -> Component:
    orders = FargateService(
        stack,
        "orders",
        cluster=Cluster(stack, "main"),
        network=NETWORK,
        image=IMAGE,
        cpu=1024,
        memory_mib=2048,
        environment={"STAGE": "test"},
        writable=["/tmp"],  # noqa: S108  (inside the container)
        storage_gib=50,
        file_systems=[MOUNT],
        health=ContainerHealth("curl -f http://localhost:8080/health || exit 1"),
        sidecars=[Sidecar("cache", IMAGE, essential=True, port=6379, health=ContainerHealth("ping", shell=False))],
        tracing=True,
        scaling=Scaling(minimum=3, maximum=3),
        allow_exec=True,
        internet=True,
    )
    orders.inject(Secret(stack, "github").for_reading(), "GITHUB_TOKEN", json_key="token")
    return orders


def task(stack: Stack) -> Component:
    report = Task(stack, "report", cluster=Cluster(stack, "main"), network=NETWORK, image=IMAGE)
    report.schedule("cron(0 3 * * ? *)")
    return report


FACTORIES = (
    cluster,
    cluster_with_instances,
    namespace,
    repository,
    repository_for_functions,
    service,
    service_behind_a_load_balancer,
    service_that_moves_requests,
    service_with_everything,
    task,
)
