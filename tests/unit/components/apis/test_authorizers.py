from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import Stack
from archlib.components.apis.authorizers import CognitoAuthorizer, JwtAuthorizer, LambdaAuthorizer
from archlib.components.apis.http_api import HttpApi
from archlib.components.apis.rest_api import RestApi
from archlib.components.functions.function import Function
from archlib.components.messaging.queue import Queue
from archlib.errors import SettingsError

Rendered = Callable[[], dict[str, Any]]
POOL = "arn:aws:cognito-idp:eu-west-1:111122223333:userpool/eu-west-1_AbCdEfGhI"


def test_a_user_pool_lets_its_users_call_a_rest_api(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = RestApi(stack, "shop", authorizer=CognitoAuthorizer("people", [POOL]))
    api.route("GET /orders", function, scopes=["shop/read"])

    made = rendered()
    method = made["ShopGetOrdersMethod"]["Properties"]

    assert made["ShopPeopleAuthorizer"]["Properties"] == {
        "AuthorizerResultTtlInSeconds": 300,
        "IdentitySource": "method.request.header.Authorization",
        "Name": "people",
        "ProviderARNs": [POOL],
        "RestApiId": {"Ref": "ShopRestApi"},
        "Type": "COGNITO_USER_POOLS",
    }
    assert (method["AuthorizationType"], method["AuthorizerId"]) == (
        "COGNITO_USER_POOLS",
        {"Ref": "ShopPeopleAuthorizer"},
    )
    assert method["AuthorizationScopes"] == ["shop/read"]
    assert "Metadata" not in made["ShopGetOrdersMethod"]


@pytest.mark.parametrize(
    ("token", "query", "kind_and_source"),
    [
        (False, ("tenant",), ("REQUEST", "method.request.header.X-Token,method.request.querystring.tenant")),
        (True, (), ("TOKEN", "method.request.header.X-Token")),
    ],
)
def test_a_function_decides_for_a_rest_api(
    stack: Stack, function: Function, rendered: Rendered, *, token: bool, query: Any, kind_and_source: Any
) -> None:
    gate = LambdaAuthorizer(
        "gate", function, headers=("X-Token",), query=query, token=token, cache=timedelta(minutes=1)
    )
    RestApi(stack, "shop", authorizer=gate).route("GET /orders", function)

    made = rendered()
    authorizer = made["ShopGateAuthorizer"]["Properties"]

    assert (authorizer["Type"], authorizer["IdentitySource"]) == kind_and_source
    assert authorizer["AuthorizerResultTtlInSeconds"] == 60
    assert made["ShopGetOrdersMethod"]["Properties"]["AuthorizationType"] == "CUSTOM"
    permission = made["OrdersFromShopGateAuthorizerPermission"]["Properties"]
    assert permission["SourceArn"]["Fn::Sub"].endswith("${ShopRestApi}/authorizers/${ShopGateAuthorizer}")


def test_a_function_decides_for_an_http_api(stack: Stack, function: Function, rendered: Rendered) -> None:
    gate = LambdaAuthorizer("gate", function, query=("tenant",))
    HttpApi(stack, "shop", authorizer=gate).route("GET /orders", function)

    authorizer = rendered()["ShopGateHttpAuthorizer"]["Properties"]

    assert authorizer["IdentitySource"] == ["$request.header.Authorization", "$request.querystring.tenant"]
    assert (authorizer["AuthorizerType"], authorizer["EnableSimpleResponses"]) == ("REQUEST", True)


def test_tokens_of_an_issuer_open_an_http_api(stack: Stack, function: Function, rendered: Rendered) -> None:
    people = JwtAuthorizer("people", "https://login.example.com", ["shop"])
    HttpApi(stack, "shop", authorizer=people).route("GET /orders", function)

    made = rendered()

    assert made["ShopPeopleHttpAuthorizer"]["Properties"]["JwtConfiguration"] == {
        "Audience": ["shop"],
        "Issuer": "https://login.example.com",
    }
    assert made["ShopGetOrdersRoute"]["Properties"]["AuthorizationType"] == "JWT"


def test_an_authorizer_is_made_once_for_all_routes(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = RestApi(stack, "shop")
    for route in ("GET /orders", "POST /orders"):
        api.route(route, function, authorizer=LambdaAuthorizer("gate", function))

    assert [name for name in rendered() if name.endswith("Authorizer")] == ["ShopGateAuthorizer"]


def test_two_authorizers_cannot_have_one_name(stack: Stack, function: Function) -> None:
    api = RestApi(stack, "shop", authorizer=CognitoAuthorizer("gate", [POOL]))
    api.route("GET /orders", function)

    with pytest.raises(SettingsError, match="authorizer 'gate' must be one, got two that differ"):
        api.route("POST /orders", function, authorizer=LambdaAuthorizer("gate", function))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cache": timedelta(hours=2)}, "authorizer.cache must be 0s to 1h, got 2h"),
        ({"headers": ()}, "authorizer.headers must be at least one header or query parameter"),
        ({"token": True, "headers": ("A", "B")}, "authorizer.headers must be exactly one with token on"),
    ],
)
def test_refuses_an_authorizer_that_cannot_work(
    stack: Stack, function: Function, changes: dict[str, Any], expected: str
) -> None:
    api = RestApi(stack, "shop", authorizer=LambdaAuthorizer("gate", function, **changes))

    with pytest.raises(SettingsError, match=expected):
        api.route("GET /orders", function)


def test_only_a_function_can_decide(stack: Stack, function: Function) -> None:
    queue: Any = Queue(stack, "jobs")
    api = RestApi(stack, "shop", authorizer=LambdaAuthorizer("gate", queue))

    with pytest.raises(SettingsError, match=r"authorizer.function must be a Lambda function, got 'AWS::SQS::Queue'"):
        api.route("GET /orders", function)


@pytest.mark.parametrize(
    ("authorizer", "expected"),
    [
        (JwtAuthorizer("people", "http://login.example.com", ["shop"]), "authorizer.issuer must be an https"),
        (JwtAuthorizer("people", "https://login.example.com", []), "authorizer.audience must be at least one"),
    ],
)
def test_refuses_tokens_of_anybody(stack: Stack, function: Function, authorizer: JwtAuthorizer, expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        HttpApi(stack, "shop", authorizer=authorizer).route("GET /orders", function)


def test_refuses_no_user_pool(stack: Stack, function: Function) -> None:
    with pytest.raises(SettingsError, match=r"authorizer.user_pools must be at least one ARN"):
        RestApi(stack, "shop", authorizer=CognitoAuthorizer("people", [])).route("GET /orders", function)
