from archlib import Component, Stack
from archlib.components.data.capacity import Provisioned
from archlib.components.data.indexes import Attribute, GlobalIndex, LocalIndex
from archlib.components.data.table import Replica, Table
from archlib.core.values import ACCOUNT, PARTITION, join

CAPACITY = Provisioned(read_min=5, read_max=50, write_min=5, write_max=20)
GLOBAL_INDEXES = (
    GlobalIndex("by-state", "state", Attribute("total", "N"), projection=("customer",)),
    GlobalIndex("by-day", "day", projection="KEYS_ONLY"),
)


def table(stack: Stack) -> Component:
    return Table(stack, "orders", partition_key="customer", sort_key="placed-at")


def provisioned_table(stack: Stack) -> Component:
    return Table(
        stack,
        "orders",
        partition_key="customer",
        sort_key=Attribute("placed-at", "N"),
        global_indexes=GLOBAL_INDEXES,
        local_indexes=[LocalIndex("by-total", Attribute("total", "N"))],
        capacity=CAPACITY,
        expires_by="gone-at",
        stream="KEYS_ONLY",
        insights=True,
    )


def global_table(stack: Stack) -> Component:
    key_arn = join("arn:", PARTITION, ":kms:eu-central-1:", ACCOUNT, ":key/mrk-1")
    return Table(
        stack,
        "orders",
        partition_key="customer",
        sort_key="placed-at",
        global_indexes=GLOBAL_INDEXES,
        local_indexes=[LocalIndex("by-total", Attribute("total", "N"))],
        capacity=CAPACITY,
        replicas=[Replica("eu-central-1", key_arn)],
        insights=True,
    )


FACTORIES = (table, provisioned_table, global_table)
