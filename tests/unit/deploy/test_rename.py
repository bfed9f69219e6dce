"""Logical ids that change, and resources that move, while the real things stay."""

from __future__ import annotations

import json

import pytest

from archlib.deploy.existing import StackName
from archlib.deploy.rename import execute_rename, plan_rename, rename
from archlib.errors import DeployError, SettingsError, StuckError
from deploying import Bench, artifact, changed, queue

STACK = artifact(Jobs=queue(), More=queue(QueueName={"Fn::Sub": "${Jobs.QueueName}-more"}))
WANTED = changed(STACK, Jobs=None, Tasks=queue(), More=queue(QueueName={"Fn::Sub": "${Tasks.QueueName}-more"}))


def _ids(bench: Bench, stack: str = STACK.name) -> dict[str, str]:
    return {name: each.physical_id for name, each in bench.fake.stack(stack).resources.items()}


def test_a_renamed_resource_keeps_its_real_thing_and_the_next_deployment_has_nothing_to_do(bench: Bench) -> None:
    bench.deploy(STACK)
    before = _ids(bench)

    rename(bench.deployer(), WANTED, {"Jobs": "Tasks"})

    assert _ids(bench)["Tasks"] == before["Jobs"]
    assert bench.deploy(WANTED).results[STACK.name].action == "unchanged"


def test_the_plan_is_what_cloudformation_says_and_changes_nothing(bench: Bench) -> None:
    bench.deploy(STACK)

    plan = plan_rename(bench.deployer(), StackName(STACK.name), {"Jobs": "Tasks"})

    (move,) = plan.moves
    assert (move.resource, move.to_resource, move.type, move.physical_id) == (
        "Jobs", "Tasks", "AWS::SQS::Queue", _ids(bench)["Jobs"],
    )  # fmt: skip
    assert f"{STACK.name}/Jobs -> Tasks  AWS::SQS::Queue" in plan.to_text()
    assert json.loads(json.dumps(plan.to_data()))["moves"][0]["to_resource"] == "Tasks"
    assert bench.fake.count("ExecuteStackRefactor") == 0


def test_all_wrong_names_are_told_at_once(bench: Bench) -> None:
    bench.deploy(STACK)

    with pytest.raises(SettingsError) as caught:
        plan_rename(bench.deployer(), WANTED, {"Nothing": "A-b", "Jobs": "More"})

    told = str(caught.value)
    assert "resource 'Nothing': must be in stack 'shop-dev-data'" in told
    assert "resource 'A-b': must be letters and digits" in told
    assert "resource 'More': stack 'shop-dev-data' has one already" in told


def test_a_name_that_the_file_does_not_have_is_refused(bench: Bench) -> None:
    bench.deploy(STACK)

    with pytest.raises(SettingsError, match="must be AWS::SQS::Queue in the file, is not there"):
        plan_rename(bench.deployer(), STACK, {"Jobs": "Tasks"})


def test_a_stack_that_does_not_exist_is_refused(bench: Bench) -> None:
    with pytest.raises(SettingsError, match="must exist to be renamed in"):
        plan_rename(bench.deployer(), STACK, {"Jobs": "Tasks"})


def test_a_resource_moves_to_another_stack_that_is_made_for_it(bench: Bench) -> None:
    stack = artifact(Jobs=queue(), Lone=queue())
    bench.deploy(stack)
    before = _ids(bench)

    plan = rename(bench.deployer(), StackName(stack.name), {"Lone": "Alone"}, to="shop-dev-other")

    assert plan.created == ("shop-dev-other",)
    assert "+ stack shop-dev-other" in plan.to_text()
    assert _ids(bench, "shop-dev-other") == {"Alone": before["Lone"]}
    assert set(_ids(bench)) == {"Jobs"}


def test_what_would_be_torn_apart_by_a_move_is_told_at_once(bench: Bench) -> None:
    stack = artifact(
        Jobs=queue(), More=queue(QueueName={"Ref": "Name"}), Last=queue(QueueName={"Fn::Sub": "${Jobs}-last"}),
        outputs={"Url": {"Ref": "Jobs"}}, parameters={"Name": {"Type": "String", "Default": "x"}},
    )  # fmt: skip
    bench.deploy(stack)

    with pytest.raises(SettingsError) as caught:
        plan_rename(bench.deployer(), StackName(stack.name), {"Jobs": "Jobs", "More": "More"}, to="shop-dev-other")

    told = str(caught.value)
    assert "resource 'Jobs': Last of shop-dev-data needs it" in told
    assert "resource 'Jobs': output Url of shop-dev-data needs it" in told
    assert "resource 'More': needs parameter 'Name', which shop-dev-other does not have like that" in told
    with pytest.raises(SettingsError, match="resource 'Last': needs Jobs, which stays"):
        plan_rename(bench.deployer(), StackName(stack.name), {"Last": "Last"}, to="shop-dev-other")


def test_a_lost_answer_does_not_rename_twice(bench: Bench) -> None:
    bench.deploy(STACK)
    bench.fake.fault("ExecuteStackRefactor", "lost_response")

    rename(bench.deployer(), WANTED, {"Jobs": "Tasks"})

    assert "Tasks" in _ids(bench)
    assert bench.fake.count("ExecuteStackRefactor") == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [("ROLLBACK_COMPLETE", DeployError), ("ROLLBACK_FAILED", StuckError), ("EXECUTE_FAILED", StuckError)],
)
def test_what_fails_says_whether_it_was_undone(bench: Bench, status: str, error: type[DeployError]) -> None:
    bench.deploy(STACK)
    deployer = bench.deployer()
    plan = plan_rename(deployer, WANTED, {"Jobs": "Tasks"})
    bench.fake.world.timing.resource = 100_000.0
    refactor = bench.fake.world.store.refactors[plan.id]
    bench.fake.outsider(bench.clock.now() + 10.0, lambda: refactor.update(execution=status))

    with pytest.raises(error) as caught:
        execute_rename(deployer, plan)

    assert type(caught.value) is error


def test_a_name_that_a_text_has_for_itself_is_refused(bench: Bench) -> None:
    text = {"Fn::Sub": ["${Jobs.QueueName}${Tail}", {"Tail": "-more"}]}
    stack = artifact(Jobs=queue(), More=queue(QueueName=text))
    bench.deploy(stack)

    with pytest.raises(SettingsError, match="'Tail': is a variable of an Fn::Sub"):
        plan_rename(bench.deployer(), StackName(stack.name), {"Jobs": "Tail"})
