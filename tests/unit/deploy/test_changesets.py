"""Change sets are made once and carried out once, whatever happens to the answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from archlib.deploy.calls import ServiceError, UnreachableError
from archlib.deploy.changesets import ReplanError, discard, discard_old, execute, make
from archlib.deploy.clock import Stop
from archlib.deploy.cloudformation import Request
from archlib.deploy.deployer import Deployer
from archlib.deploy.models import ChangeSet
from archlib.deploy.run import Run
from archlib.errors import AwsError
from deploying import Bench, artifact, changed, queue
from fakes import ServiceError as Refusal

NAME = "shop-dev-data"
STACK = artifact()
MORE = changed(STACK, More=queue())


@pytest.fixture
def deployer(bench: Bench) -> Deployer:
    """A deployer beside a stack that exists."""
    bench.deploy(STACK)
    bench.fake.calls.clear()
    return bench.deployer()


def request(deployer: Deployer, **how: Any) -> Request:
    run = deployer.run()
    return deployer.job(MORE).request(run, run.cloudformation.stack(NAME), **how)


def made(deployer: Deployer) -> ChangeSet:
    change_set = make(deployer.run(), request(deployer))
    assert change_set.status == "CREATE_COMPLETE"
    return change_set


def on(bench: Bench, wanted: str, do: Callable[[], object]) -> None:
    """Do something before each call of an operation by the deployer."""
    real = bench.fake.call

    def call(operation: str, parameters: dict[str, Any], **how: Any) -> dict[str, Any]:
        if operation == wanted and how.get("caller", "outsider") != "outsider":
            do()
        return real(operation, parameters, **how)

    bench.fake.call = call  # type: ignore[method-assign]


def refuse(code: str, message: str) -> Callable[[], object]:
    def do() -> object:
        raise Refusal(code, message)

    return do


class TestMaking:
    def test_it_is_waited_for(self, bench: Bench, deployer: Deployer) -> None:
        bench.fake.world.timing.change_set = 90.0

        assert [change.resource for change in made(deployer).changes] == ["More"]

    def test_values_are_asked_for_only_at_the_end(self, bench: Bench, deployer: Deployer) -> None:
        make(deployer.run(), request(deployer), full=True)

        asked = [call for call in bench.fake.calls if call.operation == "DescribeChangeSet"]
        assert [bool(call.parameters.get("IncludePropertyValues")) for call in asked][-1:] == [True]
        assert not any(call.parameters.get("IncludePropertyValues") for call in asked[:-1])

    def test_one_that_somebody_removes_is_planned_again(self, bench: Bench, deployer: Deployer) -> None:
        on(bench, "DescribeChangeSet", refuse("ChangeSetNotFound", "ChangeSet [x] does not exist"))

        with pytest.raises(ReplanError, match="removed by somebody else"):
            make(deployer.run(), request(deployer))

    def test_no_answer_for_too_long_ends(self, bench: Bench, deployer: Deployer) -> None:
        asked = request(deployer)
        bench.fake.fault("CreateChangeSet", "lost_request", times=None)
        began = bench.clock.now()

        with pytest.raises(UnreachableError, match="no answer from CloudFormation"):
            make(deployer.run(), asked)

        assert 120 < bench.clock.now() - began < 140

    @pytest.mark.parametrize(
        ("message", "error"),
        [
            ("Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated.", ReplanError),
            ("Stack [shop] does not exist", ReplanError),
            ("Template format error", ServiceError),
        ],
    )
    def test_refusals(self, bench: Bench, deployer: Deployer, message: str, error: type[Exception]) -> None:
        on(bench, "CreateChangeSet", refuse("ValidationError", message))

        with pytest.raises(error, match=re.escape(message)):
            make(deployer.run(), request(deployer))

    def test_one_of_the_same_name_is_ours(self, bench: Bench, deployer: Deployer) -> None:
        asked = request(deployer)
        first = make(deployer.run(), asked)
        on(bench, "CreateChangeSet", refuse("AlreadyExistsException", "ChangeSet x already exists"))

        assert make(deployer.run(), asked).id == first.id

    def test_one_of_the_same_name_with_another_content_is_not(self, bench: Bench, deployer: Deployer) -> None:
        asked, times = request(deployer), [0]

        def once() -> None:
            times[0] += 1
            if times[0] == 1:
                raise Refusal("AlreadyExistsException", "Token mismatch with existing attribute")

        on(bench, "CreateChangeSet", once)

        assert make(deployer.run(), asked).name != asked.name

    def test_who_stops_waits_a_moment_for_what_can_then_be_deleted(self, bench: Bench) -> None:
        bench.deploy(STACK)
        stop = Stop()
        deployer = bench.deployer(stop=stop)
        asked = request(deployer)
        bench.fake.world.timing.change_set = 3600.0
        stop.request()
        began = bench.clock.now()

        change_set = make(deployer.run(), asked)

        assert change_set.status in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}
        assert 30 < bench.clock.now() - began < 50


class TestExecuting:
    def test_once(self, bench: Bench, deployer: Deployer) -> None:
        execute(deployer.run(), made(deployer), "archlib-token")

        assert bench.fake.count("ExecuteChangeSet") == 1

    def test_no_answer_for_too_long_ends(self, bench: Bench, deployer: Deployer) -> None:
        change_set = made(deployer)
        bench.fake.fault("ExecuteChangeSet", "lost_request", times=None)

        with pytest.raises(UnreachableError, match="no answer from CloudFormation"):
            execute(deployer.run(), change_set, "archlib-token")

    def test_an_answer_that_was_lost_is_looked_for(self, bench: Bench, deployer: Deployer) -> None:
        change_set = made(deployer)
        bench.fake.fault("ExecuteChangeSet", "lost_response")

        execute(deployer.run(), change_set, "archlib-token")

        assert bench.fake.count("ExecuteChangeSet") == 1

    def test_another_refusal_is_told(self, bench: Bench, deployer: Deployer) -> None:
        change_set = made(deployer)
        on(bench, "ExecuteChangeSet", refuse("ValidationError", "no"))

        with pytest.raises(ServiceError, match="no"):
            execute(deployer.run(), change_set, "archlib-token")

    def test_one_that_is_obsolete_is_planned_again(self, bench: Bench, deployer: Deployer) -> None:
        change_set, other = made(deployer), make(deployer.run(), request(deployer))
        execute(deployer.run(), other, "archlib-other")
        bench.fake.settle()

        with pytest.raises(ReplanError, match="somebody else changed the stack"):
            execute(deployer.run(), change_set, "archlib-token")

    def test_one_that_is_gone_is_planned_again(self, bench: Bench, deployer: Deployer) -> None:
        change_set = made(deployer)
        bench.fake.call("DeleteChangeSet", {"ChangeSetName": change_set.id})

        with pytest.raises(ReplanError):
            execute(deployer.run(), change_set, "archlib-token")

    def test_one_that_runs_already_is_not_doubted(self, bench: Bench, deployer: Deployer) -> None:
        change_set = made(deployer)
        execute(deployer.run(), change_set, "archlib-token")

        # The same change set with another token: refused, but it runs.
        execute(deployer.run(), change_set, "archlib-again")


class TestDiscarding:
    def test_what_is_gone_is_no_news(self, bench: Bench, deployer: Deployer) -> None:
        change_set = made(deployer)
        discard(deployer.run(), change_set.id)
        discard(deployer.run(), change_set.id)
        on(bench, "DeleteChangeSet", refuse("ChangeSetNotFound", "it does not exist"))
        discard(deployer.run(), change_set.id)

        assert bench.recorder.notes == ""
        assert bench.left_behind() == []

    def test_what_cannot_be_deleted_is_told_and_changes_nothing(self, bench: Bench, deployer: Deployer) -> None:
        change_set = made(deployer)
        bench.fake.fault("DeleteChangeSet", "access_denied", times=None)

        discard(deployer.run(), change_set.id)

        assert "a change set could not be deleted" in bench.recorder.notes

    def test_no_answer_is_told_too(self, bench: Bench, deployer: Deployer) -> None:
        change_set = made(deployer)
        bench.fake.fault("DeleteChangeSet", "lost_request", times=None)

        discard(deployer.run(), change_set.id)

        assert "a change set could not be deleted" in bench.recorder.notes

    def test_only_old_ones_of_dead_runs_go(self, bench: Bench, deployer: Deployer) -> None:
        run = deployer.run()
        old = make(run, request(deployer, name="archlib-old"))
        plan = make(run, request(deployer, name="archlib-plan-kept"))
        other = make(run, request(deployer, name="somebodys"))
        bench.clock.sleep(3700)
        new = make(run, request(deployer, name="archlib-new"))
        mine = make(run, request(deployer, name="archlib-mine"))
        stack = left(run)[1]

        others = discard_old(run, stack, mine="archlib-mine")

        assert others == 3
        assert left(run)[0] == sorted([plan.name, other.name, new.name])
        assert {old.name, mine.name}.isdisjoint(left(run)[0])
        assert discard_old(run, stack, mine=new.id) == 2


def left(run: Run) -> tuple[list[str], str]:
    state = run.cloudformation.stack(NAME)
    assert state is not None
    return sorted(str(item["ChangeSetName"]) for item in run.cloudformation.change_sets(state.id)), state.id


def test_what_is_refused_is_an_error_of_aws() -> None:
    assert issubclass(UnreachableError, AwsError)
