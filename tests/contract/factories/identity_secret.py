from archlib import Component, Stack
from archlib.components.identity.secret import Rotation, Secret


def secret(stack: Stack) -> Component:
    return Secret(stack, "token")


def rotated_credentials(stack: Stack) -> Component:
    rotation = Rotation("arn:aws:lambda:us-east-1:123456789012:function:rotate")
    return Secret(stack, "partner", username="shop", rotation=rotation)


FACTORIES = (secret, rotated_credentials)
