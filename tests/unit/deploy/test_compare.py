"""What templates alone tell about a change."""

from __future__ import annotations

from archlib.deploy.compare import compare, with_values
from archlib.deploy.models import PropertyChange, ResourceChange
from deploying import artifact, queue, table

TOPIC = {"Type": "AWS::SNS::Topic"}


def test_each_kind_of_change() -> None:
    before = {
        "Same": queue(DelaySeconds=1),
        "Gone": table(),
        "Dropped": queue(),
        "Other": queue(),
        "Changed": queue(DelaySeconds=1, Tags=["a"], QueueName="jobs"),
    }
    stack = artifact(
        Same=queue(DelaySeconds=1), Other=TOPIC, New=queue(), Changed=queue(DelaySeconds=2, Tags=["ä"], Fifo=True)
    )

    assert compare({"Resources": before}, stack) == (
        ResourceChange(
            "modify",
            "Changed",
            "AWS::SQS::Queue",
            properties=(
                PropertyChange("DelaySeconds", "1", "2"),
                PropertyChange("Fifo", None, "true"),
                PropertyChange("QueueName", "jobs", None),
                PropertyChange("Tags", '["a"]', '["ä"]'),
            ),
        ),
        ResourceChange("remove", "Dropped", "AWS::SQS::Queue", policy="Delete"),
        ResourceChange("remove", "Gone", "AWS::DynamoDB::Table", policy="Retain"),
        ResourceChange("add", "New", "AWS::SQS::Queue"),
        ResourceChange("replace", "Other", "AWS::SNS::Topic"),
    )


def test_what_stands_beside_the_properties_counts_too() -> None:
    stack = artifact(Jobs={**queue(), "DeletionPolicy": "Retain", "Condition": "Big"})

    (change,) = compare({"Resources": {"Jobs": {**queue(), "Condition": "Small"}}}, stack)

    assert change.action == "modify"
    assert change.properties == (
        PropertyChange("DeletionPolicy", None, "Retain"),
        PropertyChange("Condition", "Small", "Big"),
    )


def test_metadata_and_order_are_no_changes() -> None:
    old = {**queue(A={"x": 1, "y": 2}), "Metadata": {"a": 1}, "DependsOn": "B"}

    assert compare({"Resources": {"Jobs": old}}, artifact(Jobs=queue(A={"y": 2, "x": 1}))) == ()


def test_all_is_new_before_there_is_anything() -> None:
    assert [change.action for change in compare({}, artifact(A=queue(), B=TOPIC))] == ["add", "add"]


def test_values_are_added_where_cloudformation_gave_none() -> None:
    before = {"Resources": {"Jobs": queue(DelaySeconds=1, QueueName="a", KmsKey="k")}}
    stack = artifact(Jobs=queue(DelaySeconds=2, QueueName="b", KmsKey="k"))
    told = ResourceChange(
        "modify",
        "Jobs",
        "AWS::SQS::Queue",
        physical_id="q-1",
        properties=(
            PropertyChange("DelaySeconds", recreates="maybe", cause="Size"),
            PropertyChange("QueueName", "really a"),
            PropertyChange("KmsKey", cause="Key.Arn"),
        ),
    )
    other = ResourceChange("modify", "Elsewhere", "AWS::SQS::Queue", properties=(PropertyChange("DelaySeconds"),))

    first, second = with_values([told, other], before, stack)

    assert first.physical_id == "q-1"
    assert first.properties == (
        PropertyChange("DelaySeconds", "1", "2", recreates="maybe", cause="Size"),
        PropertyChange("QueueName", "really a"),
        PropertyChange("KmsKey", cause="Key.Arn"),
    )
    assert second == other
