"""Stuck stacks move again, running ones are followed or stopped, and nothing live is deleted."""

from __future__ import annotations

import json

import pytest

from archlib.deploy.recover import attach, cancel, recover
from archlib.errors import AwsError, DeployError, GuardError, SettingsError, StuckError
from deploying import Bench, artifact, changed, queue

NAME = "shop-dev-data"


def get_stuck(bench: Bench, *, times: int | None = None) -> None:
    stack = artifact(Jobs=queue(), Other=queue())
    bench.deploy(stack)
    bench.fake.script("Jobs", "ROLLBACK", fails="cannot go back", times=times)
    bench.fake.script("More", fails="no")
    with pytest.raises(StuckError):
        bench.deploy(changed(stack, Jobs=queue(VisibilityTimeout=60), More=queue()))
    bench.fake.calls.clear()


def continued(bench: Bench) -> list[list[str] | None]:
    calls = [call for call in bench.fake.calls if call.operation == "ContinueUpdateRollback"]
    return [call.parameters.get("ResourcesToSkip") for call in calls]


def begin_update(bench: Bench) -> None:
    """Let somebody else begin an update that takes a while."""
    stack = changed(artifact(), More=queue())
    bench.deploy(artifact())
    bench.fake.script("More", takes=600.0)
    made = {"StackName": NAME, "ChangeSetName": "theirs", "TemplateBody": json.dumps(stack.template)}
    bench.fake.call("CreateChangeSet", made)
    bench.clock.sleep(10.0)
    bench.fake.call("ExecuteChangeSet", {"ChangeSetName": "theirs", "StackName": NAME})
    bench.clock.sleep(5.0)
    assert bench.status(NAME) == "UPDATE_IN_PROGRESS"


def test_a_stuck_rollback_first_goes_on_as_it_is(bench: Bench) -> None:
    get_stuck(bench, times=1)

    result = recover(bench.run(), NAME)

    assert (result.action, result.left) == ("recovered", ())
    assert continued(bench) == [None]
    assert "Jobs (AWS::SQS::Queue): cannot go back" in bench.recorder.notes
    assert bench.status(NAME) == "UPDATE_ROLLBACK_COMPLETE"


def test_nothing_is_given_up_without_a_word_from_the_user(bench: Bench) -> None:
    get_stuck(bench)

    with pytest.raises(StuckError, match="--skip Jobs, or --force"):
        recover(bench.run(), NAME)

    assert continued(bench) == [None]
    assert "Jobs (AWS::SQS::Queue): cannot go back" in bench.recorder.questions[0]
    assert bench.status(NAME) == "UPDATE_ROLLBACK_FAILED"


def test_who_agrees_gives_up_what_is_stuck(bench: Bench) -> None:
    get_stuck(bench)
    bench.recorder.answer = True

    result = recover(bench.run(), NAME)

    assert continued(bench) == [None, ["Jobs"]]
    assert result.left == ("Jobs (AWS::SQS::Queue): cannot go back",)
    assert "template and reality differ now: Jobs" in bench.recorder.notes
    assert bench.status(NAME) == "UPDATE_ROLLBACK_COMPLETE"


def test_force_gives_everything_up_and_asks_nobody(bench: Bench) -> None:
    get_stuck(bench)

    assert recover(bench.run(), NAME, force=True).left
    assert continued(bench) == [["Jobs"]]
    assert bench.recorder.questions == []


def test_what_is_chosen_is_given_up(bench: Bench) -> None:
    get_stuck(bench)

    assert recover(bench.run(), NAME, skip=("Jobs",)).action == "recovered"
    assert continued(bench) == [["Jobs"]]


def test_only_what_is_stuck_can_be_given_up(bench: Bench) -> None:
    get_stuck(bench)

    with pytest.raises(SettingsError, match=r"skip must be of what cannot be rolled back \(Jobs\), got 'Other'"):
        recover(bench.run(), NAME, skip=("Other",))

    assert continued(bench) == []


def test_a_stack_that_is_well_is_left_alone(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.calls.clear()

    assert recover(bench.run(), NAME).action == "unchanged"
    assert {call.operation for call in bench.fake.calls} == {"DescribeStacks"}


def test_what_could_not_be_deleted_is_not_touched_but_explained(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.script("Jobs", "DELETE", fails="no")
    bench.fake.call("DeleteStack", {"StackName": NAME})
    bench.fake.settle()
    bench.fake.calls.clear()

    with pytest.raises(StuckError, match="archlib destroy"):
        recover(bench.run(), NAME)

    assert {call.operation for call in bench.fake.calls} == {"DescribeStacks"}


def test_an_unknown_stack_is_an_error(bench: Bench) -> None:
    for do in (recover, cancel, attach):
        with pytest.raises(AwsError, match="does not exist in eu-west-1"):
            do(bench.run(), "nobody")


def test_an_update_can_be_cancelled(bench: Bench) -> None:
    begin_update(bench)

    assert cancel(bench.run(), NAME).action == "cancelled"
    assert bench.status(NAME) == "UPDATE_ROLLBACK_COMPLETE"


def test_cancelling_nothing_changes_nothing(bench: Bench) -> None:
    bench.deploy(artifact())

    assert cancel(bench.run(), NAME).action == "unchanged"
    assert bench.fake.count("CancelUpdateStack") == 0


def test_a_creation_only_stops_by_deletion(bench: Bench) -> None:
    bench.fake.script("Jobs", takes=600.0)
    begin_creation(bench)

    with pytest.raises(GuardError, match="archlib cancel shop-dev-data --delete"):
        cancel(bench.run(), NAME)
    assert bench.fake.count("DeleteStack") == 0

    assert cancel(bench.run(), NAME, delete=True).action == "deleted"
    assert bench.status(NAME) == "DELETE_COMPLETE"


def begin_creation(bench: Bench) -> None:
    made = {"StackName": NAME, "ChangeSetName": "theirs", "TemplateBody": json.dumps(artifact().template)}
    bench.fake.call("CreateChangeSet", {**made, "ChangeSetType": "CREATE"})
    bench.clock.sleep(10.0)
    bench.fake.call("ExecuteChangeSet", {"ChangeSetName": "theirs", "StackName": NAME})
    bench.clock.sleep(5.0)


def test_attaching_follows_to_the_end(bench: Bench) -> None:
    begin_update(bench)

    result = attach(bench.run(), NAME)

    assert result.action == "updated"
    assert bench.status(NAME) == "UPDATE_COMPLETE"
    assert any(event.resource == "More" for event in bench.recorder.events("COMPLETE"))


def test_attaching_ends_as_the_deployment_would_have(bench: Bench) -> None:
    bench.fake.script("More", takes=100.0, fails="no more queues")
    begin_update(bench)

    with pytest.raises(DeployError, match="no more queues") as caught:
        attach(bench.run(), NAME)

    assert caught.value.exit_code == 20
    assert caught.value.failure.resource == "More"


def test_attaching_when_all_is_over_tells_the_last_outcome(bench: Bench) -> None:
    bench.deploy(artifact())
    assert attach(bench.run(), NAME).action == "created"
    assert "nothing is going on" in bench.recorder.notes

    bench.fake.script("More", fails="no more queues")
    with pytest.raises(DeployError):
        bench.deploy(changed(artifact(), More=queue()))

    with pytest.raises(DeployError, match="no more queues"):
        attach(bench.run(), NAME)
