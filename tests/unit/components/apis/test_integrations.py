import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from troposphere import Ref

from archlib import App, Stack
from archlib.components.apis.cors import Cors
from archlib.components.apis.integrations import (
    AwsService,
    HttpUrl,
    Integration,
    LambdaProxy,
    Mock,
    json_template,
    send_message,
    start_execution,
)
from archlib.components.apis.rest_api import RestApi
from archlib.components.functions.function import Function
from archlib.components.functions.state_machine import StateMachine
from archlib.components.messaging.queue import Queue
from archlib.core.values import encode
from archlib.errors import SettingsError, WiringError
from archlib.wiring.binding import Grant

Rendered = Callable[[], dict[str, Any]]
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"
GRANTS = (Grant(("dynamodb:PutItem",), (TABLE,)),)


def test_a_function_gets_the_whole_request(stack: Stack, function: Function, rendered: Rendered) -> None:
    RestApi(stack, "shop").route("GET /orders/{id}", LambdaProxy(function, timedelta(seconds=5)))

    made = rendered()
    integration = made["ShopGetOrdersByIdMethod"]["Properties"]["Integration"]

    assert (integration["Type"], integration["IntegrationHttpMethod"], integration["TimeoutInMillis"]) == (
        "AWS_PROXY",
        "POST",
        5000,
    )
    assert integration["Uri"]["Fn::Sub"].endswith(":lambda:path/2015-03-31/functions/${OrdersFunctionArn}/invocations")
    permission = made["OrdersFromShopGetOrdersByIdPermission"]["Properties"]
    assert permission["SourceArn"] == {
        "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${ShopRestApi}/live/GET/orders/*"
    }


def test_the_functions_stack_does_not_depend_on_the_apis(app: App, stack: Stack, function: Function) -> None:
    RestApi(stack, "shop").route("GET /orders", function)

    needs = {made.name: made.depends_on for made in app.assemble()}

    assert "shop-test-code" in needs["shop-test-main"]
    assert "shop-test-main" not in needs["shop-test-code"]


def test_a_web_address_gets_the_request_and_sees_who_sends_it(stack: Stack, rendered: Rendered) -> None:
    api = RestApi(stack, "shop")
    assert "cdk_nag" in rendered_stage_metadata(api)
    api.route("GET /old/{path+}", HttpUrl("https://old.example.com/{path}", timeout=timedelta(seconds=10)))
    api.route("GET /news/{id}", HttpUrl("https://news.example.com/latest", method="POST"))

    made = rendered()

    assert made["ShopGetOldByPathMethod"]["Properties"]["Integration"] == {
        "IntegrationHttpMethod": "GET",
        "RequestParameters": {"integration.request.path.path": "method.request.path.path"},
        "TimeoutInMillis": 10_000,
        "Type": "HTTP_PROXY",
        "Uri": "https://old.example.com/{path}",
    }
    assert made["ShopGetNewsByIdMethod"]["Properties"]["Integration"]["IntegrationHttpMethod"] == "POST"
    assert made["ShopGetNewsByIdMethod"]["Properties"]["Integration"]["RequestParameters"] == {}
    assert made["ShopStage"]["Properties"]["ClientCertificateId"] == {"Ref": "ShopClientCertificate"}
    assert "SSL" not in json.dumps(made["ShopStage"]["Metadata"])


@pytest.mark.parametrize("make", [lambda stack: send_message(Queue(stack, "mails")), lambda _stack: Mock()])
def test_only_functions_do_without_the_certificate(
    stack: Stack, function: Function, rendered: Rendered, make: Callable[[Stack], Any]
) -> None:
    api = RestApi(stack, "shop")
    api.route("GET /orders", function)
    assert "All integrations are Lambda proxies" in rendered_stage_metadata(api)

    api.route("POST /orders", make(stack))

    assert "All integrations are Lambda proxies" not in rendered_stage_metadata(api)
    assert rendered()["ShopStage"]["Properties"]["ClientCertificateId"] == {"Ref": "ShopClientCertificate"}


def rendered_stage_metadata(api: RestApi) -> str:
    return json.dumps(api.stage_resource.resource["Metadata"])


def test_a_queue_gets_the_body_through_a_role_of_the_api(stack: Stack, rendered: Rendered) -> None:
    RestApi(stack, "shop").route("POST /mails", send_message(Queue(stack, "mails")))

    made = rendered()
    integration = made["ShopPostMailsMethod"]["Properties"]["Integration"]
    name = {"Fn::Select": [5, {"Fn::Split": [":", {"Fn::GetAtt": ["MailsQueue", "Arn"]}]}]}

    assert integration["Credentials"] == {"Fn::GetAtt": ["ShopApiRole", "Arn"]}
    assert integration["PassthroughBehavior"] == "NEVER"
    assert integration["RequestTemplates"] == {
        "application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
    }
    assert json.dumps(name) in json.dumps(integration["Uri"])
    assert [answer["StatusCode"] for answer in made["ShopPostMailsMethod"]["Properties"]["MethodResponses"]] == [
        *("200", "400", "500")
    ]
    actions = {
        action
        for statement in made["ShopApiPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    assert {"sqs:SendMessage", "kms:GenerateDataKey"} <= actions


def test_a_fifo_queue_needs_a_group(stack: Stack) -> None:
    fifo = Queue(stack, "ordered", fifo=True)

    assert "MessageGroupId=$util.urlEncode($input.params('customer'))" in str(
        send_message(fifo, group="$input.params('customer')").request
    )
    with pytest.raises(WiringError, match="sending to 'ordered': group must be given for a FIFO queue"):
        send_message(fifo)
    with pytest.raises(WiringError, match="sending to 'mails': group must be given for a FIFO queue and only then"):
        send_message(Queue(stack, "mails"), group="all")


def test_a_state_machine_is_started_with_the_body(stack: Stack, rendered: Rendered) -> None:
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    machine = StateMachine(stack, "fulfil", definition=definition)
    RestApi(stack, "shop").route("POST /orders", start_execution(machine))

    made = rendered()
    integration = made["ShopPostOrdersMethod"]["Properties"]["Integration"]
    template = integration["RequestTemplates"]["application/json"]["Fn::Sub"]

    assert integration["Uri"]["Fn::Sub"].endswith(":states:action/StartExecution")
    assert template.startswith('{"stateMachineArn": "${FulfilStateMachine')
    assert template.endswith(r""""input": "$util.escapeJavaScript($input.json('$')).replaceAll("\\'", "'")"}""")
    assert "states:StartExecution" in json.dumps(made["ShopApiPolicy"]["Properties"]["PolicyDocument"])


def test_a_table_is_written_without_code(stack: Stack, rendered: Rendered) -> None:
    request = json_template({"TableName": "orders", "Item": {"id": {"S": "$context.requestId"}}})
    RestApi(stack, "shop").route("PUT /orders", AwsService("dynamodb", "PutItem", request, GRANTS, response="{}"))

    integration = rendered()["ShopPutOrdersMethod"]["Properties"]["Integration"]

    assert integration["Uri"]["Fn::Sub"].endswith(":dynamodb:action/PutItem")
    assert json.loads(integration["RequestTemplates"]["application/json"])["TableName"] == "orders"
    assert integration["IntegrationResponses"][0] == {
        "ResponseTemplates": {"application/json": "{}"},
        "StatusCode": "200",
    }
    assert [answer.get("SelectionPattern") for answer in integration["IntegrationResponses"]] == [
        *(None, r"4\d{2}", r"5\d{2}")
    ]


def test_a_template_holds_references_and_texts() -> None:
    template = json_template({"TableName": Ref("OrdersTable"), "Key": {"id": {"S": "$input.params('id')"}}})

    assert encode(template) == {
        "Fn::Sub": '{"TableName": "${OrdersTable}", "Key": {"id": {"S": "$input.params(\'id\')"}}}'
    }


def test_a_mock_answers_by_itself_and_names_the_origin_back(stack: Stack, rendered: Rendered) -> None:
    api = RestApi(stack, "shop", cors=Cors(["https://shop.example.com"]))
    api.route("GET /version", Mock('{"version": 1}', status=203))

    integration = rendered()["ShopGetVersionMethod"]["Properties"]["Integration"]
    (answer,) = integration["IntegrationResponses"]

    assert integration["RequestTemplates"] == {"application/json": '{"statusCode": 203}'}
    assert answer["StatusCode"] == "203"
    assert answer["ResponseTemplates"]["application/json"].endswith('#end{"version": 1}')
    assert '"https://shop.example.com"' in answer["ResponseTemplates"]["application/json"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (HttpUrl("http://old.example.com"), "target.url must be an https:// address, got 'http://old.example.com'"),
        (
            HttpUrl("https://old.example.com", timeout=timedelta(minutes=1)),
            "target.timeout must be 0.05s to 29s, got 1m",
        ),
        (AwsService("dynamodb", "PutItem", "{}"), "target.grants must be at least one right"),
        (Mock(status=99), "target.status must be 200 to 599, got 99"),
    ],
)
def test_refuses_what_cannot_work(stack: Stack, target: Integration, expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        RestApi(stack, "shop").route("GET /orders", target)


def test_a_queue_is_no_function(stack: Stack) -> None:
    queue: Any = Queue(stack, "jobs")

    with pytest.raises(SettingsError, match="target must be a Lambda function, got 'AWS::SQS::Queue'"):
        RestApi(stack, "shop").route("GET /orders", queue)
