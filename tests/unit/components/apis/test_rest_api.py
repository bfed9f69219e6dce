import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import Stack
from archlib.components.apis.authorizers import JwtAuthorizer
from archlib.components.apis.cors import Cors
from archlib.components.apis.rest_api import RestApi
from archlib.components.apis.settings import Cache, Canary, Throttle, UsagePlan
from archlib.components.functions.function import Function
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError

Rendered = Callable[[], dict[str, Any]]
EVERYTHING = {"ResourcePath": "/*", "HttpMethod": "*"}


def test_every_request_is_signed_validated_throttled_and_logged(
    stack: Stack, function: Function, rendered: Rendered
) -> None:
    RestApi(stack, "shop").route("GET /orders", function)

    made = rendered()
    stage = made["ShopStage"]["Properties"]
    method = made["ShopGetOrdersMethod"]["Properties"]

    assert (method["AuthorizationType"], method["ApiKeyRequired"]) == ("AWS_IAM", False)
    assert method["RequestValidatorId"] == {"Ref": "ShopRequestValidator"}
    assert made["ShopRequestValidator"]["Properties"]["ValidateRequestBody"] is True
    assert made["ShopRequestValidator"]["Properties"]["ValidateRequestParameters"] is True
    assert stage["TracingEnabled"] is True
    assert stage["MethodSettings"] == [
        EVERYTHING
        | {
            "DataTraceEnabled": False,
            "LoggingLevel": "ERROR",
            "MetricsEnabled": True,
            "ThrottlingBurstLimit": 500,
            "ThrottlingRateLimit": 1000,
        }
    ]
    assert json.loads(stage["AccessLogSetting"]["Format"])["requestId"] == "$context.requestId"
    assert stage["AccessLogSetting"]["DestinationArn"] == {"Fn::GetAtt": ["ShopAccessLogGroup", "Arn"]}
    assert made["ShopExecutionLogGroup"]["Properties"]["LogGroupName"] == {
        "Fn::Sub": "API-Gateway-Execution-Logs_${ShopRestApi}/live"
    }
    assert made["ShopExecutionLogGroup"]["Properties"]["KmsKeyId"] == {"Ref": "AppKeyArn"}
    assert made["ShopUsagePlan"]["Properties"]["ApiStages"] == [
        {"ApiId": {"Ref": "ShopRestApi"}, "Stage": {"Ref": "ShopStage"}}
    ]


@pytest.mark.parametrize(
    ("origins", "found"),
    [(["https://a.example.com"], True), (["https://a.example.com", "https://b.example.com"], False)],
)
def test_pages_of_one_origin_can_read_the_apis_own_errors(
    stack: Stack, function: Function, rendered: Rendered, *, origins: list[str], found: bool
) -> None:
    RestApi(stack, "shop", cors=Cors(origins)).route("GET /orders", function)

    made = rendered()

    assert ("ShopDefault4xxResponse" in made) is ("ShopDefault5xxResponse" in made) is found
    if found:
        assert made["ShopDefault4xxResponse"]["Properties"]["ResponseParameters"] == {
            "gatewayresponse.header.Access-Control-Allow-Origin": "'https://a.example.com'",
            "gatewayresponse.header.Vary": "'Origin'",
        }


def test_a_private_api_is_reached_through_its_endpoints_only(
    stack: Stack, function: Function, rendered: Rendered
) -> None:
    RestApi(stack, "shop", endpoint="private", vpc_endpoints=["vpce-0a"]).route("GET /orders", function)

    api = rendered()["ShopRestApi"]["Properties"]
    allow, deny = api["Policy"]["Statement"]

    assert api["EndpointConfiguration"] == {"Types": ["PRIVATE"], "VpcEndpointIds": ["vpce-0a"]}
    assert (allow["Effect"], allow["Condition"]) == ("Allow", {"StringEquals": {"aws:SourceVpce": ["vpce-0a"]}})
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"StringNotEquals": {"aws:SourceVpce": ["vpce-0a"]}})


def test_an_edge_api_has_no_policy(stack: Stack, function: Function, rendered: Rendered) -> None:
    RestApi(stack, "shop", endpoint="edge", description="Orders").route("GET /orders", function)

    api = rendered()["ShopRestApi"]["Properties"]

    assert api["EndpointConfiguration"] == {"Types": ["EDGE"]}
    assert api["Description"] == "Orders"
    assert "Policy" not in api


def test_callers_may_send_signed_requests(stack: Stack, function: Function) -> None:
    api = RestApi(stack, "shop")
    api.route("GET /orders/{id}", function)

    def resources(*routes: str) -> Any:
        return encode(api.for_invoking(*routes).grants[0].resources)

    prefix = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${ShopRestApi}/live/"
    assert resources("GET /orders/{id}") == [{"Fn::Sub": f"{prefix}GET/orders/*"}]
    assert resources() == [{"Fn::Sub": f"{prefix}*"}]
    assert encode(api.for_invoking().environment) == {
        "API_URL": {"Fn::Sub": "https://${ShopRestApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${ShopStage}"}
    }
    with pytest.raises(WiringError, match=r"routes must be among GET /orders/{id}, got GET /other"):
        api.for_invoking("GET /other")


def test_a_firewall_can_stand_before_the_stage(stack: Stack) -> None:
    assert encode(RestApi(stack, "shop").protected_arn) == {
        "Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${ShopRestApi}/stages/${ShopStage}"
    }


def test_failures_refusals_and_latency_are_watched(stack: Stack) -> None:
    watches = RestApi(stack, "shop").watches()

    assert [(watch.name, watch.metric, watch.statistic) for watch in watches] == [
        ("server-errors", "5XXError", "Average"),
        ("client-errors", "4XXError", "Average"),
        ("latency", "Latency", "p99"),
    ]
    assert encode(watches[0].dimensions) == {"ApiName": "shop-test-shop", "Stage": {"Ref": "ShopStage"}}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"authorizer": "IAM"}, "authorizer must be 'iam', 'none' or CognitoAuthorizer or LambdaAuthorizer, got 'IAM'"),
        ({"endpoint": "global"}, "endpoint must be one of regional, edge, private"),
        ({"endpoint": "private"}, "vpc_endpoints must be given for a private endpoint"),
        ({"vpc_endpoints": ["vpce-0a"]}, "vpc_endpoints must be given for a private endpoint, and only then"),
        ({"stage_name": "v 1"}, "stage_name must be letters, digits, - and _, got 'v 1'"),
        ({"stage_name": ""}, "stage_name must be letters"),
        (
            {"access_log": "arn:aws:firehose:eu-west-1:1:deliverystream/shop"},
            "access_log must be the ARN of a Firehose",
        ),
        ({"execution_logs": "DEBUG"}, "execution_logs must be one of ERROR, INFO"),
        ({"throttle": Throttle(rate=0)}, "throttle.rate must be more than 0"),
        ({"cache": Cache(2)}, "cache.size_gb must be one of"),
        ({"cors": Cors(["*"])}, "cors.origins must be named origins"),
        ({"canary": Canary(100, "abc")}, "canary.percent must be 1 to 99"),
        ({"usage_plan": UsagePlan(quota=0)}, "usage_plan.quota must be 1 or more"),
    ],
)
def test_refuses_settings_that_cannot_work(stack: Stack, settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        RestApi(stack, "shop", **settings)


@pytest.mark.parametrize(
    ("route", "settings", "expected"),
    [
        ("GET /orders", {"body": {"type": "object"}}, "body must be empty for GET"),
        ("GET /orders", {"scopes": ["read"]}, "scopes must be empty without a Cognito authorizer"),
        ("GET /orders", {"cache": timedelta(minutes=1)}, "cache must be empty, except for GET routes of an API with"),
        ("ANY /orders", {"throttle": Throttle(1, 1)}, "throttle must be empty for ANY"),
        ("GET /orders", {"throttle": Throttle(1, 0)}, "throttle.burst must be 1 to"),
        ("OPTIONS /orders", {}, "route must be none for OPTIONS, which cors answers"),
        ("GET /orders", {"authorizer": JwtAuthorizer("a", "https://a", ["b"])}, "authorizer must be 'iam', 'none' or"),
        ("GET orders", {}, "route 'GET orders' must be a path behind one of"),
    ],
)
def test_refuses_routes_that_cannot_work(
    stack: Stack, function: Function, route: str, settings: dict[str, Any], expected: str
) -> None:
    api = RestApi(stack, "shop", cors=Cors(["https://shop.example.com"]))

    with pytest.raises(SettingsError, match=expected):
        api.route(route, function, **settings)


def test_two_routes_of_one_api_do_not_meet(stack: Stack, function: Function) -> None:
    api = RestApi(stack, "shop")
    api.route("GET /orders/{id}", function)

    with pytest.raises(SettingsError, match=r"'GET /orders/{id}' must be unique, but .*test_rest_api.py"):
        api.route("GET /orders/{id}", function)
    with pytest.raises(SettingsError, match=r"must have {id} in place of {order}"):
        api.route("GET /orders/{order}/items", function)
