from collections.abc import Callable
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.apis.rest_api import RestApi
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]


def deployments(made: dict[str, Any]) -> list[str]:
    return [name for name, node in made.items() if node["Type"] == "AWS::ApiGateway::Deployment"]


def deployment_of(change: Callable[[RestApi, Function], object], function: Function, stack: Stack) -> tuple[str, Any]:
    api = RestApi(stack, "shop")
    api.route("GET /orders", function)
    change(api, function)
    made = next(one for one in stack.app.assemble() if one.name == stack.physical_name)
    (name,) = deployments(made.template["Resources"])
    assert made.template["Resources"]["ShopStage"]["Properties"]["DeploymentId"] == {"Ref": name}
    assert made.origins[name].file == __file__
    return name, made.template["Resources"][name]


def twins() -> tuple[Stack, Function, Stack, Function]:
    pairs: list[Any] = []
    for tags in ({}, {"team": "orders"}):
        app = App("shop", "test", tags=tags)
        code = Code(inline="def handler(event, context):\n    return event\n")
        pairs += [Stack(app, "main"), Function(Stack(app, "code"), "orders", code=code)]
    return tuple(pairs)


CHANGES: list[Callable[[RestApi, Function], object]] = [
    lambda api, function: api.route("POST /orders", function),
    lambda api, _: setattr(api.resource, "Policy", {"Version": "2012-10-17", "Statement": []}),
    lambda api, _: setattr(api.stack.template.resources["ShopGetOrdersMethod"], "ApiKeyRequired", True),
    lambda api, _: api.stack.app.override("ShopGetOrdersMethod", "Properties.OperationName", "list"),
]


@pytest.mark.parametrize("change", CHANGES, ids=["route", "api", "method", "override"])
def test_a_change_of_the_api_makes_a_new_deployment(change: Callable[[RestApi, Function], object]) -> None:
    stack, function, other_stack, other_function = twins()

    before, _ = deployment_of(lambda *_: None, function, stack)
    after, node = deployment_of(change, other_function, other_stack)

    assert before != after
    assert before.startswith("ShopDeployment")
    assert node["UpdateReplacePolicy"] == node["DeletionPolicy"] == "Retain"


def test_what_the_api_does_not_consist_of_keeps_the_deployment() -> None:
    stack, function, other_stack, other_function = twins()

    def throttle(api: RestApi, _: Function) -> None:
        api.stage_resource.MethodSettings[0].ThrottlingRateLimit = 5

    before, node = deployment_of(lambda *_: None, function, stack)
    after, _ = deployment_of(throttle, other_function, other_stack)

    assert before == after
    assert node["DependsOn"] == "ShopGetOrdersMethod"


def test_a_waiver_and_an_override_name_the_deployment_without_its_tail(
    app: App, stack: Stack, function: Function, rendered: Rendered
) -> None:
    RestApi(stack, "shop").route("GET /orders", function)
    app.waive("ShopDeployment", "W9999", reason="for the test of waivers")
    app.override("ShopDeployment", "Properties.Description", "mine")

    made = rendered()
    (name,) = deployments(made)

    assert made[name]["Properties"]["Description"] == "mine"
    assert [waiver.resource for one in app.assemble() for waiver in one.waivers] == [name]


def test_an_api_without_a_route_cannot_be_deployed(app: App, stack: Stack) -> None:
    RestApi(stack, "shop")

    with pytest.raises(SettingsError, match="rest api 'shop' must have at least one route, got none; call route"):
        app.assemble()
