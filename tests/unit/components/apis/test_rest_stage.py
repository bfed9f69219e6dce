from collections.abc import Callable
from typing import Any

from archlib import App, Stack
from archlib.components.apis.integrations import Mock
from archlib.components.apis.rest_api import RestApi
from archlib.components.apis.settings import Canary, Throttle, UsagePlan
from archlib.components.functions.function import Function

Rendered = Callable[[], dict[str, Any]]


def deployments(made: dict[str, Any]) -> list[str]:
    return [name for name, node in made.items() if node["Type"] == "AWS::ApiGateway::Deployment"]


def test_there_is_no_cache_by_default_and_the_scanners_hear_why(
    stack: Stack, function: Function, rendered: Rendered
) -> None:
    RestApi(stack, "shop").route("GET /orders", function)

    stage = rendered()["ShopStage"]

    assert "CacheClusterEnabled" not in stage["Properties"]
    assert stage["Metadata"]["checkov"]["skip"][0]["id"] == "CKV_AWS_120"


def test_a_route_has_its_own_limits(stack: Stack, function: Function, rendered: Rendered) -> None:
    api = RestApi(stack, "shop", throttle=Throttle(100, 50), execution_logs="INFO")
    api.route("POST /orders/{id}", function, throttle=Throttle(5, 2))
    api.route("GET /", function, throttle=Throttle(1, 1))

    everything, orders, root = rendered()["ShopStage"]["Properties"]["MethodSettings"]

    assert (everything["ThrottlingRateLimit"], everything["ThrottlingBurstLimit"]) == (100, 50)
    assert (orders["ResourcePath"], orders["HttpMethod"]) == ("/~1orders~1{id}", "POST")
    assert (orders["ThrottlingRateLimit"], orders["ThrottlingBurstLimit"]) == (5, 2)
    assert (orders["LoggingLevel"], orders["DataTraceEnabled"], orders["MetricsEnabled"]) == ("INFO", False, True)
    assert root["ResourcePath"] == "/"


def test_clients_with_keys_have_a_quota(stack: Stack, function: Function, rendered: Rendered) -> None:
    plan = UsagePlan(keys=("mobile", "partner"), quota=1000, period="DAY", throttle=Throttle(7, 3))
    api = RestApi(stack, "shop", usage_plan=plan)
    api.route("GET /orders", function)
    api.route("GET /version", function, api_key=False)

    made = rendered()

    assert made["ShopUsagePlan"]["Properties"]["Quota"] == {"Limit": 1000, "Period": "DAY"}
    assert made["ShopUsagePlan"]["Properties"]["Throttle"] == {"BurstLimit": 3, "RateLimit": 7}
    assert made["ShopPartnerUsagePlanKey"]["Properties"]["KeyId"] == {"Ref": "ShopPartnerApiKey"}
    assert "Value" not in made["ShopMobileApiKey"]["Properties"]
    assert made["ShopGetOrdersMethod"]["Properties"]["ApiKeyRequired"] is True
    assert made["ShopGetVersionMethod"]["Properties"]["ApiKeyRequired"] is False


def test_a_canary_gets_a_part_of_the_traffic(stack: Stack, function: Function, rendered: Rendered) -> None:
    RestApi(stack, "shop", canary=Canary(10, "abc123")).route("GET /orders", function)

    made = rendered()
    stage = made["ShopStage"]["Properties"]

    assert stage["DeploymentId"] == "abc123"
    assert stage["CanarySetting"] == {
        "DeploymentId": {"Ref": deployments(made)[0]},
        "PercentTraffic": 10,
        "UseStageCache": False,
    }


def test_logs_can_go_to_a_stream_and_the_account_be_left_alone(
    stack: Stack, function: Function, rendered: Rendered
) -> None:
    firehose = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/amazon-apigateway-shop"
    RestApi(stack, "shop", access_log=firehose, account_logging_role=False).route("GET /orders", function)

    made = rendered()

    assert made["ShopStage"]["Properties"]["AccessLogSetting"]["DestinationArn"] == firehose
    assert made["ShopStage"]["DependsOn"] == "ShopExecutionLogGroup"
    assert not {"ShopAccessLogGroup", "ApiLoggingApiGatewayAccount"} & made.keys()


def test_the_stage_waits_for_the_accounts_role() -> None:
    app = App("shop", "test", layout="single")
    api = RestApi(Stack(app, "main"), "shop")
    api.route("GET /version", Mock())

    (made,) = app.assemble()

    assert made.template["Resources"]["ShopStage"]["DependsOn"] == [
        "ApiLoggingApiGatewayAccount",
        "ShopExecutionLogGroup",
    ]
