from typing import Any

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.messaging.stream import Stream
from archlib.core.values import encode

CODE = Code(inline="def handler(event, context):\n    return event\n")


def resources(app: App) -> dict[str, Any]:
    return {name: found for stack in app.assemble() for name, found in stack.template["Resources"].items()}


def test_has_the_name_that_kinesis_demands(stack: Stack) -> None:
    Stream(stack, "clicks").consumer("totals")

    assert resources(stack.app)["TotalsStreamConsumer"]["Properties"] == {
        "ConsumerName": "totals",
        "StreamARN": {"Fn::GetAtt": ["ClicksStream", "Arn"]},
        "Tags": [{"Key": "app", "Value": "shop"}, {"Key": "environment", "Value": "test"}],
    }


def test_lives_beside_its_reader_if_asked_to(app: App) -> None:
    stream = Stream(app.stack("data"), "clicks")
    code = app.stack("code")
    Function(code, "totals", code=CODE).consume(stream.consumer("fast", stack=code))

    stacks = {stack.name: stack for stack in app.assemble()}
    made = stacks["shop-test-code"].template["Resources"]
    reads = {
        action: statement["Resource"]
        for statement in made["TotalsFunctionPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }

    consumer = {"Fn::GetAtt": ["FastStreamConsumer", "ConsumerARN"]}
    assert made["TotalsFromFast"]["Properties"]["EventSourceArn"] == consumer
    assert reads["kinesis:SubscribeToShard"] == reads["kinesis:DescribeStreamConsumer"] == [consumer]
    assert reads["kinesis:DescribeStream"] == [{"Ref": "ClicksStreamArn"}]
    assert "shop-test-code" not in stacks["shop-test-data"].depends_on


def test_watches_its_own_delay(stack: Stack) -> None:
    (watch,) = Stream(stack, "clicks").consumer("totals").watches()

    assert watch.metric == "SubscribeToShardEvent.MillisBehindLatest"
    assert encode(watch.dimensions) == {"StreamName": {"Ref": "ClicksStream"}, "ConsumerName": "totals"}
