import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.apis.authorizers import JwtAuthorizer, LambdaAuthorizer
from archlib.components.apis.cors import Cors
from archlib.components.apis.integrations import Mock
from archlib.components.apis.rest_api import RestApi
from archlib.components.apis.settings import Cache, Canary, Throttle, UsagePlan
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError

Rendered = Callable[[], dict[str, Any]]
EVERYTHING = {"ResourcePath": "/*", "HttpMethod": "*"}


def deployments(made: dict[str, Any]) -> list[str]:
    return [name for name, node in made.items() if node["Type"] == "AWS::ApiGateway::Deployment"]


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
