import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from archlib import Stack
from archlib.components.apis.authorizers import LambdaAuthorizer
from archlib.components.apis.cors import Cors
from archlib.components.apis.integrations import Mock
from archlib.components.apis.rest_api import RestApi
from archlib.components.apis.settings import Cache, UsagePlan
from archlib.components.functions.function import Function

Rendered = Callable[[], dict[str, Any]]


def test_paths_share_their_resources(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = RestApi(stack, "shop")
    for route in ("GET /", "GET /orders", "POST /orders", "GET /orders/{id}"):
        api.route(route, function)

    made = rendered()

    assert [name for name in made if name.endswith("Resource")] == ["ShopOrdersResource", "ShopOrdersByIdResource"]
    assert made["ShopOrdersByIdResource"]["Properties"] == {
        "ParentId": {"Ref": "ShopOrdersResource"},
        "PathPart": "{id}",
        "RestApiId": {"Ref": "ShopRestApi"},
    }
    assert made["ShopOrdersResource"]["Properties"]["ParentId"] == {"Fn::GetAtt": ["ShopRestApi", "RootResourceId"]}
    assert made["ShopGetRootMethod"]["Properties"]["ResourceId"] == {"Fn::GetAtt": ["ShopRestApi", "RootResourceId"]}
    assert made["ShopPostOrdersMethod"]["Properties"]["ResourceId"] == {"Ref": "ShopOrdersResource"}


def test_paths_that_read_alike_lead_to_one_function(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = RestApi(stack, "shop", cors=Cors(["https://shop.example.com"]))
    for route in ("GET /a-b", "POST /a_b", "POST /a/b"):
        api.route(route, function)

    made = rendered()
    parts = {name: made[name]["Properties"]["PathPart"] for name in ("ShopABResource", "ShopAB2Resource")}
    assert parts == {"ShopABResource": "a-b", "ShopAB2Resource": "a_b"}
    assert made["ShopAB3Resource"]["Properties"]["ParentId"] == {"Ref": "ShopAResource"}
    for method, path in (
        ("ShopGetABMethod", "ShopABResource"),
        ("ShopPostAB2Method", "ShopAB2Resource"),
        ("ShopPostAB3Method", "ShopAB3Resource"),
        ("ShopOptionsAB2Method", "ShopAB2Resource"),
    ):
        assert made[method]["Properties"]["ResourceId"] == {"Ref": path}
    assert made["OrdersFromShopPostAB2Permission"]["Properties"]["SourceArn"]["Fn::Sub"].endswith("/POST/a_b")


def test_a_body_and_parameters_are_checked_before_the_back_end(
    stack: Stack, function: Function, rendered: Rendered
) -> None:
    schema = {"type": "object", "required": ["id"]}
    api = RestApi(stack, "shop")
    api.route("PUT /orders/{id}", function, body=schema, query=("dry", "note?"), headers=("X-Tenant",))

    made = rendered()
    method = made["ShopPutOrdersByIdMethod"]["Properties"]

    assert method["RequestModels"] == {"$default": {"Ref": "ShopPutOrdersByIdModel"}}
    assert json.loads(made["ShopPutOrdersByIdModel"]["Properties"]["Schema"]) == schema
    assert method["RequestParameters"] == {
        "method.request.path.id": True,
        "method.request.querystring.dry": True,
        "method.request.querystring.note": False,
        "method.request.header.X-Tenant": True,
    }


def test_a_route_is_public_only_when_asked_for(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = RestApi(stack, "shop")
    api.route("GET /version", Mock(), authorizer="none")
    api.route("GET /orders", function)

    made = rendered()

    assert made["ShopGetVersionMethod"]["Properties"]["AuthorizationType"] == "NONE"
    assert "Metadata" not in made["ShopGetVersionMethod"]
    assert made["ShopGetOrdersMethod"]["Properties"]["AuthorizationType"] == "AWS_IAM"


def test_cors_answers_preflight_requests_of_every_path(stack: Stack, function: Function, rendered: Rendered) -> None:
    cors = Cors(["https://shop.example.com"], credentials=True, max_age=timedelta(minutes=5))
    api = RestApi(stack, "shop", cors=cors, usage_plan=UsagePlan(keys=("web",)))
    for route in ("GET /orders", "POST /orders", "ANY /files/{path+}"):
        api.route(route, function)

    made = rendered()
    preflight = made["ShopOptionsOrdersMethod"]
    (answer,) = preflight["Properties"]["Integration"]["IntegrationResponses"]
    headers = answer["ResponseParameters"]

    assert preflight["Metadata"]["checkov"]["skip"][0]["id"] == "CKV_AWS_59"
    assert preflight["Properties"]["AuthorizationType"] == "NONE"
    assert "ApiKeyRequired" not in preflight["Properties"]
    assert headers["method.response.header.Access-Control-Allow-Methods"] == "'GET,OPTIONS,POST'"
    assert headers["method.response.header.Access-Control-Allow-Credentials"] == "'true'"
    assert headers["method.response.header.Access-Control-Max-Age"] == "'300'"
    assert preflight["Properties"]["MethodResponses"][0]["ResponseParameters"].keys() == headers.keys()
    assert '"https://shop.example.com"' in answer["ResponseTemplates"]["application/json"]
    files = made["ShopOptionsFilesByPathMethod"]["Properties"]["Integration"]["IntegrationResponses"][0]
    assert "DELETE" in files["ResponseParameters"]["method.response.header.Access-Control-Allow-Methods"]


def test_answers_are_cached_apart_for_every_caller(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = RestApi(stack, "shop", cache=Cache(1.6, timedelta(minutes=2)))
    api.route("GET /orders/{id}", function, query=("page?",))
    api.route("GET /mine", function, cache=timedelta(seconds=30), authorizer=LambdaAuthorizer("gate", function, ("X",)))
    api.route("GET /news", function, authorizer="none")
    api.route("GET /now", function, cache=timedelta(0))
    api.route("POST /orders", function)

    made = rendered()
    stage = made["ShopStage"]["Properties"]

    def keys(method: str) -> Any:
        return made[method]["Properties"]["Integration"].get("CacheKeyParameters")

    assert (stage["CacheClusterEnabled"], stage["CacheClusterSize"]) == (True, "1.6")
    assert [
        (each["ResourcePath"], each["HttpMethod"], each["CachingEnabled"], each["CacheTtlInSeconds"])
        for each in stage["MethodSettings"]
    ] == [("/*", "*", True, 120), ("/~1mine", "GET", True, 30), ("/~1now", "GET", False, 0)]
    assert all(each["CacheDataEncrypted"] for each in stage["MethodSettings"])
    assert keys("ShopGetOrdersByIdMethod") == [
        "method.request.header.Authorization",
        "method.request.path.id",
        "method.request.querystring.page",
    ]
    assert keys("ShopGetMineMethod") == ["method.request.header.X"]
    assert keys("ShopGetNewsMethod") == []
    assert keys("ShopGetNowMethod") is keys("ShopPostOrdersMethod") is None
    assert "no-response-cache" not in json.dumps(made["ShopStage"]["Metadata"])
