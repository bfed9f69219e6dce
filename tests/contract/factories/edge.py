from archlib import Component, Stack
from archlib.components.edge.firewall import Firewall


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


FACTORIES = (firewall, firewall_with_lists)
