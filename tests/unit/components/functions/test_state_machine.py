from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from archlib import App, Stack
from archlib.components.functions.code import Code
from archlib.components.functions.function import Function
from archlib.components.functions.state_machine import StateMachine
from archlib.components.functions.steps import Invoke, Parallel, Pass, Send
from archlib.components.messaging.queue import Queue
from archlib.errors import SettingsError, SourceError, WiringError
from archlib.wiring.binding import Binding
from archlib.wiring.permissions import action_name

Rendered = Callable[[], dict[str, Any]]
INLINE = Code(inline="def handler(event, context):\n    return event\n")
PLAIN = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
SEND = {
    "StartAt": "Send",
    "States": {
        "Send": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Parameters": {"QueueUrl": "${JOBS_QUEUE_URL}", "MessageBody.$": "$"},
            "End": True,
        }
    },
}


def statements(found: dict[str, Any], policy: str = "FlowStateMachinePolicy") -> list[dict[str, Any]]:
    document: list[dict[str, Any]] = found[policy]["Properties"]["PolicyDocument"]["Statement"]
    return document


def test_is_logged_without_data_traced_and_encrypted(stack: Stack, rendered: Rendered) -> None:
    StateMachine(stack, "flow", definition=PLAIN)

    found = rendered()
    machine = found["FlowStateMachine"]["Properties"]
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["LoggingConfiguration"] == {
        "Destinations": [
            {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["FlowStateMachineLogGroup", "Arn"]}}}
        ],
        "IncludeExecutionData": False,
        "Level": "ALL",
    }
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["EncryptionConfiguration"]["Type"] == "CUSTOMER_MANAGED_KMS_KEY"
    assert machine["EncryptionConfiguration"]["KmsKeyId"] == {"Ref": "AppKeyArn"}
    assert found["FlowStateMachineLogGroup"]["Properties"]["LogGroupName"] == "/aws/vendedlogs/states/shop-test-flow"
    assert found["FlowStateMachine"]["DeletionPolicy"] == "Retain"


def test_its_log_can_be_delivered_encrypted(stack: Stack, rendered: Rendered) -> None:
    StateMachine(stack, "flow", definition=PLAIN)

    assert "delivery.logs.amazonaws.com" in json.dumps(rendered()["AppKey"]["Properties"]["KeyPolicy"])


def test_may_do_nothing_but_log_trace_and_encrypt(stack: Stack, rendered: Rendered) -> None:
    StateMachine(stack, "flow", definition=PLAIN)

    found = rendered()
    keys, everything = statements(found)
    assert (keys["Action"], keys["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], [{"Ref": "AppKeyArn"}])
    assert {action.split(":")[0] for action in everything["Action"]} == {"logs", "xray"}
    assert everything["Resource"] == ["*"]
    assert found["FlowStateMachine"]["DependsOn"] == "FlowStateMachinePolicy"


def test_steps_bring_their_rights_and_addresses(stack: Stack, rendered: Rendered) -> None:
    charge, refund = (Function(stack, name, code=INLINE) for name in ("charge", "refund"))
    jobs = Queue(stack, "jobs")

    StateMachine(
        stack,
        "flow",
        definition=[
            Invoke("Charge", charge.for_invoking()),
            Parallel("Both", [[Send("Pack", jobs.for_sending())], [Pass("Rest")]]),
        ],
        on_failure=[Invoke("Refund", refund.for_invoking())],
    )

    found = rendered()
    machine = found["FlowStateMachine"]["Properties"]
    assert machine["DefinitionSubstitutions"].keys() == {
        *("CHARGE_FUNCTION", "JOBS_QUEUE_URL", "LambdaInvoke", "REFUND_FUNCTION", "SqsSendMessage")
    }
    assert machine["DefinitionSubstitutions"]["CHARGE_FUNCTION"] == {"Fn::GetAtt": ["ChargeFunction", "Arn"]}
    assert {
        "Effect": "Allow",
        "Action": ["lambda:InvokeFunction"],
        "Resource": [{"Fn::GetAtt": ["ChargeFunction", "Arn"]}, {"Fn::GetAtt": ["RefundFunction", "Arn"]}],
    } in statements(found)
    assert any("sqs:SendMessage" in statement["Action"] for statement in statements(found))
    states = json.loads(machine["DefinitionString"])["States"]
    assert list(states) == ["Charge", "Both", "Refund", "Failed"]


@pytest.mark.parametrize("as_text", [True, False])
def test_a_file_gets_rights_and_addresses_by_connecting(
    stack: Stack,
    rendered: Rendered,
    tmp_path: Path,
    as_text: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    path = tmp_path / "flow.json"
    path.write_text(json.dumps(SEND))
    machine = StateMachine(stack, "flow", definition=str(path) if as_text else path)

    machine.connect(Queue(stack, "jobs").for_sending())

    found = rendered()
    substitutions = found["FlowStateMachine"]["Properties"]["DefinitionSubstitutions"]
    assert substitutions["JOBS_QUEUE_URL"] == {"Ref": "JobsQueue"}
    assert any("sqs:SendMessage" in statement["Action"] for statement in statements(found))


def test_further_placeholders_have_given_values(stack: Stack, rendered: Rendered) -> None:
    StateMachine(stack, "flow", definition=SEND, substitutions={"JOBS_QUEUE_URL": "https://queue", "UNUSED": "x"})

    substitutions = rendered()["FlowStateMachine"]["Properties"]["DefinitionSubstitutions"]
    assert substitutions.keys() == {"JOBS_QUEUE_URL", "SqsSendMessage"}
    assert substitutions["JOBS_QUEUE_URL"] == "https://queue"


def test_secrets_are_placeholders_too(stack: Stack, rendered: Rendered) -> None:
    machine = StateMachine(stack, "flow", definition=SEND)

    machine.connect(Binding("jobs", "reading a secret", secrets={"QUEUE_URL": "arn:aws:secretsmanager:x"}))

    substitutions = rendered()["FlowStateMachine"]["Properties"]["DefinitionSubstitutions"]
    assert substitutions["JOBS_QUEUE_URL"] == "arn:aws:secretsmanager:x"


def test_refuses_a_placeholder_without_a_value(app: App, stack: Stack) -> None:
    StateMachine(stack, "flow", definition=SEND)

    with pytest.raises(SettingsError) as caught:
        app.assemble()

    assert "placeholders of the definition must have a value, got none for JOBS_QUEUE_URL" in str(caught.value)
    assert str(caught.value).startswith("tests/unit/components/functions/test_state_machine.py:")


def test_one_placeholder_has_one_value(stack: Stack) -> None:
    machine = StateMachine(stack, "flow", definition=PLAIN, substitutions={"A": "1"})

    machine.set_environment("A", "1")
    with pytest.raises(WiringError, match="placeholder 'A' must have one value, got two"):
        machine.set_environment("A", "2")


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({}, 86_400),
        ({"express": True}, 300),
        ({"timeout": timedelta(hours=2)}, 7200),
        ({"definition": {**PLAIN, "TimeoutSeconds": 60}}, 60),
        ({"definition": {**PLAIN, "TimeoutSeconds": 60}, "timeout": timedelta(seconds=30)}, 30),
    ],
)
def test_every_execution_comes_to_an_end(
    stack: Stack, rendered: Rendered, settings: dict[str, Any], limit: int
) -> None:
    StateMachine(stack, "flow", **{"definition": PLAIN, **settings})

    assert json.loads(rendered()["FlowStateMachine"]["Properties"]["DefinitionString"])["TimeoutSeconds"] == limit


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timeout": timedelta(days=366)}, "timeout must be 1s to 365d, got 366d"),
        ({"timeout": timedelta(minutes=6), "express": True}, "timeout must be 1s to 5m, got 6m"),
        ({"definition": {**PLAIN, "TimeoutSeconds": 0}}, "timeout must be 1s to 365d, got 0s"),
        ({"on_failure": [Pass("Undo")]}, "on_failure must be left out without steps"),
        ({"definition": []}, "States must have at least one state, got none"),
        ({"definition": [Pass("A", next="B")]}, "state 'A': Next must be a state beside it, got 'B'"),
        ({"definition": {**PLAIN, "Comment": "x" * 2**20}}, "definition must be at most 1 MiB"),
        ({"definition": {"StartAt": "B", "States": PLAIN["States"]}}, "StartAt must be one of its states, got 'B'"),
    ],
)
def test_refuses_what_cannot_work(stack: Stack, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        StateMachine(stack, "flow", **{"definition": PLAIN, **settings})

    assert f"state machine 'flow': {message}" in str(caught.value)
    assert stack.template.resources == {}


def test_names_all_problems_at_once(stack: Stack) -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "C"}, "B": {"Type": "Pass", "End": True}}}

    with pytest.raises(SettingsError) as caught:
        StateMachine(stack, "flow", definition=definition, timeout=timedelta(days=999))

    assert len(caught.value.problems) == 4


def test_refuses_a_file_that_is_not_there(stack: Stack) -> None:
    with pytest.raises(SourceError, match="must be a file"):
        StateMachine(stack, "flow", definition=Path("/no/such/flow.json"))


@pytest.mark.parametrize(
    ("express", "actions"),
    [(False, ["states:StartExecution"]), (True, ["states:StartExecution", "states:StartSyncExecution"])],
)
def test_callers_may_start_it(
    stack: Stack,
    rendered: Rendered,
    express: bool,  # noqa: FBT001  (a parameter of the test)
    actions: list[str],
) -> None:
    machine = StateMachine(stack, "flow", definition=PLAIN, express=express)

    Function(stack, "caller", code=INLINE).connect(machine.for_starting())

    found = rendered()
    grants = statements(found, "CallerFunctionPolicy")
    assert {"Effect": "Allow", "Action": actions, "Resource": [{"Ref": "FlowStateMachine"}]} in grants
    assert any("kms:GenerateDataKey" in statement["Action"] for statement in grants)
    environment = found["CallerFunction"]["Properties"]["Environment"]["Variables"]
    assert environment == {"FLOW_STATE_MACHINE": {"Ref": "FlowStateMachine"}}


@pytest.mark.parametrize("express", [False, True])
def test_services_need_a_role_to_start_it_and_never_wait(stack: Stack, express: bool) -> None:  # noqa: FBT001
    machine = StateMachine(stack, "flow", definition=PLAIN, express=express)

    assert machine.admit("events", "arn:aws:events:x", label="Rule") is False
    actions = [action_name(action) for grant in machine.start_grants() for action in grant.actions]
    assert [action for action in actions if action.startswith("states:")] == ["states:StartExecution"]


def test_keeps_what_a_service_could_not_start(stack: Stack, rendered: Rendered) -> None:
    machine = StateMachine(stack, "flow", definition=PLAIN)
    assert "FlowStateMachineDeadLetterQueue" not in rendered()

    machine.dead_letters_for("events", "arn:aws:events:eu-west-1:123456789012:rule/one")
    machine.dead_letters_for("events", "arn:aws:events:eu-west-1:123456789012:rule/two")

    assert "FlowStateMachineDeadLetterQueue" in rendered()
    assert "dead-letters" in [watch.name for watch in machine.watches()]


@pytest.mark.parametrize(
    ("express", "metrics"),
    [
        (False, ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionThrottled"]),
        (True, ["ExecutionsFailed", "ExecutionsTimedOut"]),
    ],
)
def test_watches_what_goes_wrong(stack: Stack, express: bool, metrics: list[str]) -> None:  # noqa: FBT001
    machine = StateMachine(stack, "flow", definition=PLAIN, express=express)

    assert [watch.metric for watch in machine.watches()] == metrics
