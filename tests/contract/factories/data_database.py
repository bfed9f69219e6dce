from archlib import Component, Stack
from archlib.components.data.database import Database
from archlib.components.network.vpc import Vpc

NETWORK = Vpc.lookup(
    vpc_id="vpc-0123456789abcdef0",
    private_subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
    isolated_subnets=["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
)


def postgres(stack: Stack) -> Component:
    return Database(stack, "orders", network=NETWORK)


def postgres_with_replicas(stack: Stack) -> Component:
    return Database(stack, "orders", network=NETWORK, read_replicas=2, parameters={"log_min_duration_statement": "500"})


def serverless_aurora(stack: Stack) -> Component:
    return Database(stack, "orders", network=NETWORK, engine="aurora-postgres")


def provisioned_aurora(stack: Stack) -> Component:
    return Database(
        stack, "orders", network=NETWORK, engine="aurora-postgres", instance_class="db.r7g.large", read_replicas=2
    )


def mysql(stack: Stack) -> Component:
    return Database(stack, "orders", network=NETWORK, engine="mysql", read_replicas=1)


def postgres_behind_proxy(stack: Stack) -> Component:
    return Database(stack, "orders", network=NETWORK, proxy=True)


def aurora_with_everything(stack: Stack) -> Component:
    return Database(
        stack, "orders", network=NETWORK, engine="aurora-postgres", proxy=True, data_api=True, readers_max=4
    )


def aurora_mysql_with_everything(stack: Stack) -> Component:
    return Database(stack, "orders", network=NETWORK, engine="aurora-mysql", proxy=True, data_api=True, readers_max=4)


FACTORIES = (
    postgres,
    postgres_with_replicas,
    serverless_aurora,
    provisioned_aurora,
    mysql,
    postgres_behind_proxy,
    aurora_with_everything,
    aurora_mysql_with_everything,
)
