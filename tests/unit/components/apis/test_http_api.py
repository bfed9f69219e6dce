import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.apis.authorizers import CognitoAuthorizer, JwtAuthorizer, LambdaAuthorizer
from archlib.components.apis.cors import Cors
from archlib.components.apis.http_api import HttpApi
from archlib.components.apis.integrations import HttpUrl
from archlib.components.apis.rest_api import RestApi
from archlib.components.apis.settings import Throttle
from archlib.components.apis.vpc_link import PrivateListener, VpcLink
from archlib.components.functions.function import Function
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError

Rendered = Callable[[], dict[str, Any]]
LISTENER = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/shop/0a/0b"
PEOPLE = JwtAuthorizer("people", "https://login.example.com", ["shop"])


@pytest.fixture
def link(stack: Stack) -> VpcLink:
    network: Any = SimpleNamespace(vpc_id="vpc-0a", private_subnets=["subnet-0a", "subnet-0b"])
    return VpcLink(stack, "inside", network=network)


def test_every_request_is_signed_throttled_measured_and_logged(
    stack: Stack, function: Function, rendered: Rendered
) -> None:
    HttpApi(stack, "shop", description="Orders").route("GET /orders/{id}", function)

    made = rendered()
    stage = made["ShopHttpStage"]["Properties"]

    assert made["ShopHttpApi"]["Properties"]["ProtocolType"] == "HTTP"
    assert made["ShopHttpApi"]["Properties"]["Description"] == "Orders"
    assert "CorsConfiguration" not in made["ShopHttpApi"]["Properties"]
    assert made["ShopGetOrdersByIdRoute"]["Properties"] == {
        "ApiId": {"Ref": "ShopHttpApi"},
        "AuthorizationType": "AWS_IAM",
        "RouteKey": "GET /orders/{id}",
        "Target": {"Fn::Sub": "integrations/${ShopGetOrdersByIdIntegration}"},
    }
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    assert stage["DefaultRouteSettings"] == {
        "DetailedMetricsEnabled": True,
        "ThrottlingBurstLimit": 500,
        "ThrottlingRateLimit": 1000,
    }
    assert json.loads(stage["AccessLogSettings"]["Format"])["routeKey"] == "$context.routeKey"
    assert made["ShopHttpAccessLogGroup"]["Properties"]["KmsKeyId"] == {"Ref": "AppKeyArn"}


def test_a_function_gets_the_request_and_may_be_called_for_this_route_only(
    app: App, stack: Stack, function: Function, rendered: Rendered
) -> None:
    HttpApi(stack, "shop").route("GET /orders/{id}", function)

    made = rendered()

    assert made["ShopGetOrdersByIdIntegration"]["Properties"] == {
        "ApiId": {"Ref": "ShopHttpApi"},
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": {"Ref": "OrdersFunctionArn"},
        "PayloadFormatVersion": "2.0",
        "TimeoutInMillis": 29_000,
    }
    permission = made["OrdersFromShopHttpGetOrdersByIdPermission"]["Properties"]
    assert permission["SourceArn"]["Fn::Sub"].endswith("${ShopHttpApi}/$default/GET/orders/*")
    assert "shop-test-main" not in {made.name: made.depends_on for made in app.assemble()}["shop-test-code"]


def test_a_web_address_gets_the_request(stack: Stack, rendered: Rendered) -> None:
    HttpApi(stack, "shop").route("ANY /old/{path+}", HttpUrl("https://old.example.com/{path}"))

    integration = rendered()["ShopAnyOldByPathIntegration"]["Properties"]

    assert (integration["IntegrationType"], integration["IntegrationMethod"]) == ("HTTP_PROXY", "ANY")
    assert integration["IntegrationUri"] == "https://old.example.com/{path}"
    assert integration["PayloadFormatVersion"] == "1.0"


@pytest.mark.parametrize(
    ("stage_name", "parameters"), [("$default", None), ("v1", {"overwrite:path": "$request.path"})]
)
def test_a_listener_in_the_network_gets_the_request_without_the_stages_name(
    stack: Stack, link: VpcLink, rendered: Rendered, stage_name: str, parameters: Any
) -> None:
    api = HttpApi(stack, "shop", stage_name=stage_name)
    api.route("ANY /{path+}", PrivateListener(link, LISTENER, server_name="inner.example.com"))

    integration = rendered()["ShopAnyByPathIntegration"]["Properties"]

    assert (integration["ConnectionType"], integration["ConnectionId"]) == ("VPC_LINK", {"Ref": "InsideVpcLink"})
    assert integration["IntegrationUri"] == LISTENER
    assert integration["TlsConfig"] == {"ServerNameToVerify": "inner.example.com"}
    assert integration.get("RequestParameters") == parameters


def test_a_route_is_public_only_when_asked_for(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = HttpApi(stack, "shop", authorizer=PEOPLE)
    api.route("GET /version", function, authorizer="none")
    api.route("GET /orders", function, scopes=["email"])

    made = rendered()

    assert made["ShopGetVersionRoute"]["Properties"]["AuthorizationType"] == "NONE"
    assert made["ShopGetOrdersRoute"]["Properties"]["AuthorizationScopes"] == ["email"]
    assert made["ShopGetOrdersRoute"]["Properties"]["AuthorizerId"] == {"Ref": "ShopPeopleHttpAuthorizer"}


def test_pages_of_named_origins_may_call(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = HttpApi(stack, "shop", cors=Cors(["https://shop.example.com"], max_age=timedelta(minutes=5)))
    api.route("POST /orders", function)
    api.route("GET /orders", function)

    assert rendered()["ShopHttpApi"]["Properties"]["CorsConfiguration"] == {
        "AllowCredentials": False,
        "AllowHeaders": ["Authorization", "Content-Type", "X-Api-Key"],
        "AllowMethods": ["GET", "OPTIONS", "POST"],
        "AllowOrigins": ["https://shop.example.com"],
        "MaxAge": 300,
    }
    api.route("ANY /files", function)
    assert "DELETE" in rendered()["ShopHttpApi"]["Properties"]["CorsConfiguration"]["AllowMethods"]


def test_a_route_has_its_own_limits(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = HttpApi(stack, "shop")
    for route in ("GET /orders", "POST /orders"):
        api.route(route, function, throttle=Throttle(5, 2))

    stage = rendered()["ShopHttpStage"]

    assert stage["Properties"]["RouteSettings"].keys() == {"GET /orders", "POST /orders"}
    assert stage["Properties"]["RouteSettings"]["GET /orders"]["ThrottlingRateLimit"] == 5
    assert stage["DependsOn"] == ["ShopGetOrdersRoute", "ShopPostOrdersRoute"]


@pytest.mark.parametrize(
    ("stage_name", "url"),
    [
        ("$default", {"Fn::GetAtt": ["ShopHttpApi", "ApiEndpoint"]}),
        ("v1", {"Fn::Sub": "${ShopHttpApi.ApiEndpoint}/v1"}),
    ],
)
def test_callers_may_send_signed_requests(stack: Stack, function: Function, stage_name: str, url: Any) -> None:
    api = HttpApi(stack, "shop", stage_name=stage_name)
    api.route("GET /orders", function)
    binding = api.for_invoking("GET /orders")

    assert encode(binding.environment) == {"API_URL": url}
    assert encode(binding.grants[0].resources)[0]["Fn::Sub"].endswith(f"${{ShopHttpApi}}/{stage_name}/GET/orders")
    with pytest.raises(WiringError, match="routes must be among GET /orders"):
        api.for_invoking("GET /other")


def test_failures_refusals_and_latency_are_watched(stack: Stack) -> None:
    watches = HttpApi(stack, "shop").watches()

    assert [watch.metric for watch in watches] == ["5xx", "4xx", "Latency"]
    assert encode(watches[0].dimensions) == {"ApiId": {"Ref": "ShopHttpApi"}, "Stage": "$default"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"authorizer": CognitoAuthorizer("a", ["b"])}, "authorizer must be 'iam', 'none' or JwtAuthorizer"),
        ({"stage_name": "v/1"}, r"stage_name must be \$default, or letters, digits, - and _, got 'v/1'"),
        ({"stage_name": ""}, "stage_name must be"),
        ({"throttle": Throttle(burst=0)}, "throttle.burst must be 1 to"),
        ({"cors": Cors(["*"])}, "cors.origins must be named origins"),
    ],
)
def test_refuses_settings_that_cannot_work(stack: Stack, settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        HttpApi(stack, "shop", **settings)


def test_refuses_routes_that_cannot_work(stack: Stack, function: Function, link: VpcLink) -> None:
    api = HttpApi(stack, "shop")
    api.route("GET /orders", function)

    with pytest.raises(SettingsError, match="'GET /orders' must be unique"):
        api.route("GET /orders", function)
    with pytest.raises(SettingsError, match="authorizer must be 'iam', 'none' or JwtAuthorizer"):
        api.route("GET /e", function, authorizer="nobody")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="scopes must be empty without a JWT authorizer"):
        api.route("GET /a", function, scopes=["email"])
    with pytest.raises(SettingsError, match=r"authorizer.token must be false"):
        api.route("GET /b", function, authorizer=LambdaAuthorizer("gate", function, token=True))
    with pytest.raises(SettingsError, match=r"throttle.rate must be more than 0"):
        api.route("GET /c", function, throttle=Throttle(rate=0))
    with pytest.raises(SettingsError, match=r"target.timeout must be 0.05s to 29s"):
        api.route("GET /d", PrivateListener(link, LISTENER, timeout=timedelta(minutes=1)))


def test_a_rest_api_may_have_the_same_name(stack: Stack, function: Function, rendered: Rendered) -> None:
    gate = LambdaAuthorizer("gate", function)
    rest, http = RestApi(stack, "shop", authorizer=gate), HttpApi(stack, "shop", authorizer=gate)
    rest.route("GET /orders", function)
    http.route("GET /orders", function)

    made = rendered()
    assert {"ShopStage", "ShopHttpStage", "ShopAccessLogGroup", "ShopHttpAccessLogGroup"} <= made.keys()
    for permission, api in (
        ("OrdersFromShopGetOrdersPermission", "${ShopRestApi}/live/GET/orders"),
        ("OrdersFromShopHttpGetOrdersPermission", "${ShopHttpApi}/$default/GET/orders"),
        ("OrdersFromShopGateAuthorizerPermission", "${ShopRestApi}/authorizers/${ShopGateAuthorizer}"),
        ("OrdersFromShopGateHttpAuthorizerPermission", "${ShopHttpApi}/authorizers/${ShopGateHttpAuthorizer}"),
    ):
        assert made[permission]["Properties"]["SourceArn"]["Fn::Sub"].endswith(api)
