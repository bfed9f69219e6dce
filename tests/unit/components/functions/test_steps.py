from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from archlib.components.functions.steps import (
    Choice,
    Fail,
    Invoke,
    Map,
    Parallel,
    Pass,
    Publish,
    Put,
    Retry,
    Send,
    Step,
    Succeed,
    Wait,
    define,
)
from archlib.errors import WiringError
from archlib.wiring.binding import Binding

CHARGE = Binding("charge", "invoking", environment={"FUNCTION": "arn:charge"})
JOBS = Binding("jobs", "sending", environment={"QUEUE_URL": "https://jobs"})
NEWS = Binding("news", "publishing", environment={"TOPIC_ARN": "arn:news"})
ORDERS = Binding("orders", "writing", environment={"TABLE": "orders"})
ITEM = {"id": {"S": "{% $states.input.id %}"}}


def states(*steps: Step, on_failure: tuple[Step, ...] = ()) -> dict[str, Any]:
    found: dict[str, Any] = define(steps, on_failure)["States"]
    return found


def test_each_step_leads_to_the_next_and_the_last_ends() -> None:
    definition = define([Wait("One", timedelta(minutes=1)), Pass("Two"), Pass("Three")], [])

    assert definition["StartAt"] == "One"
    assert definition["QueryLanguage"] == "JSONata"
    assert [state.get("Next") for state in definition["States"].values()] == ["Two", "Three", None]
    assert definition["States"]["Three"]["End"] is True


def test_a_step_may_lead_elsewhere_or_end() -> None:
    found = states(Choice("Pick", {"$states.input.a": "Left"}, default="Right"), Pass("Left", next="Join"),
                   Pass("Right", end=True), Succeed("Join"))  # fmt: skip

    assert found["Left"]["Next"] == "Join"
    assert found["Right"]["End"] is True
    assert found["Pick"] == {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $states.input.a %}", "Next": "Left"}],
        "Default": "Right",
    }
    assert found["Join"] == {"Type": "Succeed"}


@pytest.mark.parametrize(
    ("step", "resource", "arguments", "output"),
    [
        (
            Invoke("Do", CHARGE), "lambda:invoke",
            {"FunctionName": "${CHARGE_FUNCTION}", "Payload": "{% $states.input %}"},
            "{% $states.result.Payload %}",
        ),
        (
            Send("Do", JOBS, message={"a": 1}), "sqs:sendMessage",
            {"QueueUrl": "${JOBS_QUEUE_URL}", "MessageBody": {"a": 1}}, "{% $states.input %}",
        ),
        (
            Send("Do", JOBS, group="one"), "sqs:sendMessage",
            {"QueueUrl": "${JOBS_QUEUE_URL}", "MessageBody": "{% $states.input %}", "MessageGroupId": "one"},
            "{% $states.input %}",
        ),
        (
            Publish("Do", NEWS), "sns:publish",
            {"TopicArn": "${NEWS_TOPIC_ARN}", "Message": "{% $states.input %}"}, "{% $states.input %}",
        ),
        (
            Publish("Do", NEWS, group="one"), "sns:publish",
            {"TopicArn": "${NEWS_TOPIC_ARN}", "Message": "{% $states.input %}", "MessageGroupId": "one"},
            "{% $states.input %}",
        ),
        (
            Put("Do", ORDERS, item=ITEM, output="kept"), "dynamodb:putItem",
            {"TableName": "${ORDERS_TABLE}", "Item": ITEM}, "kept",
        ),
    ],
)  # fmt: skip
def test_calls_services(step: Step, resource: str, arguments: dict[str, Any], output: str) -> None:
    state = states(step)["Do"]

    assert state["Type"] == "Task"
    assert state["Resource"] == f"arn:aws:states:::{resource}"
    assert state["Arguments"] == arguments
    assert state["Output"] == output


def test_service_steps_retry_time_out_and_are_caught_by_default() -> None:
    found = states(Send("Tell", JOBS))

    assert found["Tell"]["TimeoutSeconds"] == 60
    assert found["Tell"]["Retry"] == [
        {
            "ErrorEquals": ["States.TaskFailed"],
            "IntervalSeconds": 2,
            "MaxAttempts": 3,
            "BackoffRate": 2.0,
            "MaxDelaySeconds": 60,
            "JitterStrategy": "FULL",
        }
    ]
    (catch,) = found["Tell"]["Catch"]
    assert (catch["ErrorEquals"], catch["Next"], catch["Output"]) == (["States.ALL"], "Failed", "{% $states.input %}")
    assert found["Failed"] == {"Type": "Fail", "Error": "{% $failure.Error %}", "Cause": "{% $failure.Cause %}"}


def test_invoking_retries_what_lambda_asks_to_retry() -> None:
    (retry,) = states(Invoke("Charge", CHARGE))["Charge"]["Retry"]

    assert "Lambda.TooManyRequestsException" in retry["ErrorEquals"]
    assert "States.TaskFailed" not in retry["ErrorEquals"]


def test_retries_and_catches_can_be_chosen() -> None:
    retry = Retry(("States.Timeout",), attempts=1, interval=timedelta(seconds=9), rate=1.5)
    found = states(Send("Tell", JOBS, retry=[retry], catch="Later"), Pass("Later"))

    assert found["Tell"]["Retry"][0]["ErrorEquals"] == ["States.Timeout"]
    assert found["Tell"]["Retry"][0]["IntervalSeconds"] == 9
    assert found["Tell"]["Catch"][0]["Next"] == "Later"
    assert "Failed" not in found


def test_no_retry_is_a_choice_too() -> None:
    assert "Retry" not in states(Send("Tell", JOBS, retry=()))["Tell"]


def test_what_fails_is_cleaned_up_before_it_fails() -> None:
    found = states(Send("Tell", JOBS), on_failure=(Invoke("Undo", CHARGE), Pass("Note")))

    assert found["Tell"]["Catch"][0]["Next"] == "Undo"
    assert (found["Undo"]["Next"], found["Note"]["Next"]) == ("Note", "Failed")
    assert "Catch" not in found["Undo"]


def test_without_services_nothing_is_caught() -> None:
    assert set(states(Pass("One"))) == {"One"}


def test_branches_fail_as_a_whole() -> None:
    found = states(Parallel("Both", [[Send("Tell", JOBS), Pass("Rest")], [Publish("Announce", NEWS)]]))

    tell, announce = (branch["States"] for branch in found["Both"]["Branches"])
    assert (tell["Tell"]["Next"], tell["Rest"]["End"], announce["Announce"]["End"]) == ("Rest", True, True)
    assert "Catch" not in tell["Tell"]
    assert found["Both"]["Catch"][0]["Next"] == "Failed"


def test_items_are_worked_on_a_few_at_a_time() -> None:
    found = states(Map("All", [Put("Keep", ORDERS, item=ITEM)], items="{% $states.input.items %}"))

    assert found["All"]["Items"] == "{% $states.input.items %}"
    assert found["All"]["MaxConcurrency"] == 10
    assert found["All"]["ItemProcessor"]["StartAt"] == "Keep"
    assert found["All"]["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}


@pytest.mark.parametrize("step", [Parallel("Do", [[Pass("A")]], catch="Mend"), Map("Do", [Pass("A")], catch="Mend")])
def test_groups_may_be_caught_elsewhere(step: Step) -> None:
    assert states(step, Pass("Mend"))["Do"]["Catch"][0]["Next"] == "Mend"


def test_fail_says_why() -> None:
    assert states(Fail("Stop", "TooLarge", "More than we ship"))["Stop"] == {
        "Type": "Fail",
        "Error": "TooLarge",
        "Cause": "More than we ship",
    }


def test_bindings_of_steps_inside_are_found() -> None:
    step = Parallel("Both", [[Send("Tell", JOBS)], [Map("All", [Put("Keep", ORDERS, item=ITEM)]), Pass("Rest")]])

    assert list(step.bindings()) == [JOBS, ORDERS]


@pytest.mark.parametrize("environment", [{}, {"A": "1", "B": "2"}])
def test_refuses_a_target_without_one_address(environment: dict[str, str]) -> None:
    with pytest.raises(WiringError, match=f"target must have one address, got {len(environment)} from sending"):
        states(Send("Tell", Binding("jobs", "sending", environment=environment)))


def test_refuses_two_steps_with_a_name() -> None:
    with pytest.raises(WiringError, match="step 'One': name must be unique, got it twice"):
        states(Pass("One"), Pass("One"))
