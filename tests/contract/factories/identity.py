from archlib import Component, Stack
from archlib.components.identity.key import Key
from archlib.components.identity.role import Role
from archlib.wiring.binding import Grant


def key(stack: Stack) -> Component:
    made = Key(stack, "archive")
    for service in ("logs", "events", "sns"):
        made.serve(service)
    return made


def role(stack: Stack) -> Component:
    made = Role(stack, "reader", service="lambda")
    made.allow(Grant(("s3:GetObject",), ("arn:aws:s3:::archive/in/*",)), why="reading the archive")
    return made


FACTORIES = (key, role)
