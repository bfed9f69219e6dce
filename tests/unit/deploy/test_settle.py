"""Every status a stack can be found in, and how it becomes one that can be changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archlib.deploy.clock import Stop
from archlib.deploy.models import StackState
from archlib.deploy.run import Options, Run
from archlib.deploy.settle import delete, roll_back, settle, stuck, wait_for_other
from archlib.errors import DeployError, GuardError, RunningError, StuckError
from deploying import Bench, artifact, queue
from fakes import ServiceError

NAME = "shop-dev-data"


def found(run: Run) -> StackState:
    state = run.cloudformation.stack(NAME)
    assert state is not None
    return state


def settled(run: Run) -> StackState | None:
    return settle(run, NAME, run.cloudformation.stack(NAME))


def update(bench: Bench, *, disable_rollback: bool = False, **resources: Any) -> None:
    """Let somebody else begin an update."""
    body = json.dumps({"Resources": {"Jobs": queue(), **resources}})
    parameters = {"StackName": NAME, "ChangeSetName": "theirs", "ChangeSetType": "UPDATE", "TemplateBody": body}
    made = bench.fake.call("CreateChangeSet", parameters)
    bench.clock.sleep(10)
    extra = {"DisableRollback": True} if disable_rollback else {}
    bench.fake.call("ExecuteChangeSet", {"ChangeSetName": made["Id"], "ClientRequestToken": "their-token", **extra})
    bench.clock.sleep(2)


def failed_creation(bench: Bench) -> None:
    bench.fake.script("Jobs", fails="no", times=1)
    with pytest.raises(DeployError):
        bench.deploy(artifact())


def test_what_is_not_there_can_be_created(bench: Bench) -> None:
    assert settled(bench.run()) is None


@pytest.mark.parametrize("status", ["DELETE_COMPLETE"])
def test_what_is_deleted_counts_as_not_there(bench: Bench, status: str) -> None:
    assert settle(bench.run(), NAME, StackState(NAME, "arn", status)) is None


@pytest.mark.parametrize(
    "status",
    [
        "CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS",
    ],
)  # fmt: skip
def test_what_can_be_changed_is_left_as_it_is(bench: Bench, status: str) -> None:
    state = StackState(NAME, "arn", status)

    assert settle(bench.run(), NAME, state) is state
    assert bench.fake.calls == []


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("UPDATE_ROLLBACK_FAILED", f"run: archlib recover {NAME}"),
        ("IMPORT_ROLLBACK_FAILED", "ask AWS Support"),
        ("DELETE_FAILED", "run again: archlib destroy, with --retain"),
        ("NEW_WORD_OF_AWS", "archlib does not know this status; look at it in the console"),
    ],
)
def test_what_only_a_person_gets_out_of_is_told(bench: Bench, status: str, advice: str) -> None:
    with pytest.raises(StuckError) as caught:
        settle(bench.run(), NAME, StackState(NAME, "arn", status))

    assert str(caught.value).startswith(f"stack {NAME!r}: is {status}: ")
    assert advice in str(caught.value)
    assert caught.value.exit_code == 21
    assert bench.fake.calls == []


def test_the_reason_is_told_where_there_is_one() -> None:
    error = stuck(StackState(NAME, "arn", "DELETE_FAILED", reason="The following resources failed: [Jobs]"))

    assert "(The following resources failed: [Jobs])" in str(error)
    assert "()" not in str(stuck(StackState(NAME, "arn", "DELETE_FAILED")))


def test_an_empty_failed_creation_is_deleted(bench: Bench) -> None:
    failed_creation(bench)

    assert settled(bench.run()) is None
    assert bench.status(NAME) == "DELETE_COMPLETE"
    assert "it is ROLLBACK_COMPLETE: deleting it before it is created anew" in bench.recorder.notes
    assert bench.recorder.questions == []


def test_a_protected_failed_creation_stays(bench: Bench) -> None:
    failed_creation(bench)
    bench.fake.call("UpdateTerminationProtection", {"StackName": NAME, "EnableTerminationProtection": True})

    with pytest.raises(GuardError, match=r"ROLLBACK_COMPLETE and protected.*archlib destroy --unprotect"):
        settled(bench.run(options=Options(replace_failed=True)))
    assert bench.fake.count("DeleteStack") == 0


def failed_rollback(bench: Bench) -> None:
    bench.fake.script("Bad", fails="no", takes=10)
    bench.fake.script("Good", "DELETE", fails="still in use")
    with pytest.raises(StuckError):
        bench.deploy(artifact(Good=queue(), Bad=queue()))
    assert bench.status(NAME) == "ROLLBACK_FAILED"


def test_what_still_holds_something_is_asked_about(bench: Bench) -> None:
    failed_rollback(bench)

    with pytest.raises(GuardError, match=r"is ROLLBACK_FAILED and still has Good \(AWS::SQS::Queue\); look at them"):
        settled(bench.run())
    assert bench.recorder.questions == [
        f"{NAME} failed to be created and still has Good (AWS::SQS::Queue). Delete it and create it anew?"
    ]


def test_what_cannot_be_deleted_in_the_end_is_stuck(bench: Bench) -> None:
    failed_rollback(bench)

    with pytest.raises(StuckError, match="DELETE_FAILED"):
        settled(bench.run(options=Options(replace_failed=True)))


@pytest.mark.parametrize("lost", [False, True])
def test_a_failure_without_rollback_is_rolled_back(bench: Bench, *, lost: bool) -> None:
    bench.deploy(artifact())
    bench.fake.script("More", fails="no", times=1)
    update(bench, disable_rollback=True, More=queue())
    bench.fake.settle()
    assert bench.status(NAME) == "UPDATE_FAILED"
    if lost:
        bench.fake.fault("RollbackStack", "lost_response")
    run = bench.run()

    state = settled(run)

    assert state is not None
    assert state.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "it is UPDATE_FAILED: rollback was switched off" in bench.recorder.notes
    assert ("no answer to the call that rolls it back" in bench.recorder.notes) is lost
    assert bench.fake.count("RollbackStack") == 1


def test_somebody_else_is_named_and_waited_for(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.script("More", takes=300)
    update(bench, More=queue())

    state = settled(bench.run())

    assert state is not None
    assert state.status == "UPDATE_COMPLETE"
    assert "somebody else is working on it (UPDATE_IN_PROGRESS, token their-token); waiting" in bench.recorder.notes


def test_the_wait_for_somebody_else_ends(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.script("More", hangs=True)
    update(bench, More=queue())
    began = bench.clock.now()

    with pytest.raises(RunningError, match=f"nothing of this deployment began; .*archlib attach {NAME}"):
        settled(bench.run(options=Options(wait_for_other=600)))

    assert 600 <= bench.clock.now() - began < 640


def test_who_stops_waits_for_nobody(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.script("More", hangs=True)
    update(bench, More=queue())
    stop = Stop()
    run = bench.run(stop=stop)
    stop.request()

    with pytest.raises(RunningError, match="somebody else is still working"):
        wait_for_other(run, found(run))


def test_a_stack_that_goes_away_while_we_wait_is_no_longer_waited_for(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.script("Jobs", "DELETE", takes=100)
    run = bench.run()
    bench.fake.call("DeleteStack", {"StackName": NAME})

    assert settled(run) is None


def test_a_stack_that_never_rests_is_given_up(bench: Bench) -> None:
    bench.deploy(artifact())
    run = bench.run()
    real = bench.fake.call

    def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
        answer = real(operation, parameters, **how)
        if operation == "DescribeStacks":
            # By its name it is always busy again, by its ARN it has just come to rest.
            busy = not str(parameters["StackName"]).startswith("arn:")
            answer["Stacks"][0]["StackStatus"] = "UPDATE_IN_PROGRESS" if busy else "UPDATE_COMPLETE"
        return answer

    bench.fake.call = call  # type: ignore[method-assign]

    with pytest.raises(StuckError, match=f"does not come to rest; look at it: archlib events {NAME}"):
        settled(run)


class TestDelete:
    def test_it_is_deleted_and_told(self, bench: Bench) -> None:
        bench.deploy(artifact())
        run = bench.run()

        after, history = delete(run, found(run))

        assert after.status == "DELETE_COMPLETE"
        assert [event.resource for event in history.events if event.status == "DELETE_COMPLETE"] == ["Jobs", NAME]

    def test_protection_is_told_with_its_way_out(self, bench: Bench) -> None:
        bench.deploy(artifact())
        bench.fake.call("UpdateTerminationProtection", {"StackName": NAME, "EnableTerminationProtection": True})
        run = bench.run()

        with pytest.raises(GuardError, match="termination protection is on; run: archlib destroy --unprotect"):
            delete(run, found(run))

    def test_a_stack_that_is_busy_is_waited_for(self, bench: Bench) -> None:
        bench.deploy(artifact())
        run = bench.run()
        state = found(run)
        bench.fake.script("More", takes=60)
        update(bench, More=queue())

        after, _ = delete(run, state)

        assert after.status == "DELETE_COMPLETE"
        assert "somebody else is working on it" in bench.recorder.notes

    def test_a_stack_that_others_keep_changing_is_left_to_them(self, bench: Bench) -> None:
        bench.deploy(artifact())
        run = bench.run()
        state = found(run)
        real = bench.fake.call

        def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
            if operation == "DeleteStack":
                raise ServiceError("ValidationError", "Stack is in UPDATE_IN_PROGRESS state")
            return real(operation, parameters, **how)

        bench.fake.call = call  # type: ignore[method-assign]

        with pytest.raises(RunningError, match="others keep changing it"):
            delete(run, state)

    def test_a_stack_that_somebody_deleted_before_is_deleted(self, bench: Bench) -> None:
        bench.deploy(artifact())
        run = bench.run()
        state = found(run)
        bench.fake.call("DeleteStack", {"StackName": NAME})
        bench.fake.settle()

        assert delete(run, state)[0].status == "DELETE_COMPLETE"

    def test_a_refusal_is_told_as_it_is(self, bench: Bench) -> None:
        bench.deploy(artifact())
        run = bench.run()
        bench.fake.fault("DeleteStack", "access_denied", times=None)

        with pytest.raises(Exception, match="allow cloudformation:DeleteStack"):
            delete(run, found(run))


def test_rolling_back_waits_for_its_end(bench: Bench) -> None:
    bench.deploy(artifact())
    bench.fake.script("More", fails="no", times=1)
    update(bench, disable_rollback=True, More=queue())
    bench.fake.settle()
    run = bench.run()

    roll_back(run, found(run))

    assert bench.status(NAME) == "UPDATE_ROLLBACK_COMPLETE"
