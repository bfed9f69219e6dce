from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from archlib import Component, Stack
from archlib.components.apis.authorizers import CognitoAuthorizer, JwtAuthorizer, LambdaAuthorizer
from archlib.components.apis.cors import Cors
from archlib.components.apis.http_api import HttpApi
from archlib.components.apis.integrations import HttpUrl, Mock, send_message
from archlib.components.apis.logging_role import ApiLogging
from archlib.components.apis.rest_api import RestApi
from archlib.components.apis.settings import Cache, Throttle, UsagePlan
from archlib.components.apis.vpc_link import PrivateListener, VpcLink
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.identity.user_pool import UserPool
from archlib.components.messaging.queue import Queue

NETWORK: Any = SimpleNamespace(
    vpc_id="vpc-0123456789abcdef0", private_subnets=["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
)
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/shop/0123456789abcdef/0123456789abcdef"


def worker(stack: Stack, name: str = "shop-worker") -> Function:
    return Function(stack, name, code=Code(inline="def handler(event, context):\n    return event\n"))


def rest_api(stack: Stack) -> Component:
    api = RestApi(stack, "shop")
    api.route("GET /orders/{id}", worker(stack))
    return api


def rest_api_with_everything(stack: Stack) -> Component:
    function = worker(stack)
    api = RestApi(
        stack,
        "shop",
        authorizer=CognitoAuthorizer("people", [UserPool(stack, "shop-people").arn]),
        cache=Cache(),
        cors=Cors(["https://shop.example.com"]),
        usage_plan=UsagePlan(keys=("mobile",), quota=100_000),
    )
    api.route("GET /orders/{id}", function, query=("page?",), cache=timedelta(minutes=1))
    api.route("POST /orders", function, authorizer="iam", body={"type": "object"}, throttle=Throttle(10, 5))
    api.route("DELETE /orders", function, authorizer=LambdaAuthorizer("gate", worker(stack, "shop-gate")))
    api.route("POST /mails", send_message(Queue(stack, "shop-mails")))
    api.route("GET /version", Mock('{"version": 1}'))
    api.route("ANY /old/{path+}", HttpUrl("https://old.example.com/{path}"))
    return api


def private_rest_api(stack: Stack) -> Component:
    api = RestApi(stack, "shop", endpoint="private", vpc_endpoints=["vpce-0123456789abcdef0"])
    api.route("GET /", worker(stack))
    return api


def http_api(stack: Stack) -> Component:
    api = HttpApi(stack, "shop")
    api.route("GET /orders/{id}", worker(stack))
    return api


def http_api_with_everything(stack: Stack) -> Component:
    function, pool = worker(stack), UserPool(stack, "shop-people")
    api = HttpApi(
        stack,
        "shop",
        authorizer=JwtAuthorizer("people", pool.issuer, [pool.client("web").client_id]),
        cors=Cors(["https://shop.example.com"]),
        stage_name="v1",
    )
    api.route("GET /orders/{id}", function, scopes=["email"], throttle=Throttle(10, 5))
    api.route("POST /orders", function, authorizer=LambdaAuthorizer("gate", worker(stack, "shop-gate")))
    api.route("ANY /old/{path+}", HttpUrl("https://old.example.com/{path}"))
    link = VpcLink(stack, "shop-inside", network=NETWORK)
    api.route("ANY /inner/{path+}", PrivateListener(link, LISTENER, server_name="inner.example.com"))
    return api


def vpc_link(stack: Stack) -> Component:
    return VpcLink(stack, "inside", network=NETWORK)


def api_logging(stack: Stack) -> Component:
    return ApiLogging(stack, "api-logging")


FACTORIES = (
    rest_api,
    rest_api_with_everything,
    private_rest_api,
    http_api,
    http_api_with_everything,
    vpc_link,
    api_logging,
)
