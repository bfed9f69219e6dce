from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archlib.components.functions.definition import load, placeholders, portable, problems
from archlib.core.values import encode
from archlib.errors import SourceError

END = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}


def machine(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def found(definition: dict[str, Any], *, express: bool = False) -> list[str]:
    return list(problems(definition, express=express))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("flow.json", '{"StartAt": "A", "States": {}}'),
        ("flow.yaml", "StartAt: A\nStates: {}\n"),
        ("flow.yml", "{StartAt: A, States: {}}"),
    ],
)
def test_reads_json_and_yaml(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    assert load(tmp_path / name) == {"StartAt": "A", "States": {}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("flow.json", "StartAt: A", "must be JSON or YAML"),
        ("flow.yaml", "a: [", "must be JSON or YAML"),
        ("flow.yaml", "Timestamp: 2030-01-01T00:00:00Z", "with times in quotes"),
        ("flow.yaml", "- A", "must be a mapping, got list"),
        ("flow.yaml", b"\xff", "must be JSON or YAML"),
    ],
)
def test_refuses_a_file_with_something_else(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(SourceError, match=message):
        load(tmp_path / name)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.json': must be a file, got No such file"):
        load(tmp_path / "nowhere.json")


def test_finds_placeholders() -> None:
    assert placeholders('{"a": "${ONE}", "b": "x${TWO}y", "c": "{% ${} %}"}') == {"ONE", "TWO"}


def test_integrations_work_in_every_partition() -> None:
    inner = machine(Wait={**TASK, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"})
    definition = machine(Send={**TASK, "End": False, "Next": "Both"}, Both={"Type": "Parallel", "Branches": [inner]})

    made, substitutions = portable(definition)

    assert made["States"]["Send"]["Resource"] == "${SqsSendMessage}"
    assert made["States"]["Both"]["Branches"][0]["States"]["Wait"]["Resource"] == "${SqsSendMessageWaitForTaskToken}"
    assert sorted(substitutions) == ["SqsSendMessage", "SqsSendMessageWaitForTaskToken"]
    assert "AWS::Partition" in str(encode(substitutions["SqsSendMessage"]))
    assert definition["States"]["Send"]["Resource"] == "arn:aws:states:::sqs:sendMessage"


def test_other_resources_stay_as_they_are() -> None:
    made, substitutions = portable(machine(Run={**TASK, "Resource": "${RUN_FUNCTION}"}, Stop=END))

    assert made["States"]["Run"]["Resource"] == "${RUN_FUNCTION}"
    assert substitutions == {}


def test_the_language_is_noted_where_the_linter_looks() -> None:
    definition = {"QueryLanguage": "JSONata", **machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Succeed"})}

    states = portable(definition)[0]["States"]

    assert states == {"A": {"Type": "Pass", "Next": "B", "QueryLanguage": "JSONata"}, "B": {"Type": "Succeed"}}


@pytest.mark.parametrize(
    "definition",
    [
        machine(A=END),
        machine(A={"Type": "Fail"}),
        machine(A={"Type": "Choice", "Choices": [{"Next": "B"}], "Default": "A"}, B={"Type": "Succeed"}),
        machine(A={**TASK, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]}, B={"Type": "Fail"}),
        machine(A={**TASK, "TimeoutSeconds": 10, "HeartbeatSeconds": 5}),
        machine(A={"Type": "Map", "ItemProcessor": machine(B=END), "End": True}),
        machine(A={"Type": "Map", "Iterator": machine(B=END), "End": True}),
        machine(A={"Type": "Parallel", "Branches": [machine(B=END), machine(C=END)], "End": True}),
        machine(A={**TASK, "Retry": [{"ErrorEquals": ["X"]}, {"ErrorEquals": ["States.ALL"]}]}),
    ],
)
def test_finds_nothing_wrong_with(definition: dict[str, Any]) -> None:
    assert found(definition) == []


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({}, "States must have at least one state, got none"),
        ({"StartAt": "A", "States": []}, "States must have at least one state, got none"),
        ({"StartAt": "Chrage", "States": {"Charge": END}}, "StartAt must be one of its states, got 'Chrage'; did you"),
        (machine(A="x"), "state 'A' must be a mapping, got 'x'"),
        (machine(A={"Type": "Jump", "End": True}), "state 'A': Type must be one of Task, Pass, Wait, Parallel"),
        (machine(A={"Type": "Pass", "Next": "B"}), "state 'A': Next must be a state beside it, got 'B'"),
        (machine(A={"Type": "Choice", "Choices": [{"Next": "B"}]}), "state 'A': Next in Choices must be a state"),
        (machine(A={"Type": "Choice", "Choices": [{}], "Default": "B"}), "state 'A': Default must be a state"),
        (machine(A={**TASK, "Catch": [{"ErrorEquals": ["X"], "Next": "B"}]}), "state 'A': Next in Catch must be"),
        (machine(A=END, B=END), "state 'B' must be reached from 'A', got no way there"),
        (machine(A={"Type": "Pass", "Next": "A"}), "what starts at 'A' must come to an end, got none"),
        (machine(A={"Type": "Pass"}), "state 'A': must have either Next or End: true, got neither"),
        (machine(A={"Type": "Pass", "Next": "A", "End": True}), "either Next or End: true, got both"),
        (machine(A={"Type": "Choice", "Default": "B"}, B=END), "state 'A': Choices must have at least one rule"),
        (machine(A={"Type": "Parallel", "End": True}), "state 'A': Branches must have at least one branch, got none"),
        (machine(A={"Type": "Map", "End": True}), "state 'A': must have an ItemProcessor, got none"),
        (
            machine(A={"Type": "Map", "ItemProcessor": machine(B=END), "Iterator": machine(C=END), "End": True}),
            "state 'A': must have one processor, got two",
        ),
        (machine(A={"Type": "Map", "ItemProcessor": machine(A=END), "End": True}), "state 'A' must have a name of"),
        (
            machine(A={"Type": "Parallel", "Branches": [machine(B={"Type": "Pass", "Next": "C"})], "End": True}, C=END),
            "state 'B': Next must be a state beside it, got 'C'",
        ),
        (machine(A={**TASK, "Retry": [{}]}), "state 'A': Retry must have ErrorEquals, got {}"),
        (
            machine(A={**TASK, "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["X"]}]}),
            "state 'A': States.ALL must stand alone and last in Retry",
        ),
        (
            machine(A={**TASK, "Catch": [{"ErrorEquals": ["X", "States.ALL"], "Next": "B"}]}, B=END),
            "state 'A': States.ALL must stand alone and last in Catch",
        ),
        (machine(A={**TASK, "TimeoutSeconds": 0}), "state 'A': TimeoutSeconds must be 1 or more, got 0"),
        (
            machine(A={**TASK, "TimeoutSeconds": 5, "HeartbeatSeconds": 5}),
            "state 'A': HeartbeatSeconds must be less than TimeoutSeconds of 5, got 5",
        ),
        (machine(**{"A" * 81: END}), "name must be at most 80 characters, got 81"),
    ],
)  # fmt: skip
def test_finds(definition: dict[str, Any], message: str) -> None:
    assert message in "\n".join(found(definition))


@pytest.mark.parametrize(
    "state",
    [
        {**TASK, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"},
        {**TASK, "Resource": "arn:aws:states:::ecs:runTask.sync"},
        {
            "Type": "Map",
            "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **machine(B=END)},
            "End": True,
        },
    ],
)
def test_some_states_need_a_standard_state_machine(state: dict[str, Any]) -> None:
    assert found(machine(A=state)) == []
    assert "in an express state machine" in found(machine(A=state), express=True)[0]
