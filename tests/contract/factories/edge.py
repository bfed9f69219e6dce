from archlib import Component, Stack
from archlib.components.edge.certificate import Certificate
from archlib.components.edge.distribution import Distribution
from archlib.components.edge.firewall import Firewall
from archlib.components.edge.health_check import HealthCheck
from archlib.components.edge.origins import Behavior, BucketOrigin, HttpsOrigin
from archlib.components.edge.record import Alias, Failover, Record
from archlib.components.edge.zone import Zone
from archlib.components.network.vpc import Vpc
from archlib.components.storage.bucket import Bucket
from archlib.core.regions import GLOBAL_REGION

ZONE = Zone.lookup(zone_id="Z0123456789ABCDEFGHIJ", domain="example.com")
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/01234567-89ab-cdef-0123-456789abcdef"
BALANCER = Alias("shop-0123456789.us-east-1.elb.amazonaws.com", "Z35SXDOTRQ7X7K")


def certificate(stack: Stack) -> Component:
    return Certificate(stack, "shop", domain="shop.example.com", zone_id=ZONE.zone_id)


def certificate_of_several_names(stack: Stack) -> Component:
    return Certificate(
        stack,
        "shop",
        domain="example.com",
        more_domains=["*.example.com"],
        zone_id=ZONE.zone_id,
        key_algorithm="EC_prime256v1",
    )


def distribution(stack: Stack) -> Component:
    return Distribution(stack, "site", origin=BucketOrigin(Bucket(stack, "files")))


def distribution_with_everything(stack: Stack) -> Component:
    edge = stack.app.stack("edge", region=GLOBAL_REGION)
    return Distribution(
        stack,
        "site",
        origin=BucketOrigin(Bucket(stack, "files"), path="/live"),
        behaviors={"/api/*": Behavior(HttpsOrigin("abcdef1234.execute-api.us-east-1.amazonaws.com", path="/live"))},
        domains=["www.example.com"],
        certificate=CERTIFICATE,
        firewall=Firewall(edge, "shield", scope="cloudfront"),
        error_pages={"404": "/404.html"},
        folders=True,
        denied_countries=["AQ"],
    )


def zone(stack: Stack) -> Component:
    return Zone(stack, "company", domain="example.com")


def private_zone(stack: Stack) -> Component:
    network = Vpc.lookup(vpc_id="vpc-0123456789abcdef0", private_subnets=("subnet-0123456789abcdef0",))
    return Zone(stack, "company", domain="shop.internal", networks=[network])


def record(stack: Stack) -> Component:
    return Record(stack, "shop", zone=ZONE, host="shop.example.com", alias=BALANCER)


def record_with_a_health_check(stack: Stack) -> Component:
    return Record(
        stack,
        "shop-main",
        zone=ZONE,
        host="shop.example.com",
        values=["192.0.2.1"],
        routing=Failover("primary"),
        health_check=HealthCheck(stack, "shop", host="main.example.com"),
    )


def health_check(stack: Stack) -> Component:
    return HealthCheck(stack, "shop", host="shop.example.com", path="/health", contains="ok")


def firewall(stack: Stack) -> Component:
    return Firewall(stack, "shield")


def firewall_with_lists(stack: Stack) -> Component:
    made = Firewall(
        stack,
        "shield",
        sql_injection=True,
        counted={"common": ["SizeRestrictions_BODY"]},
        denied=["203.0.113.0/24", "2001:db8::/32"],
        allowed=["198.51.100.7/32"],
    )
    made.protect(
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/shop/0123456789abcdef", label="shop"
    )
    return made


FACTORIES = (
    certificate,
    certificate_of_several_names,
    distribution,
    distribution_with_everything,
    zone,
    private_zone,
    record,
    record_with_a_health_check,
    health_check,
    firewall,
    firewall_with_lists,
)
