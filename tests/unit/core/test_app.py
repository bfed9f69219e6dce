from __future__ import annotations

from typing import Any

import pytest
from troposphere import Tags, apigatewayv2, autoscaling, sqs

from archlib import App, Stack
from archlib.errors import SettingsError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "My Shop"}, "app 'My Shop': name must be kebab-case"),
        ({"environment": "Prod"}, "environment 'Prod': name must be kebab-case"),
        ({"removal": "Keep"}, "removal must be 'Retain' or 'Delete', got 'Keep'"),
        ({"layout": "flat"}, "layout must be 'layered' or 'single', got 'flat'"),
        ({"links": "magic"}, "links must be 'parameters' or 'exports' or 'stack-output', got 'magic'"),
        ({"tags": {"aws:team": "x"}}, "key must not start with 'aws:'"),
        ({"tags": {"k" * 129: "x"}}, "key must be 1 to 128 characters, got 129"),
        ({"tags": {"k": "x" * 257}}, "value must be text of at most 256 characters"),
        ({"tags": {f"k{n}": "x" for n in range(41)}}, "there must be at most 40, got 43"),
    ],
)
def test_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        App(**{"name": "shop", "environment": "test", **arguments})

    assert message in str(caught.value)


def test_tags_take_the_shape_of_each_resource_and_the_resources_own_win() -> None:
    app = App("shop", "test", tags={"team": "orders"})
    stack = Stack(app, "main")
    stack.add(sqs.Queue("Jobs", Tags=Tags(team="mine")))
    stack.add(apigatewayv2.Api("Api", Name="x", ProtocolType="HTTP"))
    stack.add(autoscaling.AutoScalingGroup("Group", MinSize="1", MaxSize="2", AvailabilityZones=["a"]))
    stack.add(sqs.QueuePolicy("Policy", Queues=["x"], PolicyDocument={}))

    (only,) = app.assemble()
    resources = only.template["Resources"]

    assert resources["Jobs"]["Properties"]["Tags"] == [
        {"Key": "app", "Value": "shop"},
        {"Key": "environment", "Value": "test"},
        {"Key": "team", "Value": "mine"},
    ]
    assert resources["Api"]["Properties"]["Tags"] == {"app": "shop", "environment": "test", "team": "orders"}
    assert all(tag["PropagateAtLaunch"] for tag in resources["Group"]["Properties"]["Tags"])
    assert "Tags" not in resources["Policy"]["Properties"]
    assert dict(only.tags) == {"app": "shop", "environment": "test", "team": "orders"}


@pytest.mark.parametrize(("removal", "expected"), [("Retain", "Retain"), ("Delete", "Delete")])
def test_removal_decides_what_happens_to_data(removal: Any, expected: str) -> None:
    app = App("shop", "test", removal=removal)
    Stack(app, "main").add(sqs.Queue("Jobs"), stateful=True)

    (only,) = app.assemble()

    assert only.template["Resources"]["Jobs"]["DeletionPolicy"] == expected
    assert only.template["Resources"]["Jobs"]["UpdateReplacePolicy"] == expected


def test_once_makes_a_thing_once() -> None:
    app = App("shop", "test")

    assert app.once("thing", object) is app.once("thing", object)
    assert app.stack("one") is app.stack("one")


def test_outputs_and_parameters_are_named_in_pascal_case() -> None:
    app = App("shop", "test")
    stack = Stack(app, "main", description="All of it")
    size = stack.parameter("queue-size", description="How large", default="5")
    stack.add(sqs.Queue("Jobs", MaximumMessageSize=size))
    stack.output("queue-size", size, "As it was chosen")

    (only,) = app.assemble()

    assert only.template["Description"] == "All of it"
    assert only.template["Parameters"]["QueueSize"]["Default"] == "5"
    assert only.template["Outputs"]["QueueSize"]["Value"] == {"Ref": "QueueSize"}
    assert only.parameters["QueueSize"].kind == "user"
