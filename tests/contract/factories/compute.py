from datetime import timedelta
from pathlib import Path

from archlib import Component, Stack
from archlib.components.compute.agent import Agent
from archlib.components.compute.group import WarmPool
from archlib.components.compute.instances import Instances
from archlib.components.compute.rollout import InPlaceRollout
from archlib.components.compute.user_data import UserData
from archlib.components.messaging.topic import Topic
from archlib.components.network.vpc import Vpc
from archlib.components.observability.alarm import Alarm
from archlib.components.storage.file_system import FileSystem
from archlib.wiring.binding import TargetGroup
from archlib.wiring.scaling import Scaling, ScheduledSize, Step

GROUP = TargetGroup(
    "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/app/0123456789abcdef",
    "targetgroup/app/0123456789abcdef",
    "app/public/0123456789abcdef",
    "AppInstancesPolicy",
    timedelta(seconds=30),
)


def network(stack: Stack) -> Vpc:
    return Vpc(stack, "main", endpoints=[*Instances.needs_endpoints, "logs", "monitoring"])


def instances(stack: Stack) -> Component:
    return Instances(stack, "app", network=network(stack))


def instances_with_everything(stack: Stack) -> Component:
    vpc = network(stack)
    script = UserData(
        text="dnf install -y python3.12\nstart --port {{ port }} --topic {{ topic }}\n", variables={"topic": "t"}
    )
    made = Instances(
        stack,
        "app",
        network=vpc,
        user_data=script,
        code=Path(__file__).parent,
        environment={"STAGE": "test"},
        scaling=Scaling(
            minimum=1,
            maximum=4,
            desired=2,
            memory=60,
            requests=1000,
            steps=[Step("cpu", 2, above=90), Step("latency", 1, above=200), Step("cpu", -1, below=20, minutes=5)],
            schedule={"morning": ScheduledSize("cron(0 8 ? * MON-FRI *)", minimum=2, timezone="Europe/Berlin")},
        ),
        file_systems=[FileSystem(stack, "uploads", network=vpc).mount()],
        agent=Agent(["/var/log/app.log"]),
        warm_pool=WarmPool(),
        max_lifetime_days=30,
        notify=Topic(stack, "alarms"),
    )
    made.join(GROUP)
    return made


def spot_instances(stack: Stack) -> Component:
    return Instances(
        stack,
        "app",
        network=Vpc(stack, "main", endpoints=Instances.needs_endpoints),
        architecture="x86_64",
        types=["m7i.large", "m6i.large"],
        spot=80,
        update="refresh",
        simple_steps=True,
        scaling=Scaling(cpu=None, steps=[Step("cpu", 1, above=75), Step("cpu", -1, below=25)]),
    )


def in_place_rollout(stack: Stack) -> Component:
    made = Instances(stack, "app", network=Vpc(stack, "main", nat="one"), internet=True)
    made.join(GROUP)
    return InPlaceRollout(
        stack,
        "app",
        instances=made,
        alarms=[Alarm(stack, "busy", watch=made.watches()[2], notify=Topic(stack, "alarms"))],
    )


FACTORIES = (in_place_rollout, instances, instances_with_everything, spot_instances)
