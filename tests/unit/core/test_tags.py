from __future__ import annotations

from typing import Any

import pytest
from troposphere import AWSObject, Ref, Tags, apigatewayv2, autoscaling, sns, sqs, ssm

from archlib.core.tags import apply_tags, check_tags
from archlib.core.values import encode
from archlib.errors import SettingsError

TAGS = {"app": "shop", "team": "orders"}


def tagged(resource: AWSObject) -> Any:
    properties = encode(resource).get("Properties", {})
    apply_tags(resource, properties, TAGS)
    return properties.get("Tags")


def test_returns_them_sorted() -> None:
    assert list(check_tags({"team": "orders", "app": "shop"})) == ["app", "team"]


@pytest.mark.parametrize(
    "tags", [{"k" * 128: "v" * 256}, {"k": ""}, {f"k{n}": "v" for n in range(40)}, {"größe/ort:x": "ü"}, {}]
)
def test_takes_what_aws_takes(tags: dict[str, str]) -> None:
    assert check_tags(tags) == tags


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({f"k{n}": "v" for n in range(41)}, "tags: there must be at most 40, got 41; remove some"),
        ({"aws:x": "v"}, "tag 'aws:x': key must not start with 'aws:', which AWS reserves; rename it"),
        ({"AWS:x": "v"}, "tag 'AWS:x': key must not start with 'aws:', which AWS reserves; rename it"),
        ({"": "v"}, "tag '': key must be 1 to 128 characters, got 0; shorten it"),
        ({"k": "v" * 257}, "tag 'k': value must be text of at most 256 characters, got 257; shorten it"),
        ({"k": 1}, "tag 'k': value must be text of at most 256 characters, got 1"),
        ({"k": None}, "tag 'k': value must be text of at most 256 characters, got None"),
    ],
)
def test_refuses_what_aws_refuses(tags: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check_tags(tags)

    assert [each.message for each in caught.value.problems] == [message]


def test_names_everything_that_is_wrong_at_once_with_the_line() -> None:
    with pytest.raises(SettingsError) as caught:
        check_tags({"aws:x": "v", "k": "v" * 257})

    assert len(caught.value.problems) == 2
    assert all(each.origin and each.origin.file == __file__ for each in caught.value.problems)


def test_a_list_of_tags_is_filled_up_and_sorted() -> None:
    assert tagged(sns.Topic("Alerts")) == [{"Key": "app", "Value": "shop"}, {"Key": "team", "Value": "orders"}]
    assert tagged(sqs.Queue("Jobs", Tags=Tags(zone="b", cost=Ref("Center")))) == [
        {"Key": "app", "Value": "shop"},
        {"Key": "cost", "Value": {"Ref": "Center"}},
        {"Key": "team", "Value": "orders"},
        {"Key": "zone", "Value": "b"},
    ]


def test_a_mapping_of_tags_is_filled_up() -> None:
    assert tagged(ssm.Parameter("Size", Type="String", Value="1")) == TAGS
    assert tagged(apigatewayv2.Api("Api", Tags={"zone": "b"})) == {**TAGS, "zone": "b"}


def test_the_resources_own_tags_win() -> None:
    assert {"Key": "team", "Value": "mine"} in tagged(sqs.Queue("Jobs", Tags=Tags(team="mine")))
    assert len(tagged(sqs.Queue("Jobs", Tags=Tags(team="mine")))) == 2
    assert tagged(apigatewayv2.Api("Api", Tags={"team": "mine"}))["team"] == "mine"


def test_an_auto_scaling_group_passes_them_on_to_its_instances() -> None:
    group = autoscaling.AutoScalingGroup(
        "Group", MinSize="1", MaxSize="1", AvailabilityZones=["a"], Tags=autoscaling.Tags(team=("mine", False))
    )

    assert tagged(group) == [
        {"Key": "app", "Value": "shop", "PropagateAtLaunch": True},
        {"Key": "team", "Value": "mine", "PropagateAtLaunch": False},
    ]


def test_a_type_that_takes_no_tags_is_left_alone() -> None:
    assert tagged(sqs.QueuePolicy("Policy", Queues=["x"], PolicyDocument={})) is None
