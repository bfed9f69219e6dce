from archlib import Component, Stack
from archlib.components.data.search import Search
from archlib.components.network.vpc import Vpc

NETWORK = Vpc.lookup(
    vpc_id="vpc-0123456789abcdef0",
    private_subnets=["subnet-0123456789abcdef0"],
    isolated_subnets=["subnet-0123456789abcdef1", "subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
)


def search(stack: Stack) -> Component:
    return Search(stack, "catalogue", network=NETWORK)


def small_search(stack: Stack) -> Component:
    return Search(stack, "catalogue", network=NETWORK, zones=1, data_type="t3.small.search", master_nodes=0)


def large_search(stack: Stack) -> Component:
    return Search(
        stack,
        "catalogue",
        network=NETWORK,
        zones=2,
        data_type="r7g.2xlarge.search",
        storage_gib=500,
        iops=6000,
        throughput_mibps=500,
        domain_name="shop-products",
        master_role_arn="arn:aws:iam::123456789012:role/search-administrators",
    )


FACTORIES = (search, small_search, large_search)
