from archlib import Component, Stack
from archlib.components.identity.parameter import Parameter


def parameter(stack: Stack) -> Component:
    return Parameter(stack, "theme", value="dark")


def list_parameter(stack: Stack) -> Component:
    return Parameter(stack, "regions", value=["eu-west-1", "sa-east-1"], path="/shop/prod/regions")


FACTORIES = (parameter, list_parameter)
